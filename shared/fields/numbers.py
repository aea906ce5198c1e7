"""Reads numbers as people write them: with a decimal point or comma, with or without groups of digits.

1.234 is a little more than one, or one thousand two hundred and thirty-four: `mark` decides for the whole column
(planning determines it from the column itself, the model or the export). Without a mark, only numbers with one
meaning are read.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from shared.model.source import COMMA, POINT, WHOLE_NUMBER_TYPES

# These patterns are also used by DuckDB, so they are the common part of both languages.
_SIGN = "[+\u2212-]?"
_EXPONENT = r"(?:[eE][+-]?[0-9]{1,3})?"
_SPACE_OR_APOSTROPHE = "[ \u00a0\u202f'\u2019]"


def _pattern(mark: str, other: str) -> str:
    """Numbers with a decimal mark, of which groups may be divided by the other mark, a blank or an apostrophe."""
    # In India, only the last group has three digits: 12,34,567.
    inner = "{2,3}" if other == "," else "{3}"
    groups = rf"[1-9][0-9]{{0,2}}(?:{other}[0-9]{inner})*{other}[0-9]{{3}}"
    spaced = rf"[0-9]{{1,3}}(?:{_SPACE_OR_APOSTROPHE}[0-9]{{3}})+"
    return rf"{_SIGN}(?:[0-9]*{mark}[0-9]+{_EXPONENT}|(?:{groups}|{spaced})(?:{mark}[0-9]+)?)"


# Numbers such as 1.234 match both.
WITH_POINT = _pattern(r"\.", ",")
WITH_COMMA = _pattern(",", r"\.")

_PLAIN = re.compile(rf"{_SIGN}[0-9]+\.?{_EXPONENT}")
_POINT = re.compile(WITH_POINT)
_COMMA = re.compile(WITH_COMMA)
_MARKS = re.compile("[.,]")
# A whole number that was stored as a floating-point number, which adds `.0`: 821012345678.0.
_POINT_ZERO = re.compile(r"(\+?\d{3,})\.0", re.ASCII)
# Also those of Parquet files: `decimal(18,3)`.
_DECIMAL_TYPES = ("double", "decimal", "float")
_LARGEST = 1e15  # JSON readers keep smaller numbers exactly


class AmbiguousNumberError(Exception):
    """A number such as 1.234, whose value depends on the decimal mark, which is unknown or contradicts the type."""


def number_of(text: str, mark: str = "", data_type: str = "") -> int | float | None:
    """Return the number in a text, or None. AmbiguousNumberError when `mark` is needed and empty, or contradicts the type.

    `data_type` is that of the Common Data Model.
    """
    has_point = _PLAIN.fullmatch(text) or _POINT.fullmatch(text)
    has_comma = _COMMA.fullmatch(text)
    if not has_point and not has_comma:
        return None
    if has_point and has_comma and (found := _MARKS.search(text)):
        mark = mark_of(found[0], mark, data_type)
        if not mark:
            raise AmbiguousNumberError
    else:
        mark = POINT if has_point else COMMA
    decimal, groups = (",", ".") if mark == COMMA else (".", ",")
    plain = re.sub(rf"[{re.escape(groups)}\s'\u2019]", "", text).replace("\u2212", "-")
    value = float(plain.replace(decimal, "."))
    if abs(value) >= _LARGEST:
        return None
    return int(value) if value.is_integer() else value


def without_point_zero(text: str) -> str:
    """A phone number or a postal code as it was before a writer stored it as a floating-point number."""
    found = _POINT_ZERO.fullmatch(text)
    return found[1] if found else text


def shown_mark(values: Iterable[str]) -> str:
    """The decimal mark that some of these numbers show, if none shows the other one; else empty."""
    found = {
        POINT if has_point else COMMA
        for has_point, has_comma in ((_POINT.fullmatch(v), _COMMA.fullmatch(v)) for v in values)
        if bool(has_point) != bool(has_comma)
    }
    return found.pop() if len(found) == 1 else ""


def mark_of(separator: str, mark: str, data_type: str) -> str:
    """The decimal mark of a number with one point or comma and three digits after it; empty when unknown.

    `mark` is that of the column, or empty. Without one, a decimal type has points, as the Common Data Model
    defines it. Whole numbers have groups of digits only: a decimal mark in one is a contradiction.
    """
    own = COMMA if separator == "," else POINT
    if data_type in WHOLE_NUMBER_TYPES:
        # A comma in a whole number divides thousands; a point is unexpected and stays ambiguous.
        mark = mark or (POINT if own == COMMA else "")
        return "" if mark == own else mark
    if not mark and data_type.startswith(_DECIMAL_TYPES):
        return POINT if own == POINT else ""
    return mark
