"""Which values Mailchimp accepts: addresses, and merge fields by type.

A value is refused with Mailchimp's reason (WrongValue), or because it has the wrong JSON kind (WrongKind).
https://mailchimp.com/developer/marketing/docs/merge-fields/
"""

from __future__ import annotations

import datetime
import math
import re
from typing import Any

from sandbox.mailchimp.state import MergeField

# Like RFC 5321, without what Mailchimp does not accept (quotes, comments, non-ASCII local parts).
_ADDRESS = re.compile(
    r"(?!\.)(?!.*\.\.)[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}(?<!\.)"
    r"@(?:[^\W_](?:[\w-]{0,61}[^\W_])?\.)+[^\W\d_][\w-]{0,61}[^\W_]"
)
_PHONE_US = re.compile(r"\(?\d{3}\)?[ .-]?\d{3}[ .-]?\d{4}")
_URL = re.compile(r"https?://[^\s/]+\.[^\s]+", re.IGNORECASE)
_ADDRESS_PARTS = ("addr1", "city", "state", "zip")
_COUNTRY = re.compile("[A-Z]{2}")


class WrongKind(Exception):
    """The JSON kind does not fit the field at all, such as text for an address."""


class WrongValue(Exception):
    """The value does not fit the field; `key` is that of Mailchimp's text."""

    def __init__(self, key: str) -> None:
        """`key` of texts.py."""
        super().__init__(key)
        self.key = key


def address_is_valid(address: str) -> bool:
    """Whether Mailchimp accepts this as an email address."""
    return len(address) <= 254 and _ADDRESS.fullmatch(address) is not None


def accepted(field: MergeField, value: Any, *, truncate: bool = False) -> Any:
    """The value as Mailchimp stores it; "" clears a field of any type. Raises WrongKind or WrongValue."""
    if value == "" and isinstance(value, str):
        return ""
    if isinstance(value, bool) or not isinstance(value, str | int | float | dict):
        raise WrongKind
    if isinstance(value, dict):
        return _address(field, value)
    if field.type == "address":
        raise WrongKind
    if field.type == "number":
        return _number(value)
    return _CHECKS.get(field.type, _text)(field, str(value), truncate)


def _address(field: MergeField, value: dict[str, Any]) -> dict[str, str]:
    if field.type != "address":
        raise WrongKind
    if any(not isinstance(part, str) for part in value.values()):
        raise WrongKind
    if any(not value.get(part, "").strip() for part in _ADDRESS_PARTS):
        raise WrongValue("merge.address")
    known = ("addr1", "addr2", "city", "state", "zip", "country")
    stored = {part: value.get(part, "") for part in known}
    # Mailchimp stores the default country instead of one that it does not know, without an error. It also knows the
    # English names in its signup forms; the sandbox does not.
    if not _COUNTRY.fullmatch(stored["country"]):
        stored["country"] = "US"
    return stored


def _number(value: str | float) -> int | float:
    if isinstance(value, str):
        try:
            value = int(value) if value.strip().lstrip("+-").isdigit() else float(value)
        except ValueError:
            raise WrongValue("merge.number") from None
    if not math.isfinite(value):
        raise WrongValue("merge.number")
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _text(field: MergeField, value: str, truncate: bool) -> str:
    if len(value.encode()) > 255:
        if not truncate:
            raise WrongValue("merge.long")
        return value.encode()[:255].decode(errors="ignore")
    return value


def _date(field: MergeField, value: str, truncate: bool) -> str:
    formats = {"DD/MM/YYYY": "%d/%m/%Y", "MM/DD/YYYY": "%m/%d/%Y"}
    for form in ("%Y-%m-%d", formats.get(field.options.get("date_format", ""), "%m/%d/%Y")):
        try:
            day = datetime.datetime.strptime(value, form).replace(tzinfo=datetime.UTC)
        except ValueError:
            continue
        return day.date().isoformat()
    raise WrongValue("merge.date")


def _birthday(field: MergeField, value: str, truncate: bool) -> str:
    form = "%d/%m" if field.options.get("date_format") == "DD/MM" else "%m/%d"
    if not re.fullmatch(r"\d\d?/\d\d?", value):
        raise WrongValue("merge.birthday")
    try:  # a leap year, so that 29 February is a birthday
        datetime.datetime.strptime(f"2000 {value}", f"%Y {form}").replace(tzinfo=datetime.UTC)
    except ValueError:
        raise WrongValue("merge.birthday") from None
    first, second = value.split("/")
    return f"{int(first):02d}/{int(second):02d}"


def _phone(field: MergeField, value: str, truncate: bool) -> str:
    if field.options.get("phone_format") == "US" and not _PHONE_US.fullmatch(value):
        raise WrongValue("merge.phone")
    return _text(field, value, truncate)


def _url(field: MergeField, value: str, truncate: bool) -> str:
    if not _URL.fullmatch(value):
        raise WrongValue("merge.url")
    return _text(field, value, truncate)


def _zip(field: MergeField, value: str, truncate: bool) -> str:
    if not re.fullmatch(r"\d{5}", value):
        raise WrongValue("merge.zip")
    return value


def _choice(field: MergeField, value: str, truncate: bool) -> str:
    if value not in field.options.get("choices", []):
        raise WrongValue("merge.choice")
    return value


_CHECKS = {
    "date": _date,
    "birthday": _birthday,
    "phone": _phone,
    "url": _url,
    "imageurl": _url,
    "zip": _zip,
    "radio": _choice,
    "dropdown": _choice,
}
