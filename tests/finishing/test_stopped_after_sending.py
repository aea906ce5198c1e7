"""A run that was stopped after it had sent everything has not failed."""

from typing import Any

import pytest

from shared.model.export import NewContacts
from shared.model.finding import Reason
from shared.model.run import REMOVAL_GUARD, RunStatus
from shared.sending.chunk_payload import ChunkPayloads
from tests.faults.simulated_deployment import CONNECTION, EXPORT
from tests.planning.row_deployment import RowDeployment, codes, person


def test_a_run_that_is_disconnected_after_the_last_chunk_has_sent_everything(
    rows: RowDeployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    finish = ChunkPayloads.finish

    def finished(*given: Any) -> None:
        finish(*given)
        rows.deployment.app.commands.stop_sending([EXPORT])
        rows.deployment.app.connections.delete(CONNECTION)

    monkeypatch.setattr(ChunkPayloads, "finish", finished)

    run = rows.run(person(1), person(2))

    assert (run.status, run.reason) == (RunStatus.COMPLETED_WITH_WARNINGS, None)
    assert set(codes(run)) == {"tagsNotChecked"}
    assert run.counts.created == 2


@pytest.mark.parametrize("code", ["forbidden", "planLimit", "redirected", "accountDisabled"])
def test_a_run_whose_refused_chunk_was_sent_by_another_lane_has_sent_everything(
    rows: RowDeployment, monkeypatch: pytest.MonkeyPatch, code: str
) -> None:
    finish = ChunkPayloads.finish

    def finished(*given: Any) -> None:
        finish(*given)
        app = rows.deployment.app
        (run,) = app.runs.all(where={"export": EXPORT})
        app.transitions.begin_finishing(run.key, Reason(code))

    monkeypatch.setattr(ChunkPayloads, "finish", finished)

    run = rows.run(person(1), person(2))

    assert (run.status, run.reason) == (RunStatus.SUCCESSFUL, None)
    assert run.counts.created == 2


def test_removals_that_were_confirmed_but_not_sent_do_not_ask_again(rows: RowDeployment) -> None:
    rows.define(new_contacts=NewContacts(), max_removal_share=0.3)
    app = rows.deployment.app
    rows.run(*map(person, range(10)))
    waiting = rows.run(person(0))
    assert waiting.reason.code == REMOVAL_GUARD
    app.commands.confirm(waiting.id)
    app.connections.delete(CONNECTION)

    run = rows.deployment.run_to_end(waiting.id)

    assert (run.status, run.reason.code) == (RunStatus.FAILED, "disconnected")
    assert (run.counts.left, run.counts.removed) == (9, 0)
