"""What a run has sent when it was stopped, and how it ends."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from shared.model.chunk import Chunk, ChunkState
from shared.model.finding import Reason
from shared.model.outcome import Code
from shared.model.run import CANCELED_AFTER_SENDING, REMOVAL_GUARD, Run, RunStatus


def unsent_code(run: Run) -> str:
    """The code of people whose chunk was not sent."""
    if run.reason is not None and run.reason.code == "disconnected":
        return Code.DISCONNECTED
    if run.cancel_requested:
        return Code.CANCELED
    return Code.CALL_FAILED if run.reason is None else Code.RUN_STOPPED


def is_complete(run: Run, chunks: Sequence[Chunk]) -> bool:
    """Whether a run sent everyone that it planned to send."""
    return not run.is_stopped and all(
        chunk.state is ChunkState.DONE and not chunk.gave_up for chunk in chunks
    )


def without_reason_if_all_sent(run: Run, chunks: Sequence[Chunk]) -> Run:
    """The run without the reason why a lane stopped, if everything was sent anyway.

    A connection may be lost after the last chunk, and another lane may have sent the chunk that Mailchimp refused. Only the
    comparison with Mailchimp may be missing then. The next run makes it.
    """
    # A chunk keeps the state `unconfirmed` until a lane claims it after the confirmation.
    ready = (
        {ChunkState.DONE} if run.removals_confirmed else {ChunkState.DONE, ChunkState.UNCONFIRMED}
    )
    all_sent = all(chunk.state in ready and not chunk.gave_up for chunk in chunks)
    return replace(run, reason=None) if all_sent else run


def status_of_stopped(run: Run, chunks: Sequence[Chunk]) -> tuple[RunStatus, Reason | None] | None:
    """Return the final status of a run whose sending was ended early, and its reason; None for other runs."""
    if run.reason is not None and run.reason.code != REMOVAL_GUARD:
        return RunStatus.FAILED, run.reason
    if run.cancel_requested:
        return RunStatus.CANCELED, _cancel_reason(run, chunks)
    return None


def _cancel_reason(run: Run, chunks: Sequence[Chunk]) -> Reason:
    """Return the reason that says what a canceled run had sent, and what sends the rest."""
    unsent = [c for c in chunks if c.state is not ChunkState.DONE or c.gave_up]
    if unsent and all(c.state is ChunkState.UNCONFIRMED for c in unsent):
        return Reason("canceledRemovals")
    if not any(c.attempts for c in chunks):
        return Reason("canceledBeforeSending")
    if not unsent:
        return Reason(CANCELED_AFTER_SENDING)
    return Reason("canceled") if run.covers_export else Reason("canceledPartly")
