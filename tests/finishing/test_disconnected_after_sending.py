"""A run that lost its connection after it had sent everything does not say that the next run sends the rest."""

from typing import Any

import pytest

from shared.model.run import RunStatus
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
