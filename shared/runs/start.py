"""Starts a run, for the timer, HTTP requests and refresh events alike.

A run is recorded as queued and one message is sent. Two starts at the same time create one run: the
export's active run record is written conditionally. It contains everything that is needed to
complete a start whose process was killed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from shared.errors import Changed, Conflict, NotFound
from shared.messaging.messages import plan_message
from shared.messaging.trace import continue_trace, current
from shared.model.export import Export
from shared.model.names import PLAN_RUNS
from shared.model.ports import Queue, Records, Stored, create_or_replace
from shared.model.run import Mode, Reason, Run, RunStatus, Trigger
from shared.runs.transitions import Transitions

# When a run is queued for longer than this, its message may be lost: the next start sends it again.
QUEUE_PATIENCE = timedelta(seconds=60)
_LAST_MOMENT = 0xFFFFFFFFFFF  # 11 hexadecimal digits of milliseconds: past the year 2500


@dataclass(frozen=True)
class ActiveRun:
    """The newest run of an export, as it was at its start."""

    run: Run


def run_id_at(moment: datetime, entropy: str) -> str:
    """Return an id that sorts newest first: the milliseconds left until a fixed end, and random digits."""
    left = _LAST_MOMENT - int(moment.timestamp() * 1000)
    return f"{left:011x}{entropy[:9]}"


def moment_of(run_id: str) -> datetime:
    """When a run was started, read from its id."""
    milliseconds = _LAST_MOMENT - int(run_id[:11], 16)
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


def export_of(exports: Records[Export], export_id: str) -> Export:
    """Return the export with this id. NotFound when it does not exist."""
    stored = exports.read(export_id)
    if stored is None:
        raise NotFound("exportNotFound")
    return stored.value


def newest_run(active: Records[ActiveRun], runs: Records[Run], export_id: str) -> Run | None:
    """The newest run of an export; None without one, and while its start is not complete."""
    newest = active.read(export_id)
    stored = runs.read(newest.value.run.id) if newest else None
    return stored.value if stored else None


@dataclass(frozen=True)
class RunOptions:
    """What a run does beyond its mode. The fields are copied to those of `Run` with the same names."""

    retry_of: str | None = None
    undo_of: str | None = None
    undone_at: datetime | None = None
    archive_created: bool = False
    agreed: int = 0
    confirmed: tuple[str, ...] = ()
    confirmed_new: int = 0
    definition: str = ""


_NO_OPTIONS = RunOptions()


class Starter:
    """Starts runs. `entropy` gives at least 9 random hexadecimal digits."""

    def __init__(
        self,
        exports: Records[Export],
        runs: Records[Run],
        active: Records[ActiveRun],
        queue: Queue,
        transitions: Transitions,
        entropy: Callable[[], str],
    ) -> None:
        self._exports = exports
        self._runs = runs
        self._transitions = transitions
        self._active = active
        self._queue = queue
        self._now = transitions.now
        self._entropy = entropy

    def start(
        self,
        export_id: str,
        trigger: Trigger = Trigger.ON_DEMAND,
        mode: Mode = Mode.EXPORT,
        requested_by: str = "",
        options: RunOptions = _NO_OPTIONS,
    ) -> Run:
        """Return the active run, or start a new one. Conflict when the export has no connection.

        A new run replaces one that waits for a confirmation.
        """
        run, _ = self._start(export_id, trigger, mode, requested_by, options)
        return run

    def start_partial(
        self,
        export_id: str,
        mode: Mode,
        requested_by: str,
        options: RunOptions = _NO_OPTIONS,
        before_planning: Callable[[Run], None] | None = None,
    ) -> Run:
        """Start a run of one person, or one that archives. Conflict while another run is active or waits.

        `before_planning` is called before the first message of the run is sent.
        """
        run, is_new = self._start(
            export_id, Trigger.ON_DEMAND, mode, requested_by, options, before_planning
        )
        if is_new:
            return run
        waits = run.status is RunStatus.AWAITING_CONFIRMATION
        raise Conflict("otherRunWaits") if waits else Conflict("otherRunGoing")

    def _start(
        self,
        export_id: str,
        trigger: Trigger,
        mode: Mode,
        requested_by: str,
        options: RunOptions,
        before_planning: Callable[[Run], None] | None = None,
    ) -> tuple[Run, bool]:
        """Return the active run, or start a new one; and whether it is new."""
        export = export_of(self._exports, export_id)
        if not export.connection_id:
            raise Conflict("noConnection")
        while True:
            taken = self._active.read(export_id)
            if taken is not None:
                # A run of one person, or of contacts to archive, must not discard a run that waits.
                active = self._active_run(taken, replaces=not mode.is_partial)
                if active is not None:
                    return active, False
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
                trace=trace.parent if trace else "",
                **vars(options),
            )
            try:
                create_or_replace(self._active, export_id, ActiveRun(run), taken)
            except Changed:
                continue  # another start won at the same moment: return its run
            return self._record(run, before_planning), True

    def _active_run(self, taken: Stored[ActiveRun], *, replaces: bool) -> Run | None:
        """Return the run of an active run record while it is active. Completes a start that was killed."""
        stored = self._runs.read(taken.value.run.id)
        if stored is None:
            return self._record(taken.value.run)
        run = stored.value
        if run.status is RunStatus.AWAITING_CONFIRMATION:
            if not replaces:
                return run
            self._supersede(run)
            return None
        if not run.is_active:
            return None
        if run.status is RunStatus.QUEUED and self._is_late(run):
            self._send(run)
        return run

    def _is_late(self, run: Run) -> bool:
        # A time in the future counts as late, too: the clock of the process that queued it was wrong.
        return run.queued_at is not None and abs(self._now() - run.queued_at) > QUEUE_PATIENCE

    def _record(self, run: Run, before_planning: Callable[[Run], None] | None = None) -> Run:
        # Two starters may complete the same start; the record is the same.
        run = self._transitions.create(run)
        if before_planning is not None:
            before_planning(run)
        self._send(run)
        return run

    def _send(self, run: Run) -> None:
        with continue_trace(run.trace):
            self._queue.send(PLAN_RUNS, plan_message(run.id))

    def _supersede(self, run: Run) -> None:
        """End a run that waits for a confirmation: the new run plans the same removals again."""
        self._transitions.close_waiting(
            run.id, RunStatus.COMPLETED_WITH_WARNINGS, Reason("superseded")
        )
