"""Cancels runs of the simulated deployment at chosen moments."""

from __future__ import annotations

from collections.abc import Callable

from shared.model.chunk import ChunkState
from shared.model.run import Run
from tests.faults.simulated_deployment import SimulatedDeployment


def canceled_when(deployment: SimulatedDeployment, run: Run, is_time: Callable[[], bool]) -> Run:
    """Continue a run, and cancel it before every call to Mailchimp at which `is_time()` is true. Returns the ended run."""

    def call(make: Callable[[], object]) -> object:
        if is_time():
            deployment.app.commands.cancel(run.id)
        return make()

    deployment.call = call
    ended: Run = deployment.run_to_end(run.id)
    deployment.call = None
    return ended


def chunk_states(deployment: SimulatedDeployment, run: Run) -> set[ChunkState]:
    """The states that the chunks of a run have now."""
    return {stored.value.state for stored in deployment.app.chunks.all(run.id)}
