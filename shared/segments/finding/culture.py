"""How a culture such as `de-DE` writes dates and numbers.

A `model.json` can name a culture; its files then use the formats of this culture.
https://learn.microsoft.com/common-data-model/model-json
"""

from __future__ import annotations

from typing import NamedTuple

from shared.model.source import COMMA, DAY_FIRST, MONTH_FIRST, POINT

_LONGEST = 100
_MARKS = {".": POINT, ",": COMMA}


class Culture(NamedTuple):
    """The order of day and month, and the decimal mark; empty when unknown."""

    date_order: str = ""
    decimal_mark: str = ""


def culture_of(name: object) -> Culture:
    """Return the culture named `name`; empty when unknown."""
    if not isinstance(name, str) or not name.strip() or len(name) > _LONGEST:
        return Culture()
    from babel import Locale, UnknownLocaleError

    try:
        locale = Locale.parse(name.strip().replace("_", "-"), sep="-")
        order = format_order(str(locale.date_formats["short"].pattern))
        mark = str(locale.number_symbols["latn"]["decimal"])
    except (UnknownLocaleError, ValueError, TypeError, KeyError):
        return Culture()
    return Culture(order, _MARKS.get(mark, ""))


def format_order(pattern: str) -> str:
    """The order of day and month in a format such as `dd/MM/yyyy`; empty if the year comes first."""
    day, month, year = (pattern.find(mark) for mark in "dMy")
    if min(day, month, year) < 0 or year < max(day, month):
        return ""
    return DAY_FIRST if day < month else MONTH_FIRST
