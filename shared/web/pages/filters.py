"""The filters of a list, as its address has them."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import Annotated
from zoneinfo import ZoneInfo

from fastapi import Query

Word = Annotated[str, Query(max_length=100)]


def day_range(
    since: str, until: str, zone: ZoneInfo
) -> tuple[datetime | None, datetime | None, dict[str, str]]:
    """Two days, both included, as the times from which and before which to search.

    Also returns the days for the form. A day that is empty or invalid is ignored.
    """
    first, last = _day_start(since, zone), _day_start(until, zone)
    days = {"since": since if first else "", "until": until if last else ""}
    if last:
        last = last + timedelta(days=1) if last.date() < date.max else None
    return first, last, days


def _day_start(value: str, zone: ZoneInfo) -> datetime | None:
    try:
        return datetime.combine(date.fromisoformat(value), time(), zone)
    except ValueError:
        return None
