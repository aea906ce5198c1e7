"""Cancels runs of the simulated deployment at chosen moments."""

from __future__ import annotations

from collections.abc import Callable

from shared.model.chunk import ChunkState
from shared.model.run import Run
from tests.faults.simulated_deployment import SimulatedDeployment


def canceled_when(deployment: SimulatedDeployment, run: Run, is_time: Callable[[], bool]) -> Run:
    """Cancel a run before each call to Mailchimp at which it is time to. Returns the ended run."""

    def call(ask: Callable[[], object]) -> object:
        if is_time():
            deployment.app.commands.cancel(run.id)
        return ask()

    deployment.call = call
    ended: Run = deployment.run_to_end(run.id)
    deployment.call = None
    return ended


def chunk_states(deployment: SimulatedDeployment, run: Run) -> set[ChunkState]:
    """The states that the chunks of a run have now."""
    return {stored.value.state for stored in deployment.app.chunks.all(run.id)}
