"""A run without sending ends as one that sends: same outcomes, same counts, no repair of tags."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from bench.peaks import disk_mb, peaks
from bench.without_sending import send_no_contacts
from sandbox.mailchimp.sandbox import Sandbox
from shared.model.run import Run, RunStatus
from tests.fakes import Clock
from tests.faults.simulated_deployment import SimulatedDeployment
from tests.planning.row_deployment import RowDeployment, person
from tests.waiting import until

Rows = Callable[[], RowDeployment]


@pytest.fixture
def new_rows(monkeypatch: pytest.MonkeyPatch) -> Iterator[Rows]:
    clock = Clock()
    with ExitStack() as stack:

        def made() -> RowDeployment:
            sandbox = stack.enter_context(Sandbox(now=clock.seconds))
            rows = RowDeployment(SimulatedDeployment(sandbox, monkeypatch, clock))
            rows.define()
            return rows

        yield made


def two_runs(rows: RowDeployment) -> tuple[Run, Run]:
    """A first run, and one with a person who left, one who changed and one who is new."""
    first = rows.run(*(person(n) for n in range(20)))
    return first, rows.run(person(1, FirstName="New"), *(person(n) for n in range(2, 21)))


def test_runs_without_sending_have_the_results_of_runs_that_send(new_rows: Rows) -> None:
    sent, counted = new_rows(), new_rows()
    sent_runs = two_runs(sent)
    audience = send_no_contacts(counted.deployment.app.mailchimp)

    counted_runs = two_runs(counted)

    assert [run.status for run in counted_runs] == [RunStatus.SUCCESSFUL] * 2
    for one, other in zip(counted_runs, sent_runs, strict=True):
        assert (one.counts, one.proof, one.segments) == (other.counts, other.proof, other.segments)
        assert one.findings == other.findings
        assert counted.outcomes(one) == sent.outcomes(other)
    assert audience.contacts == 21
    assert counted.deployment.audience.members() == {}


def test_the_peak_of_the_disk_is_measured_while_files_exist(tmp_path: Path) -> None:
    with peaks(tmp_path) as found:
        file = tmp_path / "large"
        file.write_bytes(b"x" * 3_000_000)
        until(lambda: found.disk >= 3.0)
        file.unlink()

    assert 3.0 <= found.disk < 4.0
    assert found.memory > 1
    assert disk_mb(tmp_path) == 0
