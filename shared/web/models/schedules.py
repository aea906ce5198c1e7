"""Schedules as JSON."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from shared.model.export import Repeat, Schedule
from shared.scheduling.schedule import TIME_OF_DAY
from shared.web.models.base import Body, Choice, Items, Label, View, one_of
from shared.web.models.partial_body import PartialBody

Day = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
_DailyOrWeekly = Literal["daily", "weekly"]

_Clock = Annotated[
    Label,
    Field(
        description="HH:MM",
        examples=["06:00"],
        json_schema_extra={"pattern": f"^{TIME_OF_DAY}$"},
    ),
]


class ScheduleBody(Body):
    """The schedule of an export; times are local to `timeZone`, `HH:MM`."""

    enabled: bool = True
    repeat: Choice[Repeat] = Repeat.EVERY_REFRESH
    days: Items[Day] = Field(default=(), max_length=7)
    times: Items[_Clock] = Field(default=(), max_length=4)
    time_zone: Annotated[Label, Field(examples=["Asia/Seoul"])] = "UTC"

    def value(self) -> Schedule:
        """The plain value."""
        return Schedule(self.enabled, self.repeat, self.days, self.times, self.time_zone)


# What stands for a value of a schedule that could not be read (partial_body.py).
SCHEDULE_PLACEHOLDERS: dict[str, Any] = {
    "enabled": False,
    "repeat": "daily",
    "days[]": "monday",
    "times": ["00:00"],
    "times[]": "…",
    "timeZone": "UTC",
}


class RefreshScheduleBody(PartialBody):
    """The refresh schedule: when the exports run that run with every refresh."""

    placeholders = SCHEDULE_PLACEHOLDERS

    enabled: bool
    repeat: _DailyOrWeekly
    days: Items[Day] = Field(default=(), max_length=7)
    # The check of the schedule says in its own words that a time is missing.
    times: Items[_Clock] = Field(max_length=4, json_schema_extra={"minItems": 1})
    time_zone: Annotated[Label, Field(examples=["Asia/Seoul"])]

    def value(self) -> Schedule:
        """The plain value."""
        return Schedule(self.enabled, Repeat(self.repeat), self.days, self.times, self.time_zone)


class ScheduleView(View):
    """A schedule in a response."""

    enabled: bool
    repeat: Repeat
    days: tuple[Annotated[str, one_of(Day)], ...]
    times: tuple[str, ...]
    time_zone: str


class RefreshScheduleView(ScheduleView):
    """The refresh schedule in a response."""

    repeat: Annotated[Repeat, one_of(_DailyOrWeekly)]
