"""The fields of a schedule in a form."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from babel.dates import format_date
from fastapi.exceptions import RequestValidationError

from shared.errors import ConfigError
from shared.model.export import Schedule
from shared.scheduling.schedule import MOST_TIMES, next_run, zone
from shared.web.models.schedules import ScheduleBody
from shared.web.pages.forms import Form

_SHOWN_RUNS = 3


def schedule_fields(form: Form) -> dict[str, Any]:
    """The fields of a schedule as the JSON API names them; empty times are omitted."""
    times = [form.get(f"time-{number}") for number in range(MOST_TIMES)]
    return {
        "enabled": form.has("scheduleOn"),
        "repeat": form.get("repeat") or "everyRefresh",
        "days": form.all("day"),
        "times": [time for time in times if time],
        "timeZone": form.get("timeZone") or "UTC",
    }


def schedule_of(fields: dict[str, Any]) -> Schedule | None:
    """The schedule of a form, or None while it is not valid."""
    try:
        return ScheduleBody.from_form(fields).value()
    except RequestValidationError:
        return None


def coming_runs(schedule: Schedule | None, now: datetime, language: str) -> list[str]:
    """The next three runs of a schedule with times, in words and in its own time zone."""
    found: list[str] = []
    moment: datetime | None = now
    while schedule and moment and len(found) < _SHOWN_RUNS:
        try:
            moment = next_run(schedule, moment)
        except ConfigError:
            return []
        if moment:
            local = moment.astimezone(zone(schedule.time_zone))
            day = format_date(local.date(), "full", locale=language)
            found.append(f"{day}, {local:%H:%M}")
    return found
