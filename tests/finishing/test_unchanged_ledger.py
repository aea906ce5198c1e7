"""A run that changes nothing keeps the file of the ledger."""

from __future__ import annotations

import pytest

from sandbox.samples import Sample, Segment
from shared.model.ledger import LedgerPointer
from shared.model.names import ledger_folder
from shared.model.run import Run, RunStatus
from shared.people.erasures import Erasures
from tests.faults.simulated_deployment import EXPORT, NewDeployment, SimulatedDeployment

SAMPLE = Sample(12, (Segment("A"), Segment("B", 0.5)), seed=3)


@pytest.fixture
def deployment(new_deployment: NewDeployment) -> SimulatedDeployment:
    deployment = new_deployment()
    deployment.define(SAMPLE)
    return deployment


def pointer_of(deployment: SimulatedDeployment) -> LedgerPointer:
    stored = deployment.app.ledgers.read(EXPORT)
    assert stored is not None
    return stored.value  # type: ignore[no-any-return]


def ledger_files(deployment: SimulatedDeployment) -> list[str]:
    return list(deployment.app.files.names(ledger_folder(EXPORT)))


def run(deployment: SimulatedDeployment) -> Run:
    run = deployment.run()
    assert run.status is RunStatus.SUCCESSFUL
    return run


def test_a_run_that_changes_nothing_keeps_the_file_of_the_ledger(
    deployment: SimulatedDeployment,
) -> None:
    first = run(deployment)
    ledger = pointer_of(deployment)

    second = run(deployment)

    assert second.counts.unchanged == 12
    kept = pointer_of(deployment)
    assert (kept.blob, kept.people) == (ledger.blob, 12)
    assert (kept.run_id, kept.sent_by) == (second.id, first.id)
    assert ledger_files(deployment) == [ledger.blob]


def test_later_runs_and_an_undo_use_a_ledger_that_was_kept(
    deployment: SimulatedDeployment,
) -> None:
    run(deployment)
    run(deployment)
    before = pointer_of(deployment)
    deployment.define(SAMPLE.later(changed=0.9))

    third = run(deployment)
    run(deployment)

    assert third.counts.updated > 0
    assert pointer_of(deployment).before == before.blob
    assert sorted(ledger_files(deployment)) == sorted([before.blob, pointer_of(deployment).blob])
    assert deployment.undo(third).counts.updated == third.counts.updated


def test_a_person_erased_during_the_run_is_not_in_the_ledger(
    deployment: SimulatedDeployment,
) -> None:
    app = deployment.app
    app.__dict__["erasures"] = Erasures(app.erasures.records, lambda: bytes(32))
    run(deployment)
    started = app.starter.start(EXPORT)
    deployment.plan(started.id)

    app.eraser.erase(SAMPLE.address(4), in_mailchimp=False, by="")
    ended = deployment.run_to_end(started.id)

    addresses = {row[0] for row in deployment.result_of(ended).ledger}
    assert addresses == {SAMPLE.address(number) for number in SAMPLE.numbers} - {SAMPLE.address(4)}
    assert pointer_of(deployment).people == 11
