"""Schedules: which scheduled moments exist, and whether one is due.

What is due depends on the last stored start, so ticks of the timer may come late, twice or not at all: a
missed moment runs once, at the next tick. Times are local. A time that is skipped in spring runs once, later
by the length of the change; a time that occurs twice in autumn runs only the first time.
https://learn.microsoft.com/dynamics365/customer-insights/data/schedule-refresh
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from shared.errors import ConfigError, Fault
from shared.model.export import Repeat, Schedule

# The key of the record of the refresh schedule.
REFRESH_SCHEDULE = "refresh"

DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
MOST_TIMES = 4

TIME_OF_DAY = "(?:[01][0-9]|2[0-3]):[0-5][0-9]"
"""A regular expression for a time of a schedule, such as 06:00."""

_TIME = re.compile(TIME_OF_DAY, re.ASCII)
_ZONE = re.compile(r"[A-Za-z][A-Za-z0-9_+\-]*(?:/[A-Za-z0-9_+\-]+){0,2}", re.ASCII)

# A weekly time recurs after 7 days; one more day on both sides covers every UTC offset, and another one a
# calendar day that a zone skipped.
_WEEK = 9


def due(schedule: Schedule, last_start: datetime, now: datetime) -> datetime | None:
    """The scheduled moment (UTC) to run for, or None.

    It is the newest moment after `last_start` and not after `now`: several missed moments make one run.
    `last_start` is when the schedule last started a run, or when it was set.
    """
    if not _runs_by_time(schedule):
        return None
    today = now.astimezone(zone(schedule.time_zone)).date()
    first = today - timedelta(days=_WEEK)
    passed = [moment for moment in _moments(schedule, first, _WEEK + 1) if moment <= now]
    newest = max(passed, default=None)
    return newest if newest is not None and newest > last_start else None


def next_run(schedule: Schedule, now: datetime) -> datetime | None:
    """The next scheduled moment (UTC) after `now`; None when the schedule is off."""
    if not _runs_by_time(schedule):
        return None
    yesterday = now.astimezone(zone(schedule.time_zone)).date() - timedelta(days=1)
    coming = _moments(schedule, yesterday, _WEEK + 1)
    return min((moment for moment in coming if moment > now), default=None)


def validate(schedule: Schedule) -> list[Fault]:
    """Everything wrong with a schedule, by field as the HTTP interface names it."""
    if schedule.repeat is Repeat.EVERY_REFRESH:
        return []
    faults = list(_time_faults(schedule.times))
    if schedule.repeat is Repeat.WEEKLY and not schedule.days:
        faults.append(Fault("days", code="daysRequired"))
    for position, day in enumerate(schedule.days):
        if day not in DAYS:
            faults.append(Fault(f"days[{position}]", code="dayUnknown"))
    if _zone(schedule.time_zone.strip()) is None:
        faults.append(Fault("timeZone", code="timeZoneUnknown"))
    return faults


def zone(name: str) -> ZoneInfo:
    """The time zone of an IANA name (`Asia/Seoul`) or a Windows name (`Korea Standard Time`).

    ConfigError (`timeZoneUnknown`) for another name.
    """
    found = _zone(name.strip())
    if found is None:
        raise ConfigError("timeZoneUnknown")
    return found


@cache
def _iana_names() -> dict[str, str]:
    """IANA zones by Windows names in lower case; of a zone in several countries, CLDR's territory "001".

    https://www.unicode.org/cldr/charts/latest/supplemental/zone_tzid.html
    """
    # Imported where it is used: most processes start without it.
    from babel.core import get_global

    windows = get_global("windows_zone_mapping")
    return {"gmt": "Etc/GMT", "z": "UTC", **{name.casefold(): windows[name] for name in windows}}


def _zone(name: str) -> ZoneInfo | None:
    iana = _iana_names().get(name.casefold(), name)
    # The name becomes a file name, so other characters are refused.
    if not _ZONE.fullmatch(iana):
        return None
    try:
        return ZoneInfo(iana)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None


def _runs_by_time(schedule: Schedule) -> bool:
    return schedule.enabled and schedule.repeat is not Repeat.EVERY_REFRESH


def _moments(schedule: Schedule, first: date, days: int) -> Iterator[datetime]:
    """Every scheduled moment (UTC) of local days; two equal times make two moments."""
    where = zone(schedule.time_zone)
    for count in range(days + 1):
        day = first + timedelta(days=count)
        if schedule.repeat is Repeat.WEEKLY and DAYS[day.weekday()] not in schedule.days:
            continue
        for text in schedule.times:
            local = datetime.combine(day, time.fromisoformat(text), where)
            # fold=0 is the first of two, and the offset before a gap (PEP 495).
            yield local.replace(fold=0).astimezone(UTC)


def _time_faults(times: tuple[str, ...]) -> Iterator[Fault]:
    if not times:
        yield Fault("times", code="timesRequired")
    if len(times) > MOST_TIMES:
        yield Fault("times", code="timesTooMany", values={"most": str(MOST_TIMES)})
    for position, text in enumerate(times):
        if not _TIME.fullmatch(text):
            yield Fault(f"times[{position}]", code="timeMalformed")
        elif text in times[:position]:
            yield Fault(f"times[{position}]", code="timeTwice")
