"""Queue messages: versioned JSON of ids and numbers, read strictly.

Anything else is an InputError, after which the message is not delivered again. A message may carry its trace and
the time it was due (messaging/stamped_queue.py).
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TypeGuard

from shared.errors import InputError
from shared.messaging.trace import Trace, trace_of
from shared.model.ids import ID, is_id

LONGEST = 1024
"""Bytes of a message; ids and numbers need no more."""
_LARGEST_NUMBER = (1 << 31) - 1
_RUN_ID = re.compile(r"[0-9a-f]{11}[0-9a-f]{9}")
_AUDIENCE = re.compile(f"{ID}/{ID}")


@dataclass(frozen=True)
class Stamps:
    """The trace of a message, and when it was due (milliseconds since 1970)."""

    trace: Trace | None = None
    due: int | None = None


def stamps_of(body: bytes) -> Stamps:
    """The stamps of a message. Without stamps, or in another app's message, both are None.

    A stamp that cannot be read counts as absent: stamps are for monitoring and must not stop a run
    (https://www.w3.org/TR/trace-context/#a-traceparent-is-received).
    """
    try:
        fields = json.loads(body)
    except (ValueError, RecursionError):
        return Stamps()
    if not isinstance(fields, dict) or "v" not in fields:
        return Stamps()
    due = fields.get("due")
    numeric = isinstance(due, int) and not isinstance(due, bool) and 0 <= due < 1 << 53
    return Stamps(trace_of(fields.get("traceparent")), due if numeric else None)


def plan_message(run_id: str, number: int | None = None) -> dict[str, object]:
    """The message that plans a run; `number` is its number in its sequence (sequence.py)."""
    return {"v": 1, "run": run_id, **_numbered(number)}


def lane_message(run_id: str, lane: int, number: int | None = None) -> dict[str, object]:
    """The message of a lane of a run; `number` is its number in its sequence (sequence.py)."""
    return {"v": 1, "run": run_id, "lane": lane, **_numbered(number)}


def refresh_message(export_id: str, number: int) -> dict[str, object]:
    """Return the message that checks the refresh of an export again."""
    return {"v": 1, "refresh": export_id, "number": number}


def consent_message(audience: str) -> dict[str, object]:
    """The message that sweeps an audience, by the key `<account>/<audience>`."""
    return {"v": 1, "audience": audience}


def audience_of(body: bytes) -> str:
    """The audience that a message is about."""
    audience = _fields(body).get("audience")
    if not isinstance(audience, str) or not _AUDIENCE.fullmatch(audience):
        raise InputError("messageInvalid")
    return audience


def run_of(body: bytes) -> str:
    """The run that a message is about."""
    return _run(_fields(body))


def lane_of(body: bytes) -> tuple[str, int]:
    """The run and the lane that a message is about."""
    fields = _fields(body)
    lane = fields.get("lane")
    if not isinstance(lane, int) or isinstance(lane, bool) or not 0 <= lane < 100:
        raise InputError("messageInvalid")
    return _run(fields), lane


def number_of(body: bytes) -> int | None:
    """The number of a message in its sequence; None for the first of a sequence."""
    number = _fields(body).get("number")
    if number is None or _is_number(number):
        return number
    raise InputError("messageInvalid")


def refresh_of(body: bytes) -> tuple[str, int] | None:
    """Return the export whose refresh is checked, and the number of the message.

    None for other messages: Event Grid writes into the same queue.
    """
    try:
        fields = json.loads(body)
    except (ValueError, RecursionError):
        return None
    if not isinstance(fields, dict) or "refresh" not in fields:
        return None
    export_id, number = fields["refresh"], fields.get("number")
    known = isinstance(export_id, str) and is_id(export_id)
    if fields.get("v") != 1 or not known or not _is_number(number):
        raise InputError("messageInvalid")
    return export_id, number


def _is_number(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _LARGEST_NUMBER


def _numbered(number: int | None) -> dict[str, object]:
    return {} if number is None else {"number": number}


def _fields(body: bytes) -> dict[str, object]:
    if len(body) > LONGEST:
        raise InputError("messageInvalid")
    try:
        fields = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise InputError("messageInvalid") from error
    if not isinstance(fields, dict) or fields.get("v") != 1:
        raise InputError("messageInvalid")
    return fields


def _run(fields: dict[str, object]) -> str:
    run_id = fields.get("run")
    if not isinstance(run_id, str) or not _RUN_ID.fullmatch(run_id):
        raise InputError("messageInvalid")
    return run_id
