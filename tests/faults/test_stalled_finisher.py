"""A finisher that stalls until its run and the next one have ended does not replace the newer ledger."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import shared.memory
from sandbox.samples import Sample, Segment
from shared.model.names import outcomes_table
from shared.model.run import Run, RunStatus
from tests.faults.simulated_deployment import EXPORT, NewDeployment

SAMPLE = Sample(40, (Segment("A", 0.8), Segment("B", 0.4)), seed=11)
LATER = SAMPLE.later(changed=0.3, arriving=20, leaving=3)
STALL = 120.0


@pytest.mark.parametrize("where", ["tags are compared", "the ledger is replaced"])
def test_the_ledger_of_a_later_run_stays(
    new_deployment: NewDeployment, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    # The processes of this test are one, and each may work on a database.
    monkeypatch.setattr(shared.memory, "_POOL", shared.memory.FullMemoryPool(2))
    deployment = new_deployment()
    deployment.define(SAMPLE, max_removal_share=1.0)
    stalled = deployment.app.starter.start(EXPORT)
    later: list[Run] = []

    def others_go_on() -> None:
        """While this process is paused, another one ends the run and executes the next."""
        deployment.clock.forward(STALL)
        deployment.start_process()
        assert deployment.run_to_end(stalled.id).status is RunStatus.SUCCESSFUL
        deployment.define(LATER)
        later.append(deployment.run())
        # As when the retention period has ended, or a person was erased.
        del deployment.store.blobs[outcomes_table(stalled.id)]

    def is_finishing() -> bool:
        run = deployment.app.runs.read(stalled.id)
        return not later and run is not None and run.value.status is RunStatus.FINISHING

    if where == "tags are compared":

        def call(ask: Callable[[], Any]) -> Any:
            if is_finishing():
                deployment.call = None
                others_go_on()
            return ask()

        deployment.call = call
    else:
        replace = deployment.app.files.upload

        def upload(path: Any, name: str) -> None:
            replace(path, name)
            if name.startswith("ledgers/") and is_finishing():
                others_go_on()

        monkeypatch.setattr(deployment.app.files, "upload", upload)

    ended = deployment.run_to_end(stalled.id)

    assert ended.status is RunStatus.SUCCESSFUL
    (run,) = later
    assert run.status is RunStatus.SUCCESSFUL
    pointer = deployment.app.ledgers.read(EXPORT).value
    assert pointer.run_id == run.id
    assert deployment.store.blobs[pointer.blob]
    assert pointer.people == run.counts.distinct + run.counts.left
    if where == "tags are compared":
        # The stalled process had not stored the outcomes yet.
        assert outcomes_table(stalled.id) not in deployment.store.blobs
    # Nothing is sent twice: the ledger has everyone that the later run sent.
    assert deployment.run().counts.updated == 0
