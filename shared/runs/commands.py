"""What a person may do with a run: look, cancel, confirm, retry."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from shared.capacity.pace import AccountPace
from shared.errors import Conflict, NotFound
from shared.messaging.messages import lane_message, plan_message
from shared.messaging.trace import following
from shared.model.chunk import Chunk, ChunkState
from shared.model.names import PLAN_RUNS, SEND_LANES
from shared.model.plan import Plan
from shared.model.ports import Queue, Records, readable, update
from shared.model.run import REMOVAL_GUARD, Mode, Reason, Run, RunStatus, Trigger
from shared.runs.progress import with_progress
from shared.runs.start import Starter
from shared.runs.transitions import Transitions

__all__ = ["RunCommands", "can_retry"]


@dataclass(frozen=True)
class RunCommands:
    """Use cases on runs. `plan_of` reads a run's plan."""

    runs: Records[Run]
    chunks: Records[Chunk]
    queue: Queue
    starter: Starter
    pace: AccountPace
    plan_of: Callable[[str], Plan]
    connections: int
    now: Callable[[], datetime]

    def read(self, run_id: str) -> Run:
        """A run with its progress as of now. NotFound when there is none."""
        stored = self.runs.read(run_id)
        if stored is None:
            msg = "There is no such run."
            raise NotFound(msg, code="runNotFound")
        return self._as_of_now(stored.value)

    def newest(
        self, export_id: str | None = None, status: RunStatus | None = None, top: int = 50
    ) -> Iterator[Run]:
        """Runs, newest first."""
        where = {}
        if export_id is not None:
            where["export"] = export_id
        if status is not None:
            where["status"] = status.value
        for number, stored in enumerate(readable(self.runs.all(where=where or None))):
            if number >= top:
                return
            run = stored.value
            yield self._as_of_now(run) if run.is_active else run

    def cancel(self, run_id: str) -> Run:
        """Stop a run within a call; what was sent stays truthfully in outcomes and ledger.

        Conflict when it is over, or has sent everything and is only being closed.
        """
        self.read(run_id)

        run = self._transitions.cancel(run_id, lambda: self._all_sent(run_id))
        if run.status is RunStatus.SENDING:
            # A lane may be asleep: wake one, so that the run is closed at once.
            with following(run.trace):
                self.queue.send(SEND_LANES, lane_message(run_id, 0))
        return run

    def confirm(self, run_id: str) -> Run:
        """Go on with a run that waits for a person's yes."""
        run = self.read(run_id)
        if run.status is not RunStatus.AWAITING_CONFIRMATION or run.reason is None:
            msg = "The run does not wait for a confirmation."
            raise Conflict(msg, code="notWaiting")
        if run.reason.code == REMOVAL_GUARD:
            self.pace.join(self.plan_of(run_id).account_id, run_id, self._is_going)
            held = list(self._held(run_id))
            for key in held:
                self._release(key)
            run = self._transitions.confirm(run_id)
            with following(run.trace):
                for lane in range(min(self.connections, max(1, len(held)))):
                    self.queue.send(SEND_LANES, lane_message(run_id, lane))
        else:
            run = self._transitions.confirm(run_id)
            with following(run.trace):
                self.queue.send(PLAN_RUNS, plan_message(run_id))
        return self._as_of_now(run)

    def retry(self, run_id: str, by: str) -> Run:
        """A new run of the rows that failed, those refused for good among them.

        Conflict says why there is nothing to be tried again.
        """
        run = self.read(run_id)
        _refuse_retry(run)
        started = self.starter.start(
            run.export_id, Trigger.RETRY, Mode.EXPORT, requested_by=by, retry_of=run_id
        )
        if started.retry_of != run_id:
            msg = "Another run of the export is going. Wait for its end or cancel it."
            raise Conflict(msg, code="otherRunGoing")
        return started

    def disconnected(self, export_ids: Collection[str]) -> int:
        """Stop sending for exports whose connection was taken away; how many runs that stops.

        A run that has not begun to send finds out by itself.
        """
        reason = Reason(
            "disconnected",
            "The connection to Mailchimp was disconnected. Connect it again; the next run sends "
            "what is missing.",
        )
        count = 0
        for export_id in export_ids:
            for stored in list(self.runs.all(where={"export": export_id, "status": "sending"})):
                run = self._transitions.stop_sending(stored.key, reason)
                count += run.status is RunStatus.FINISHING
                with following(run.trace):
                    self.queue.send(SEND_LANES, lane_message(run.id, 0))
        return count

    @property
    def _transitions(self) -> Transitions:
        return Transitions(self.runs, self.now)

    def _is_going(self, run_id: str) -> bool:
        stored = self.runs.read(run_id)
        return stored is not None and stored.value.is_active

    def _as_of_now(self, run: Run) -> Run:
        if run.is_over:
            return run  # as it was closed; its chunks may be cleared away by now
        chunks = [stored.value for stored in self.chunks.all(run.id)]
        return with_progress(run, chunks, self.now())

    def _all_sent(self, run_id: str) -> bool:
        chunks = (stored.value for stored in self.chunks.all(run_id))
        return all(chunk.state in (ChunkState.DONE, ChunkState.HELD) for chunk in chunks)

    def _held(self, run_id: str) -> Iterator[str]:
        for stored in self.chunks.all(run_id):
            if stored.value.state is ChunkState.HELD:
                yield stored.key

    def _release(self, key: str) -> None:
        def free(chunk: Chunk) -> Chunk | None:
            if chunk.state is not ChunkState.HELD:
                return None
            return replace(chunk, state=ChunkState.PENDING)

        update(self.chunks, key, free)


def _refuse_retry(run: Run) -> None:
    """Conflict when a run has no rows that failed, or they are not known (any more)."""
    counts = run.counts
    failed = counts.rejected + counts.not_sent + max(0, counts.left - counts.removed)
    stopped = run.status in (RunStatus.FAILED, RunStatus.CANCELED)
    if run.is_active:
        code, msg = "runGoing", "The run is still going."
    elif run.status is RunStatus.AWAITING_CONFIRMATION:
        code = "retryWaiting"
        msg = "The run waits for an answer: confirm it or cancel it first."
    elif run.mode is Mode.PREVIEW:
        code, msg = "retryPreview", "A preview sends nothing, so nothing failed. Run the export."
    elif run.undo_of is not None:
        code = "retryUndo"
        msg = "The run is an undo. Undo the same run again to take back what is left."
    elif not failed and not stopped:
        code = "retryNothing"
        msg = "Nothing of the run failed. Run the export to send what is new."
    elif run.cleared:
        code = "retryTooOld"
        msg = "Which rows failed is not kept any more. Run the export."
    else:
        return
    raise Conflict(msg, code=code)


def can_retry(run: Run) -> bool:
    """Whether anything of a run can be tried again."""
    try:
        _refuse_retry(run)
    except Conflict:
        return False
    return True
