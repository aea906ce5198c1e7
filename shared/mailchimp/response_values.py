"""Reads typed values from responses, which are untrusted.

A value of an unexpected type counts as missing, and strings are truncated, because they end up in
records, outcome lines and messages. A list must be complete: a contact missing from a list of
unsubscribed people might be subscribed again.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from shared.errors import Unavailable
from shared.fields.address import mail_form

_LONGEST = 1_000
_LONGEST_ID = 64
_STATUS = re.compile(r"[A-Za-z]{1,20}")


def text_in(item: Mapping[str, Any], name: str) -> str:
    """Return a string, or an integer as a string; else an empty string."""
    value = item.get(name)
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return value[:_LONGEST] if isinstance(value, str) else ""


def status_in(item: Mapping[str, Any]) -> str:
    """Return the status of a member; empty when it is malformed."""
    value = item.get("status")
    if value == "subscribed":  # nearly always
        return "subscribed"
    return value if isinstance(value, str) and _STATUS.fullmatch(value) else ""


def address_in(item: Mapping[str, Any]) -> str:
    """Return the address of a member as the app sends it: an international domain is `xn--`."""
    address = text_in(item, "email_address").strip().lower()
    return address if address.isascii() else mail_form(address)


def id_in(item: Mapping[str, Any], name: str) -> str:
    """Return an id; empty when it is missing."""
    return text_in(item, name)[:_LONGEST_ID]


def opted_in_at(item: Mapping[str, Any]) -> str:
    """Return when a member opted in, else when they signed up (ISO 8601); empty when both are missing."""
    return text_in(item, "timestamp_opt") or text_in(item, "timestamp_signup")


def whole_number_in(item: Mapping[str, Any], name: str) -> int:
    """Return an integer from 0, which may be written as a string; else 0."""
    value = item.get(name)
    if isinstance(value, str) and re.fullmatch(r"[0-9]{1,15}", value):
        return int(value)
    if isinstance(value, float) and value.is_integer() and value < 1e15:
        value = int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0


def total_in(answer: Mapping[str, Any]) -> int | None:
    """Return `total_items`; None when it is missing."""
    total = whole_number_in(answer, "total_items")
    return total if total or answer.get("total_items") in (0, "0") else None


def list_in(answer: Mapping[str, Any], part: str) -> list[dict[str, Any]]:
    """Return a list of objects. Unavailable when it has anything else in it or is not a list."""
    listed = answer.get(part)
    found = objects_in(listed)
    if not isinstance(listed, list) or len(found) < len(listed):
        raise Unavailable("answerBroken")
    return found


def object_in(item: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return an object; an empty one when it is missing."""
    value = item.get(name)
    return value if isinstance(value, dict) else {}


def objects_in(value: object) -> list[dict[str, Any]]:
    """Return the objects in a list, without other items."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
