"""Starts a run, for the timer, HTTP requests and refresh events alike.

A run is recorded as queued and one message is sent. Two starts at the same time create one run: the
record of the export's newest run is written conditionally. It contains everything that is needed to
complete a start whose process was killed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from shared.errors import Changed, Conflict
from shared.messaging.trace import current
from shared.model.export import Export
from shared.model.finding import Reason
from shared.model.ids import run_id_at
from shared.model.ports import Queue, Records, create_or_replace
from shared.model.run import SUPERSEDED, Mode, Run, RunStatus, Trigger
from shared.runs.lookup import NewestRun, export_of
from shared.runs.run_messages import send_plan_message
from shared.runs.transitions import Transitions

# When a run is queued for longer than this, its message may be lost: the next start sends it again.
_QUEUE_PATIENCE = timedelta(seconds=60)


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
    confirmed_members: dict[str, int] = field(default_factory=dict)
    definition: str = ""


_NO_OPTIONS = RunOptions()


def _plans_the_same(waiting: Run, mode: Mode, options: RunOptions) -> bool:
    """Whether a new run plans the changes of one that waits, and so waits for the same confirmation.

    A retry plans only the rows that failed, so it replaces no run but a retry of the same run.
    """
    if not mode.sends_everyone or options.undo_of is not None:
        return False
    return options.retry_of in (None, waiting.retry_of)


class Starter:
    """Starts runs. `entropy` gives at least 9 random hexadecimal digits."""

    def __init__(
        self,
        exports: Records[Export],
        runs: Records[Run],
        newest: Records[NewestRun],
        queue: Queue,
        transitions: Transitions,
        entropy: Callable[[], str],
    ) -> None:
        self._exports = exports
        self._runs = runs
        self._transitions = transitions
        self._newest = newest
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

        A new run replaces one that waits for a confirmation if it plans the same changes. Otherwise the changes that wait
        would be forgotten, so it is refused with Conflict.
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
        if not is_new:
            raise Conflict("otherRunGoing")
        return run

    def refuse_detached(self, export_id: str) -> None:
        """Raise Conflict when an export has no connection, NotFound when it was removed."""
        if not export_of(self._exports, export_id).connection_id:
            raise Conflict("noConnection")

    def _start(
        self,
        export_id: str,
        trigger: Trigger,
        mode: Mode,
        requested_by: str,
        options: RunOptions,
        before_planning: Callable[[Run], None] | None = None,
    ) -> tuple[Run, bool]:
        """Return the active run, or start a new one; and whether it is new. Conflict as in `start`."""
        self.refuse_detached(export_id)
        while True:
            stored = self._newest.read(export_id)
            if stored is not None:
                active = self._active_run(stored.value, mode, options)
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
                later_is_complete=True,
                **vars(options),
            )
            try:
                create_or_replace(self._newest, export_id, NewestRun(run), stored)
            except Changed:
                continue  # another start won at the same moment: return its run
            return self._record(run, before_planning), True

    def _active_run(self, newest: NewestRun, mode: Mode, options: RunOptions) -> Run | None:
        """Return the newest run of an export if it is active. If its start was killed, complete the start.

        If the newest run waits for a confirmation, end it; Conflict when a run of this kind must not replace it.
        """
        stored = self._runs.read(newest.run.id)
        if stored is None:
            return self._record(newest.run)
        run = stored.value
        if run.status is RunStatus.AWAITING_CONFIRMATION:
            if not _plans_the_same(run, mode, options):
                raise Conflict("otherRunWaits")
            run = self._supersede(run)
        if not run.is_active:
            return None
        if run.status is RunStatus.QUEUED and self._is_late(run):
            send_plan_message(self._queue, run)
        return run

    def _is_late(self, run: Run) -> bool:
        # A time in the future counts as late, too: the clock of the process that queued it was wrong.
        since = run.continued_at
        return since is not None and abs(self._now() - since) > _QUEUE_PATIENCE

    def _record(self, run: Run, before_planning: Callable[[Run], None] | None = None) -> Run:
        # Two starters may complete the same start; the record is the same.
        if earlier := run.undo_of or run.retry_of:
            # Before the run is created, because a start that is killed in between is completed later.
            self._transitions.add_later(earlier, run.id)
        run = self._transitions.create(run)
        if before_planning is not None:
            before_planning(run)
        send_plan_message(self._queue, run)
        return run

    def _supersede(self, run: Run) -> Run:
        """End a run that waits for a confirmation. Returns it as it is then: someone may have confirmed it meanwhile."""
        return self._transitions.close_waiting(
            run.id, RunStatus.COMPLETED_WITH_WARNINGS, Reason(SUPERSEDED)
        )
