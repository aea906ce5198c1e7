"""The refresh schedule: when to start the exports that run with every refresh."""

from __future__ import annotations

from shared.errors import Changed, ConfigError, without_unread
from shared.model.export import Repeat, Schedule
from shared.model.ports import Stored
from shared.scheduling.schedule import REFRESH_SCHEDULE, validate
from shared.web.application import audit
from shared.web.application.etags import refuse_changed
from shared.web.context import Context
from shared.web.models.schedules import RefreshScheduleBody, ScheduleView

# The schedule before someone has set it: off, as in Customer Insights.
_DEFAULT = Schedule(enabled=False, repeat=Repeat.DAILY, times=("06:00",), time_zone="UTC")
_NEVER_SET = "never-set"
_CHANGED = "scheduleChanged"


def read(context: Context) -> Stored[Schedule]:
    """The refresh schedule."""
    return context.services.schedule_records.read(REFRESH_SCHEDULE) or Stored(
        REFRESH_SCHEDULE, _DEFAULT, _NEVER_SET
    )


def is_set(stored: Stored[Schedule]) -> bool:
    """Whether someone has set the refresh schedule."""
    return stored.etag != _NEVER_SET


def change(
    context: Context, body: RefreshScheduleBody, if_match: str | None = None
) -> Stored[Schedule]:
    """Set the refresh schedule. ConfigError with every fault, Changed."""
    schedule = body.value()
    faults = [*body.faults, *without_unread(validate(schedule), body.unread)]
    if faults:
        raise ConfigError("scheduleFaults", faults=faults)
    before = read(context)
    etag = refuse_changed(if_match, before.etag, _CHANGED)
    stored = _write(context, schedule, before, exactly=etag is not None)
    old, new = ScheduleView.of(before.value).shown(), ScheduleView.of(schedule).shown()
    audit.record(context, "schedule.update", REFRESH_SCHEDULE, before=old, after=new)
    return stored


def _write(
    context: Context, schedule: Schedule, before: Stored[Schedule], *, exactly: bool
) -> Stored[Schedule]:
    """Replace the schedule that was read; unless `exactly`, also one that was written since."""
    records = context.services.schedule_records
    for _ in range(5):
        try:
            if is_set(before):
                return records.replace(REFRESH_SCHEDULE, schedule, before.etag)
            return records.create(REFRESH_SCHEDULE, schedule)
        except (Changed, ConfigError):  # a Conflict when another caller created it first
            if exactly:
                break
        before = read(context)
    raise Changed(_CHANGED)
