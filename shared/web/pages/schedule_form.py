"""The fields of a schedule in a form."""

from __future__ import annotations

from typing import Any

from shared.web.pages.forms import Form

__all__ = ["schedule_fields"]

_MOST_TIMES = 4


def schedule_fields(form: Form) -> dict[str, Any]:
    """The fields of a schedule as the JSON API names them; empty times are omitted."""
    times = [form.get(f"time-{number}") for number in range(_MOST_TIMES)]
    return {
        "enabled": form.has("scheduleOn"),
        "repeat": form.get("repeat") or "everyRefresh",
        "days": form.all("day"),
        "times": [time for time in times if time],
        "timeZone": form.get("timeZone") or "UTC",
    }
