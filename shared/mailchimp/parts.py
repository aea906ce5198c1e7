"""The parts of an answer, whatever types they turn out to have.

Mailchimp's word is data from outside. A part of another type than described is taken for absent,
and no text is longer than anything Mailchimp has a use for: it may end up in a record, a line of
outcomes or a sentence. A list is read whole or not at all, because who is missing from it might be
asked to subscribe.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from shared.errors import Unavailable

__all__ = ["list_in", "status_in", "text_in", "things_in", "total_in", "whole_number_in"]

_LONGEST = 1_000
_STATUS = re.compile(r"[A-Za-z]{1,20}")


def text_in(item: Mapping[str, Any], name: str) -> str:
    """A text, or a whole number as text; else empty."""
    value = item.get(name)
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return value[:_LONGEST] if isinstance(value, str) else ""


def status_in(item: Mapping[str, Any]) -> str:
    """A member's status; empty when it looks like none."""
    value = item.get("status")
    return value if isinstance(value, str) and _STATUS.fullmatch(value) else ""


def whole_number_in(item: Mapping[str, Any], name: str) -> int:
    """A number from 0 on, also as text; else 0."""
    value = item.get(name)
    if isinstance(value, str) and re.fullmatch(r"[0-9]{1,15}", value):
        return int(value)
    if isinstance(value, float) and value.is_integer() and value < 1e15:
        value = int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0


def total_in(answer: Mapping[str, Any]) -> int:
    """How many there are in all. Unavailable when the answer does not say."""
    total = whole_number_in(answer, "total_items")
    if not total and answer.get("total_items") not in (0, "0"):
        raise Unavailable("answerBroken")
    return total


def list_in(answer: Mapping[str, Any], part: str) -> list[dict[str, Any]]:
    """A list of objects, whole. Unavailable when it is anything else."""
    listed = answer.get(part)
    found = things_in(listed)
    if not isinstance(listed, list) or len(found) < len(listed):
        raise Unavailable("answerBroken")
    return found


def things_in(value: object) -> list[dict[str, Any]]:
    """The objects in a list; without whatever else is in it."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
