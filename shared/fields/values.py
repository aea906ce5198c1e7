"""Converts values, as people write them, to the type of a merge field.

Every conversion takes trimmed, not empty text and returns what is sent, or raises Unusable. A
value that can be read in two ways is not guessed: a wrong number is worse than no number. Text over
255 bytes is cut, as Mailchimp's own import does (https://mailchimp.com/help/format-guidelines-for-your-import-file/),
because the API may refuse it together with the person.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from functools import lru_cache, partial
from urllib.parse import quote

from shared.fields.address import ascii_domain
from shared.fields.consent import NO, YES
from shared.fields.days import AmbiguousDateError, day_of, month_and_day_of
from shared.fields.numbers import AmbiguousNumberError, number_of, without_point_zero
from shared.fields.postal import AddressError, postal_address
from shared.model.audience import DELETED_FIELD, MergeField
from shared.model.source import composed

_LONGEST_TEXT = 255

_TRUE = frozenset({"true", "1", "1.0", "yes", "y", "t"})
_FALSE = frozenset({"false", "0", "0.0", "no", "n", "f"})
# The number of a choice, written by a program that stores all numbers as floating-point numbers: 1.0.
_WHOLE_WITH_POINT = re.compile(r"-?[0-9]+\.0")

# With more digits, a number may exceed what JSON readers keep exactly.
_EXACT_DIGITS = 15

_URL = re.compile(r"https?://[^\s/.?#]+(?:\.[^\s/.?#]+)+(?:[/?#:]\S*)?", re.IGNORECASE)
_HOST = re.compile(r"(https?://)([^\s/?#:@]+)", re.IGNORECASE)
_NOT_ASCII = re.compile(r"[^\x00-\x7F]+")
_NOT_DIGITS = re.compile(r"\D", re.ASCII)
_PHONE = re.compile(r"\+?[\d ().,/*#-]+(?: ?(?:x|ext\.?|#) ?\d{1,6})?", re.ASCII | re.IGNORECASE)


# Types of fields whose values consist of digits and punctuation.
_OF_DIGITS = frozenset({"number", "date", "birthday", "phone", "zip"})
# Invisible characters, such as the direction marks of copied text.
_DIRECTION_MARKS = (0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A))
_INVISIBLE = dict.fromkeys((0x00AD, 0x200B, *range(0x2060, 0x2065), 0xFEFF, *_DIRECTION_MARKS))
# Punctuation as East Asian input methods and word processors write it. People type the Japanese long vowel mark for a
# hyphen, because both are on one key.
_PUNCTUATION: dict[int, str | None] = {
    **{ord(each) + 0xFEE0: each for each in "+-,./:()#*"},  # full width
    **dict.fromkeys((*range(0x2010, 0x2016), 0x2212, 0x30FC, 0xFF70), "-"),  # hyphens
    **dict.fromkeys((0x00A0, *range(0x2000, 0x200B), 0x202F, 0x3000), " "),  # spaces
    **_INVISIBLE,
}


class Unusable(Exception):
    """A value that its field would refuse: the reason, and what may be sent instead."""

    def __init__(self, reason: str, instead: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.instead = instead


def conversion(
    field: MergeField, data_type: str, date_order: str, decimal_mark: str
) -> Callable[[str], object]:
    """How text of an attribute becomes a value of a field.

    `data_type` is the CDM data type. `date_order` is the order of days and months in its column,
    `decimal_mark` the decimal mark of its numbers.
    """
    kind = field.type.lower()
    if kind == DELETED_FIELD:
        return _refuse_deleted_field
    convert = _conversion(kind, field, data_type, date_order, decimal_mark)
    if kind not in _OF_DIGITS:
        return convert
    return lambda text: convert(text if text.isascii() else with_ascii_digits(text))


def _conversion(
    kind: str, field: MergeField, data_type: str, date_order: str, decimal_mark: str
) -> Callable[[str], object]:
    if kind in ("radio", "dropdown"):
        return _choice(field.options, boolean=data_type == "boolean")
    if kind == "number":
        return partial(_number, mark=decimal_mark, data_type=data_type)
    if kind == "birthday":
        day_first = field.options.get("date_format") == "DD/MM"
        return partial(_birthday, order=date_order, day_first=day_first)
    if kind == "date":
        return partial(_day, order=date_order)
    if kind == "phone":
        return _us_phone if field.options.get("phone_format") == "US" else _phone
    if kind == "text" and data_type == "boolean":
        return _boolean
    return _BY_TYPE.get(kind, _text)


def _refuse_deleted_field(_text: str) -> str:
    raise Unusable("fieldDeleted")


def with_ascii_digits(text: str) -> str:
    """The text with the digits and the punctuation of ASCII. Other characters stay, such as 월 and ²."""
    digits = (str(unicodedata.decimal(each, each)) for each in text.translate(_PUNCTUATION))
    return "".join(digits).strip()


def _text(text: str) -> str:
    # Four bytes a character at most: only longer ones need counting.
    if len(text) <= _LONGEST_TEXT // 4:
        return text
    encoded = text.encode()
    if len(encoded) <= _LONGEST_TEXT:
        return text
    raise Unusable("cut", encoded[:_LONGEST_TEXT].decode(errors="ignore"))


def _boolean(text: str) -> str:
    word = text.lower()
    return "true" if word in _TRUE else "false" if word in _FALSE else _text(text)


def _number(text: str, mark: str, data_type: str) -> int | float:
    if len(text) <= _EXACT_DIGITS and text.isascii() and text.isdigit():
        return int(text)  # the usual case
    try:
        number = number_of(text, mark, data_type)
    except AmbiguousNumberError:
        raise Unusable("numberAmbiguous") from None
    if number is None:
        raise Unusable("notANumber")
    return number


@lru_cache(maxsize=50_000)
def _day(text: str, order: str) -> str:
    try:
        day = day_of(text, order)
    except AmbiguousDateError:
        raise Unusable("dateAmbiguous") from None
    if day is None:
        raise Unusable("notADate")
    return day.isoformat()


@lru_cache(maxsize=50_000)
def _birthday(text: str, order: str, day_first: bool) -> str:
    try:
        found = month_and_day_of(text, order)
    except AmbiguousDateError:
        raise Unusable("dateAmbiguous") from None
    if found is None:
        raise Unusable("notABirthday")
    month, day = found
    return f"{day:02d}/{month:02d}" if day_first else f"{month:02d}/{day:02d}"


def _phone(text: str) -> str:
    text = without_point_zero(text)
    digits = len(_NOT_DIGITS.sub("", text))
    if not 3 <= digits <= 40 or not _PHONE.fullmatch(text):
        raise Unusable("notAPhoneNumber")
    return _text(text)


def _us_phone(text: str) -> str:
    """A number that can be called in North America, as the field's format has it.

    An extension has no place in that format, and the number without it would be another one.
    """
    # Imported where it is needed: it takes 0.15 s of CPU, and few audiences have such a field.
    import phonenumbers

    try:
        number = phonenumbers.parse(without_point_zero(text), "US")
    except phonenumbers.NumberParseException:
        number = None
    if (
        number is None
        or number.country_code != 1
        or number.extension
        or not phonenumbers.is_valid_number(number)
    ):
        raise Unusable("notAUsPhoneNumber")
    digits = phonenumbers.national_significant_number(number)
    return f"{digits[:3]}-{digits[3:6]}-{digits[6:]}"


def _zip(text: str) -> str:
    text = without_point_zero(text)
    if not re.fullmatch(r"[0-9]{5}(?:-?[0-9]{4})?", text):
        raise Unusable("notAZipCode")
    return text[:5]


def _url(text: str) -> str:
    given = f"https://{text}" if text[:4].lower() == "www." else text
    url = _ascii_url(given)
    if len(url.encode()) > _LONGEST_TEXT or not _URL.fullmatch(given):
        raise Unusable("notAnAddress")
    return url


def _ascii_url(url: str) -> str:
    """The same web address in ASCII (RFC 3987): a field may refuse other letters, together with the person.

    The scheme is in lower case, because a field may also refuse `HTTP://`.
    """
    if not (found := _HOST.match(url)):
        return url
    host = found[2] if url.isascii() else ascii_domain(found[2])
    if host is None:
        return url
    rest = _NOT_ASCII.sub(lambda other: quote(other[0]), url[found.end() :])
    return f"{found[1].lower()}{host}{rest}"


def _address(text: str) -> dict[str, str]:
    try:
        return postal_address(text)
    except AddressError as error:
        raise Unusable(error.reason) from None


def _choice(options: Mapping[str, object], *, boolean: bool) -> Callable[[str], str]:
    listed = options.get("choices")
    choices = [str(choice) for choice in listed] if isinstance(listed, list) else []
    known = {_compared(choice): choice for choice in reversed(choices)}
    if boolean:
        for words in (YES, NO):
            meant = next((known[word] for word in known if word in words), None)
            if meant is not None:
                known |= {word: meant for word in words if word not in known}

    def choose(text: str) -> str:
        found = known.get(_compared(text))
        if found is None and _WHOLE_WITH_POINT.fullmatch(text):
            found = known.get(text.removesuffix(".0"))
        if found is None:
            raise Unusable("notAChoice")
        return found

    return choose


def _compared(choice: str) -> str:
    """The form of a choice in which choices are compared: case, Unicode form and invisible characters do not matter."""
    return composed(" ".join(choice.translate(_INVISIBLE).split()).casefold())


_BY_TYPE: dict[str, Callable[[str], object]] = {
    "zip": _zip,
    "url": _url,
    "imageurl": _url,
    "address": _address,
}
