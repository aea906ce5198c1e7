"""The refresh schedule over HTTP: when the exports run that run with every refresh."""

from __future__ import annotations

from shared.errors import Changed, ConfigError
from shared.model.export import Repeat, Schedule
from shared.model.ports import Stored
from shared.scheduling.schedule import validate
from shared.web.api.answers import shown
from shared.web.call import Call
from shared.web.http import Response
from shared.web.models.schedules import RefreshScheduleBody, ScheduleView, schedule_view
from shared.web.principal import Role
from shared.web.routes import Route

__all__ = ["DEFAULT", "KEY", "ROUTES"]

KEY = "refresh"

# What is so before anybody has set it: off, as in the source product.
DEFAULT = Schedule(enabled=False, repeat=Repeat.DAILY, times=("06:00",), time_zone="UTC")
_NEVER_SET = "never-set"


def _stored(call: Call) -> Stored[Schedule]:
    return call.desk.schedule.read(KEY) or Stored(KEY, DEFAULT, _NEVER_SET)


def read(call: Call) -> Response:
    """The refresh schedule."""
    stored = _stored(call)
    return shown(schedule_view(stored.value), call, stored.etag)


def change(call: Call) -> Response:
    """Set the refresh schedule."""
    schedule = call.body(RefreshScheduleBody).value()
    faults = validate(schedule)
    if faults:
        message = "The schedule has faults."
        raise ConfigError(message, code="scheduleFaults", faults=faults)
    before = _stored(call)
    if_match = call.matched(before.etag)
    stored = _write(call, schedule, before, if_match is not None)
    call.audit(
        "schedule.update",
        KEY,
        "",
        schedule_view(before.value).shown(),
        schedule_view(schedule).shown(),
    )
    return shown(schedule_view(stored.value), call, stored.etag)


def _write(
    call: Call, schedule: Schedule, before: Stored[Schedule], exactly: bool
) -> Stored[Schedule]:
    """Write over what was read; without If-Match, over whatever somebody wrote meanwhile."""
    records = call.desk.schedule
    for _ in range(5):
        try:
            if before.etag == _NEVER_SET:
                return records.create(KEY, schedule)
            return records.replace(KEY, schedule, before.etag)
        except ConfigError:
            if exactly:
                break
        except Changed:
            if exactly:
                raise
        before = _stored(call)
    message = "The schedule was changed by someone else meanwhile."
    raise Changed(message, code="scheduleChanged")


_PATH = "/api/schedule"

ROUTES = (
    Route(
        "GET", _PATH, Role.VIEWER, read, "Read the refresh schedule", gives=ScheduleView, etag=True
    ),
    Route(
        "PUT",
        _PATH,
        Role.ADMINISTRATOR,
        change,
        "Set the refresh schedule",
        takes=RefreshScheduleBody,
        gives=ScheduleView,
        etag=True,
    ),
)
