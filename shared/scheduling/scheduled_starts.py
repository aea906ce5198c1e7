"""Starts exports whose own schedule, or the refresh schedule, is due.

An export that runs with every refresh follows the refresh schedule; one with a daily or weekly
schedule follows its own. What is due depends on the stored last start, so ticks may come late,
twice or not at all: a start is claimed by a conditional write before it is made, and the next tick checks the
claim of a tick that died. Several missed moments make one run.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from shared.errors import Changed, ConnectorError
from shared.messaging.events import log_event
from shared.model.export import Export, Repeat, Schedule
from shared.model.ids import run_id_at
from shared.model.ports import Records, Stored, create_or_replace, readable
from shared.model.run import Mode, Run, RunStatus, Trigger
from shared.runs.lookup import NewestRun, newest_run, newest_run_id, was_started_after
from shared.runs.start import Starter
from shared.scheduling.schedule import due

_OFF = Schedule(enabled=False)
_TICK = "tick"
_BEGINNING = datetime(2000, 1, 1, tzinfo=UTC)

# A tick needs far less for one export; after this time its claim is checked.
_CLAIMED = timedelta(minutes=2)
# A run that was started in time is late after this time.
_GRACE = timedelta(minutes=10)
# The clocks of two instances differ by less. A time that is further ahead was written by a clock
# that was wrong, and must not delay all exports until then.
_AHEAD = timedelta(hours=1)


@dataclass(frozen=True)
class ScheduleState:
    """The state of an export's schedule. Times are in UTC.

    `since` is the scheduled moment that was started last, or when the schedule was set
    (`set_at`). `claimed` is the moment that is being started since `claimed_at`, after the run `newest_before` (None in
    records of earlier versions); `overdue_checked` the moment of the
    last check whether the export is overdue.
    """

    schedule: Schedule
    since: datetime
    set_at: datetime
    claimed: datetime | None = None
    claimed_at: datetime | None = None
    newest_before: str | None = None
    overdue_checked: datetime | None = None


@dataclass(frozen=True)
class Tick:
    """The time of the last tick."""

    at: datetime


def _effective(export: Export, refresh: Schedule | None) -> Schedule:
    """The schedule that starts an export by time; a schedule that is off if nothing starts it."""
    own = export.schedule
    if not own.enabled or not export.connection_id:
        return _OFF
    if own.repeat is not Repeat.EVERY_REFRESH:
        return own
    return refresh if refresh is not None and refresh.enabled else _OFF


@dataclass(frozen=True)
class ScheduledStarts:
    """Starts what is due. `refresh_schedule` returns the refresh schedule, None when it was never set."""

    exports: Records[Export]
    states: Records[ScheduleState]
    ticks: Records[Tick]
    runs: Records[Run]
    newest: Records[NewestRun]
    starter: Starter
    refresh_schedule: Callable[[], Schedule | None]
    now: Callable[[], datetime]

    def start_due(self) -> int:
        """Start every export that is due; returns their number. A failure does not affect the others."""
        begun = self.now()
        before = self.ticks.read(_TICK)
        refresh = self.refresh_schedule()
        count = 0
        for stored in readable(self.exports.all()):
            export = stored.value
            schedule = _effective(export, refresh)
            try:
                count += self._start_pending(export, schedule)
                record = self._record(export, schedule, before.value.at if before else None)
                if record is None:
                    continue
                record, started = self._start(export, record)
                count += started
                self._log_overdue(export, record)
            except Changed:
                continue  # another tick starts it
            except ConnectorError as error:
                log_event("export.notStarted", exportId=export.id, reason=error.code)
        self._remember(before, begun)
        return count

    def _record(
        self, export: Export, schedule: Schedule, ticked_at: datetime | None
    ) -> Stored[ScheduleState] | None:
        """The record of the current schedule; None when nothing can be due."""
        stored = self._current(export.id)
        if stored is not None and stored.value.schedule == schedule:
            return stored if schedule.enabled else None
        if stored is None and not schedule.enabled:
            return None
        # The schedule was changed: it counts from the time of the change, at the earliest
        # from the last tick, which still knew the old one.
        times = [t for t in (export.updated_at, export.created_at, ticked_at) if t is not None]
        since = min(max(times, default=self.now()), self.now())
        written = create_or_replace(
            self.states, export.id, ScheduleState(schedule, since, since), stored
        )
        return written if schedule.enabled else None

    def _current(self, export_id: str) -> Stored[ScheduleState] | None:
        """The record as it is, without times that only a wrong clock can have written."""
        stored = self.states.read(export_id)
        if stored is None:
            return None
        state, now = stored.value, self.now()
        latest = now + _AHEAD
        corrected = replace(
            state,
            since=state.since if state.since <= latest else now,
            set_at=state.set_at if state.set_at <= latest else now,
        )
        if state.claimed_at is not None and state.claimed_at > latest:
            corrected = replace(corrected, claimed=None, claimed_at=None)
        if corrected == state:
            return stored
        return self.states.replace(export_id, corrected, stored.etag)

    def _start_pending(self, export: Export, schedule: Schedule) -> int:
        """Start what was due when the schedule was changed and is still part of it.

        Without this, adding a time between a scheduled moment and its tick would lose the run of that moment.
        """
        stored = self._current(export.id)
        if stored is None or not schedule.enabled or stored.value.schedule == schedule:
            return 0
        state = stored.value
        changed = min(export.updated_at or self.now(), self.now())
        moment = due(state.schedule, state.since, changed)
        if moment is None or due(schedule, moment - timedelta(seconds=1), moment) != moment:
            return 0
        _, started = self._start(export, stored)
        return started

    def _start(
        self, export: Export, stored: Stored[ScheduleState]
    ) -> tuple[Stored[ScheduleState], int]:
        stored = self._recover_claim(stored)
        state, now = stored.value, self.now()
        moment = due(state.schedule, state.since, now)
        if moment is None or state.claimed is not None or self._has_to_wait(export.id):
            return stored, 0
        earlier = newest_run_id(self.newest, export.id)
        claimed = replace(state, claimed=moment, claimed_at=now, newest_before=earlier)
        stored = self.states.replace(export.id, claimed, stored.etag)
        run = self.starter.start(export.id, Trigger.SCHEDULE, Mode.EXPORT)
        if not run.sends_all_changes:  # another run began after the check
            return self._free(stored), 0
        return self._done(stored), 1

    def _has_to_wait(self, export_id: str) -> bool:
        """Whether a preview, an undo, a retry or a run of one person is active: a start would only return it."""
        run = newest_run(self.newest, self.runs, export_id)
        return run is not None and run.is_active and not run.sends_all_changes

    def _recover_claim(self, stored: Stored[ScheduleState]) -> Stored[ScheduleState]:
        """Finish, or free, the claim of a tick that died."""
        state = stored.value
        if state.claimed_at is None or self.now() - state.claimed_at < _CLAIMED:
            return stored
        is_started = was_started_after(
            self.newest, stored.key, state.newest_before, state.claimed_at
        )
        return self._done(stored) if is_started else self._free(stored)

    def _free(self, stored: Stored[ScheduleState]) -> Stored[ScheduleState]:
        """Give up a claim, so that a later tick starts the run."""
        free = replace(stored.value, claimed=None, claimed_at=None)
        return self.states.replace(stored.key, free, stored.etag)

    def _done(self, stored: Stored[ScheduleState]) -> Stored[ScheduleState]:
        state = stored.value
        done = replace(state, since=state.claimed or state.since, claimed=None, claimed_at=None)
        return self.states.replace(stored.key, done, stored.etag)

    def _log_overdue(self, export: Export, stored: Stored[ScheduleState]) -> None:
        """Log once per period that two periods have passed without a successful run."""
        state, now = stored.value, self.now()
        last = due(state.schedule, _BEGINNING, now)
        if last is None or last == state.overdue_checked or now - last < _GRACE:
            return
        before = due(state.schedule, _BEGINNING, last - timedelta(seconds=1))
        if before is None or before < state.set_at:
            return
        for run in self._runs_since(export.id, before):
            if run.is_active:
                return
            if _is_success(run):
                break
        else:
            log_event(
                "export.overdue",
                exportId=export.id,
                repeat=state.schedule.repeat,
                hours=round((now - before).total_seconds() / 3600, 1),
            )
        self.states.replace(stored.key, replace(state, overdue_checked=last), stored.etag)

    def _runs_since(self, export_id: str, moment: datetime) -> list[Run]:
        """The runs of an export that were queued or confirmed at or after a moment."""
        where, oldest = {"export": export_id}, run_id_at(moment, "~")
        runs = [stored.value for stored in readable(self.runs.all(where=where, last=oldest))]
        # A run that was confirmed may have begun earlier.
        newest = newest_run(self.newest, self.runs, export_id)
        if newest is not None and newest.continued_at and newest.continued_at >= moment:
            runs.append(newest)
        return runs

    def _remember(self, before: Stored[Tick] | None, at: datetime) -> None:
        if before is None or before.value.at < at or before.value.at > at + _AHEAD:
            with suppress(Changed):
                create_or_replace(self.ticks, _TICK, Tick(at), before)


def _is_success(run: Run) -> bool:
    if not run.covers_export:
        return False
    if run.status is RunStatus.SKIPPED:
        return run.reason is not None and run.reason.code == "noNewData"
    return run.status.is_completed or run.status is RunStatus.AWAITING_CONFIRMATION
