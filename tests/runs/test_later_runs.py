"""A run names the runs that undo and retry it, however many runs there were since."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from shared.errors import ConnectorError
from shared.model.ids import run_id_at
from shared.model.ports import RECORD_NEWER
from shared.model.run import Mode, Run, Trigger
from shared.runs.start import RunOptions
from tests.fakes import MemoryRecords
from tests.faults.simulated_deployment import EXPORT, SimulatedDeployment
from tests.planning.row_deployment import RowDeployment, person
from tests.web.client import call


def run_and_undo(rows: RowDeployment) -> tuple[Run, Run]:
    """A run that adds two people, and its undo."""
    run = rows.run(person(0), person(1))
    return run, rows.deployment.undo(run)


def add_runs(deployment: SimulatedDeployment, like: Run, count: int) -> None:
    """Add records of so many newer runs of the export."""
    assert like.queued_at is not None
    for number in range(count):
        at = like.queued_at + timedelta(days=number + 1)
        run_id = run_id_at(at, f"{number:09x}")
        deployment.app.runs.create(
            run_id, Run(run_id, EXPORT, Trigger.SCHEDULE, Mode.EXPORT, queued_at=at)
        )


def page_of(deployment: SimulatedDeployment, run: Run) -> str:
    return call(deployment.app, "GET", f"/runs/{run.id}").body.decode()


def test_a_run_names_its_undo_after_many_other_runs(rows: RowDeployment) -> None:
    deployment = rows.deployment
    run, undo = run_and_undo(rows)
    add_runs(deployment, undo, 45)

    page = page_of(deployment, run)

    assert "Undo of this run:" in page
    assert f'href="/runs/{undo.id}"' in page


@pytest.mark.parametrize("was_added", [False, True])
def test_a_run_of_an_earlier_version_names_what_its_record_lacks(
    rows: RowDeployment, was_added: bool
) -> None:
    deployment = rows.deployment
    run, undo = run_and_undo(rows)
    stored = deployment.app.runs.read(run.id)
    old = replace(stored.value, later=(), later_is_complete=False)
    deployment.app.runs.replace(run.id, old, stored.etag)
    later = [undo.id]
    if was_added:
        retry = deployment.app.starter.start(
            EXPORT, Trigger.RETRY, Mode.EXPORT, "Ada", RunOptions(retry_of=run.id)
        )
        later.append(retry.id)

    page = page_of(deployment, run)

    assert [one for one in later if f'href="/runs/{one}"' not in page] == []


def test_a_run_is_shown_although_a_newer_version_wrote_its_undo(
    rows: RowDeployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, undo = run_and_undo(rows)
    rows.run(person(0), person(1), person(2))
    read = MemoryRecords.read

    def read_known(self: MemoryRecords[Any], key: str) -> Any:
        if key == undo.id:
            raise ConnectorError(RECORD_NEWER, record=f"runs {key}")
        return read(self, key)

    monkeypatch.setattr(MemoryRecords, "read", read_known)

    page = page_of(rows.deployment, run)

    assert "<h2>Numbers</h2>" in page
    assert f'href="/runs/{undo.id}"' not in page
    assert "newer version" not in page
