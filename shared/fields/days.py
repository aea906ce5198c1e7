"""Dates as people write them: ISO, American, German, East Asian, with or without a time.

The day is taken as it is written; a time zone never moves it, because nobody's birthday changes
with the server's. 8/1/1974 is 1 August, as Americans write, unless only day first is possible;
08-01-1974, which half the world reads one way and half the other, is no date unless only one
reading is possible. Two digits for the year are not enough.
"""

from __future__ import annotations

import datetime
import re

__all__ = ["day_of", "month_and_day_of"]

_TIME = r"(?:(?:T|,? {1,9})\d{1,2}:\d{2}(?::\d{2}(?:[.,]\d{1,9})?)?(?: ?[APap]\.?[Mm]\.?)?(?: ?(?:Z|UTC|GMT|[+-]\d{2}:?(?:\d{2})?))?)?"
_YEAR_FIRST = re.compile(r"(\d{4})([-/.])(\d{1,2})\2(\d{1,2})" + _TIME, re.ASCII)
_COMPACT = re.compile(r"(\d{4})(\d{2})(\d{2})(?:T\d{4,6}(?:[.,]\d+)?Z?)?", re.ASCII)
_SLASHES = re.compile(r"(\d{1,2})([/-])(\d{1,2})\2(\d{4})" + _TIME, re.ASCII)
_DOTS = re.compile(r"(\d{1,2})\. ?(\d{1,2})\. ?(\d{4})" + _TIME, re.ASCII)
_EAST = re.compile(
    r"(\d{4})(?:\. ?|[년年] ?)(\d{1,2})(?:\. ?|[월月] ?)(\d{1,2})(?:\.?|[일日]?)", re.ASCII
)
_NO_YEAR = re.compile(r"(?:--)?(\d{1,2})[-/](\d{1,2})", re.ASCII)
_NO_YEAR_DOTS = re.compile(r"(\d{1,2})\. ?(\d{1,2})\.", re.ASCII)


def day_of(text: str) -> datetime.date | None:
    """The day a text names, or None."""
    if found := _YEAR_FIRST.fullmatch(text):
        return _date(found[1], found[3], found[4])
    if found := _SLASHES.fullmatch(text):
        month_first = _date(found[4], found[1], found[3])
        day_first = _date(found[4], found[3], found[1])
        if found[2] == "-" and month_first and day_first and month_first != day_first:
            return None
        return month_first or day_first
    if found := _DOTS.fullmatch(text):
        return _date(found[3], found[2], found[1])
    if found := (_COMPACT.fullmatch(text) or _EAST.fullmatch(text)):
        return _date(found[1], found[2], found[3])
    return None


def month_and_day_of(text: str) -> tuple[int, int] | None:
    """The month and day of a birthday, with or without its year, or None."""
    day = day_of(text)
    if day is None:
        # A leap year, because 29 February is a birthday too.
        if found := _NO_YEAR.fullmatch(text):
            day = _date("2000", found[1], found[2]) or _date("2000", found[2], found[1])
        elif found := _NO_YEAR_DOTS.fullmatch(text):
            day = _date("2000", found[2], found[1])
    return (day.month, day.day) if day else None


def _date(year: str, month: str, day: str) -> datetime.date | None:
    if not 1000 <= int(year) <= 9999:
        return None
    try:
        return datetime.date(int(year), int(month), int(day))
    except ValueError:
        return None
