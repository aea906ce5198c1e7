"""Reads dates as people write them: ISO 8601, with slashes, dots or names of months, East Asian, with a weekday or time.

The day is used as it is written; a time zone never changes it, because a birthday does not depend on the time
zone of the server. 05/06/1980 is 5 June or 6 May: `order` decides for the whole column (planning determines it
from the column itself, the model's culture or the export), and a date that does not fit the order is invalid.
Without an order, only unambiguous dates are read. A year must have four digits.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterable
from functools import cache

from shared.model.source import DAY_FIRST, MONTH_FIRST

_TIME = (
    r"(?:(?:T|,? {1,9})(?:(?:오전|오후|午前|午後|上午|下午) ?)?\d{1,2}"
    r"(?:(?::\d{2}){1,2}(?:[.,]\d{1,9})?|(?:\.\d{2}){1,2}|[시時时](?: ?\d{1,2}[분分](?: ?\d{1,2}[초秒])?)?)"
    r"(?: ?[APap]\.?[Mm]\.?| Uhr)?"
    # The time zone: Z, +09:00, KST, GMT+0900 (Korean Standard Time), +09:00[Asia/Seoul].
    r"(?: ?(?:Z|[A-Z]{3,4}(?:[+-]\d{1,2}(?::?\d{2})?)?|[+-]\d{2}:?(?:\d{2})?)"
    r"(?:\[[\w/+-]+\]| \([\w .+:-]{1,60}\))?)?)?"
)
_EAST_WEEKDAY = (
    r"(?: ?(?:\([월화수목금토일月火水木金土日]\)|[월화수목금토일]요일|[月火水木金土日]曜日))?"
)
_YEAR_FIRST = re.compile(r"(\d{4})([-/.])(\d{1,2})\2(\d{1,2})" + _EAST_WEEKDAY + _TIME, re.ASCII)
_COMPACT = re.compile(r"(\d{4})(\d{2})(\d{2})(?:T\d{4,6}(?:[.,]\d+)?Z?)?", re.ASCII)
_SLASHES = re.compile(r"(\d{1,2})([/-])(\d{1,2})\2(\d{4})" + _TIME, re.ASCII)
_DOTS = re.compile(r"(\d{1,2})\. ?(\d{1,2})\. ?(\d{4})" + _TIME, re.ASCII)
_EAST = re.compile(
    r"(\d{4})(?:\. ?|[년年] ?)(\d{1,2})(?:\. ?|[월月] ?)(\d{1,2})(?:\.|[일日])?"
    + _EAST_WEEKDAY
    + _TIME,
    re.ASCII,
)
_NAME = r"([^\W\d_]{3,12})\.?"
_DAY = r"([0-9]{1,2})(?:st|nd|rd|th|er|\.)?"
_ENGLISH_WEEKDAY = "(?:Mon|Tues?|Wed(?:nes)?|Thu(?:rs)?|Fri|Sat(?:ur)?|Sun)(?:day)?"
_WEEKDAY = rf"(?:[^\W\d_]{{2,12}}\.?, |{_ENGLISH_WEEKDAY} )?"
_DAY_NAME = re.compile(
    rf"{_WEEKDAY}{_DAY}[ -](?:de |of )?{_NAME}(?:,? (?:de )?|-)([0-9]{{4}})" + _TIME
)
_NAME_DAY = re.compile(rf"{_WEEKDAY}{_NAME}[ -]{_DAY}(?:,? |-)([0-9]{{4}})" + _TIME)
# 01/Aug/1974, 01.Aug.1974, and 01AUG1974 or 01AUG1974:10:30:00, which SAS writes.
_DAY_NAME_JOINED = re.compile(
    rf"([0-9]{{1,2}})([/.]?)([^\W\d_]{{3,12}})\2([0-9]{{4}})(?:(?::[0-9]{{2}}){{2,3}}(?:\.[0-9]{{1,9}})?|{_TIME})"
)
# Thu Aug 01 00:00:00 KST 1974, which Java and C write.
_TIME_BEFORE_YEAR = re.compile(
    rf"{_ENGLISH_WEEKDAY} {_NAME} {{1,2}}([0-9]{{1,2}}) [0-9]{{2}}:[0-9]{{2}}:[0-9]{{2}}"
    r"(?: [A-Z]{3,4}(?:[+-][0-9]{2}:[0-9]{2})?)? ([0-9]{4})"
)
_YEAR_NAME = re.compile(rf"([0-9]{{4}})[ -]{_NAME}[ -]([0-9]{{1,2}})" + _TIME)
_NO_YEAR = re.compile(r"(\d{1,2})[-/](\d{1,2})", re.ASCII)
_NO_YEAR_ISO = re.compile(r"--(\d{1,2})-?(\d{1,2})", re.ASCII)
_NO_YEAR_DOTS = re.compile(r"(\d{1,2})\. ?(\d{1,2})\.", re.ASCII)
_NO_YEAR_EAST = re.compile(r"(\d{1,2})[월月] ?(\d{1,2})[일日]", re.ASCII)
_NO_YEAR_DAY_NAME = re.compile(rf"{_DAY}[ -](?:de )?{_NAME}")
_NO_YEAR_NAME_DAY = re.compile(rf"{_NAME} {_DAY}")
# Languages whose names of months are known.
_LANGUAGES = ("en", "de", "fr", "es", "it", "pt", "nl")
# A leap year, because 29 February is a birthday too.
_ANY_YEAR = "2000"


# The first and the second number of a date with slashes or hyphens, or of a birthday with dots, which is 5.11. for
# 5 November in German and for 11 May in Korean. DuckDB uses these patterns, too.
FIRST_NUMBER = r"^(\d{1,2})(?:[/-]|\. ?)\d{1,2}(?:[/-]\d{4}\b.*|\.)?$"
SECOND_NUMBER = r"^\d{1,2}(?:[/-]|\. ?)(\d{1,2})(?:[/-]\d{4}\b.*|\.)?$"
_FIRST_NUMBER, _SECOND_NUMBER = re.compile(FIRST_NUMBER), re.compile(SECOND_NUMBER)


class AmbiguousDateError(Exception):
    """A date that is one day with the day first and another with the month first."""


def shown_order(values: Iterable[str]) -> str:
    """The order that some of these dates show, if none shows the other one; else empty."""
    found = set()
    for value in values:
        first, second = _FIRST_NUMBER.match(value), _SECOND_NUMBER.match(value)
        if first and second and (int(first[1]) > 12) != (int(second[1]) > 12):
            found.add(DAY_FIRST if int(first[1]) > 12 else MONTH_FIRST)
    return found.pop() if len(found) == 1 else ""


def day_of(text: str, order: str) -> datetime.date | None:
    """Return the date in a text, or None. AmbiguousDateError when `order` is needed and empty."""
    if found := _YEAR_FIRST.fullmatch(text):
        return _date(found[1], found[3], found[4])
    if found := _SLASHES.fullmatch(text):
        return _ordered(found[4], found[1], found[3], order)
    if found := _DOTS.fullmatch(text):
        return _date(found[3], found[2], found[1])
    if found := (_COMPACT.fullmatch(text) or _EAST.fullmatch(text)):
        return _date(found[1], found[2], found[3])
    if found := _DAY_NAME.fullmatch(text):
        return _date(found[3], _month(found[2]), found[1])
    if found := (_NAME_DAY.fullmatch(text) or _TIME_BEFORE_YEAR.fullmatch(text)):
        return _date(found[3], _month(found[1]), found[2])
    if found := _DAY_NAME_JOINED.fullmatch(text):
        return _date(found[4], _month(found[3]), found[1])
    if found := _YEAR_NAME.fullmatch(text):
        return _date(found[1], _month(found[2]), found[3])
    return None


def month_and_day_of(text: str, order: str) -> tuple[int, int] | None:
    """Return month and day of a birthday, with or without a year, or None. AmbiguousDateError as in `day_of`."""
    day = day_of(text, order)
    if day is None:
        if found := (_NO_YEAR.fullmatch(text) or _NO_YEAR_DOTS.fullmatch(text)):
            day = _ordered(_ANY_YEAR, found[1], found[2], order)
        elif found := (_NO_YEAR_ISO.fullmatch(text) or _NO_YEAR_EAST.fullmatch(text)):
            day = _date(_ANY_YEAR, found[1], found[2])
        elif found := _NO_YEAR_DAY_NAME.fullmatch(text):
            day = _date(_ANY_YEAR, _month(found[2]), found[1])
        elif found := _NO_YEAR_NAME_DAY.fullmatch(text):
            day = _date(_ANY_YEAR, _month(found[1]), found[2])
    return (day.month, day.day) if day else None


def _ordered(year: str, first: str, second: str, order: str) -> datetime.date | None:
    month_first = _date(year, first, second)
    day_first = _date(year, second, first)
    if order == MONTH_FIRST:
        return month_first
    if order == DAY_FIRST:
        return day_first
    if month_first and day_first and month_first != day_first:
        raise AmbiguousDateError
    return month_first or day_first


def _month(name: str) -> str:
    return str(_months().get(name.casefold(), 0))


@cache
def _months() -> dict[str, int]:
    """The numbers of months by lower-case name. A name of two different months is omitted."""
    from babel import Locale

    found: dict[str, set[int]] = {}
    for language in _LANGUAGES:
        for width in ("wide", "abbreviated"):
            for month, name in Locale(language).months["format"][width].items():
                found.setdefault(name.rstrip(".").casefold(), set()).add(month)
    found.setdefault("sept", set()).add(9)
    return {name: months.pop() for name, months in found.items() if len(months) == 1}


def _date(year: str, month: str, day: str) -> datetime.date | None:
    number = int(year)
    # Other years are of another calendar, as in Thailand (2563) or Iran (1399), or have lost a digit. 1604 stands for
    # an unknown year in birthdays, and years such as 9999 for an open end.
    if not 1600 <= number <= 9999 or 2400 <= number < 2700:
        return None
    try:
        return datetime.date(number, int(month), int(day))
    except ValueError:
        return None
