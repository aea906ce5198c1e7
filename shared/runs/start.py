"""Start a run: timer, HTTP and refresh event all do this one thing.

A run is recorded as queued and one message is put. Starting twice never makes two runs: the
export's *active* record holds the id of the run that is going, is taken by a conditional write,
and carries all that is needed to complete a start that died half-way.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from shared.errors import Changed, Conflict, NotFound
from shared.messaging.messages import plan_message
from shared.messaging.trace import current, following
from shared.model.export import Export
from shared.model.names import PLAN_RUNS
from shared.model.ports import Queue, Records, Stored
from shared.model.run import Mode, Reason, Run, RunStatus, Trigger
from shared.runs.transitions import Transitions

__all__ = ["ActiveRun", "Starter", "export_of", "moment_of", "run_id_at"]

# A queued run whose message may have been lost is put again by the next start or tick.
QUEUE_PATIENCE = timedelta(seconds=60)
_LAST_MOMENT = 0xFFFFFFFFFFF  # 11 hexadecimal digits of milliseconds: past the year 2500


@dataclass(frozen=True)
class ActiveRun:
    """The newest run of an export, as it was when it was started."""

    run: Run


def run_id_at(moment: datetime, entropy: str) -> str:
    """An id that sorts newest first: what is left of all time in milliseconds, and chance."""
    left = _LAST_MOMENT - int(moment.timestamp() * 1000)
    return f"{left:011x}{entropy[:9]}"


def moment_of(run_id: str) -> datetime:
    """When a run was started, by its id."""
    milliseconds = _LAST_MOMENT - int(run_id[:11], 16)
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


def export_of(exports: Records[Export], export_id: str) -> Export:
    """The export with this id. NotFound when there is none."""
    stored = exports.read(export_id)
    if stored is None:
        msg = "There is no such export."
        raise NotFound(msg, code="exportNotFound")
    return stored.value


class Starter:
    """Starts runs. `now` gives aware UTC times, `entropy` at least 9 hexadecimal digits."""

    def __init__(
        self,
        exports: Records[Export],
        runs: Records[Run],
        active: Records[ActiveRun],
        queue: Queue,
        now: Callable[[], datetime],
        entropy: Callable[[], str],
    ) -> None:
        self._exports = exports
        self._runs = runs
        self._transitions = Transitions(runs, now)
        self._active = active
        self._queue = queue
        self._now = now
        self._entropy = entropy

    def start(
        self,
        export_id: str,
        trigger: Trigger = Trigger.ON_DEMAND,
        mode: Mode = Mode.EXPORT,
        requested_by: str = "",
        retry_of: str | None = None,
        undo_of: str | None = None,
        archive_created: bool = False,
        undone_at: datetime | None = None,
    ) -> Run:
        """The run that is going, or a new one. Conflict when the export has no connection."""
        export = export_of(self._exports, export_id)
        if not export.connection_id:
            msg = "The export has no connection. Choose one before it can run."
            raise Conflict(msg, code="noConnection")
        while True:
            taken = self._active.read(export_id)
            if taken is not None:
                going = self._still_going(taken)
                if going is not None:
                    return going
            now = self._now()
            trace = current()
            run = Run(
                id=run_id_at(now, self._entropy()),
                export_id=export_id,
                trigger=trigger,
                mode=mode,
                requested_by=requested_by,
                queued_at=now,
                moved_at=now,
                retry_of=retry_of,
                undo_of=undo_of,
                archive_created=archive_created,
                undone_at=undone_at,
                trace=trace.parent if trace else "",
            )
            try:
                if taken is None:
                    self._active.create(export_id, ActiveRun(run))
                else:
                    self._active.replace(export_id, ActiveRun(run), taken.etag)
            except (Conflict, Changed):
                continue  # someone else started in the same moment: theirs is the run
            return self._record(run)

    def _still_going(self, taken: Stored[ActiveRun]) -> Run | None:
        """The active run while it is going; a start that died before its record is completed."""
        stored = self._runs.read(taken.value.run.id)
        if stored is None:
            return self._record(taken.value.run)
        run = stored.value
        if run.status is RunStatus.AWAITING_CONFIRMATION:
            self._supersede(run)
            return None
        if not run.is_active:
            return None
        if run.status is RunStatus.QUEUED and self._is_late(run):
            self._send(run)
        return run

    def _is_late(self, run: Run) -> bool:
        # In the future, too: then a clock that was wrong has queued it.
        return run.queued_at is not None and abs(self._now() - run.queued_at) > QUEUE_PATIENCE

    def _record(self, run: Run) -> Run:
        # Two starters may complete the same half-done start; the record is the same.
        run = self._transitions.create(run)
        self._send(run)
        return run

    def _send(self, run: Run) -> None:
        with following(run.trace):
            self._queue.send(PLAN_RUNS, plan_message(run.id))

    def _supersede(self, run: Run) -> None:
        """Close a run that still waits for a yes: the new run plans these removals again."""
        reason = Reason(
            "superseded",
            "A newer run was started before the removals were confirmed; it plans them again.",
        )
        self._transitions.close_waiting(run.id, RunStatus.COMPLETED_WITH_WARNINGS, reason)
