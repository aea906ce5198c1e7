"""When something runs by itself, as JSON."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from shared.model.export import Repeat, Schedule
from shared.web.models.base import Body, Label, View

__all__ = ["Day", "RefreshScheduleBody", "ScheduleBody", "ScheduleView", "schedule_view"]

Day = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]


class ScheduleBody(Body):
    """The schedule of an export; times are local to `timeZone`, `HH:MM`."""

    enabled: bool = True
    repeat: Repeat = Repeat.EVERY_REFRESH
    days: tuple[Day, ...] = Field(default=(), max_length=7)
    times: tuple[Label, ...] = Field(default=(), max_length=4)
    time_zone: Label = "UTC"

    def value(self) -> Schedule:
        """The plain value."""
        return Schedule(self.enabled, self.repeat, self.days, self.times, self.time_zone)


class RefreshScheduleBody(Body):
    """The schedule of the refresh: all exports that run with every refresh."""

    enabled: bool
    repeat: Literal["daily", "weekly"]
    days: tuple[Day, ...] = Field(default=(), max_length=7)
    times: tuple[Label, ...] = Field(min_length=1, max_length=4)
    time_zone: Label

    def value(self) -> Schedule:
        """The plain value."""
        return Schedule(self.enabled, Repeat(self.repeat), self.days, self.times, self.time_zone)


class ScheduleView(View):
    """A schedule as it is answered."""

    enabled: bool
    repeat: Repeat
    days: tuple[str, ...]
    times: tuple[str, ...]
    time_zone: str


def schedule_view(schedule: Schedule) -> ScheduleView:
    """The JSON form of a schedule."""
    return ScheduleView.model_validate(schedule)
