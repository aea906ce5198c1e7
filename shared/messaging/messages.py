"""Queue messages: versioned JSON of ids and numbers, read strictly, because queues are shared.

Anything else is an InputError that does not repeat the message. A message may carry stamps
(messaging/stamped_queue.py); one without them, from before there were any, is as good.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

from shared.errors import InputError
from shared.messaging.trace import Trace, trace_of

__all__ = [
    "LONGEST",
    "Stamps",
    "lane_message",
    "lane_of",
    "look_of",
    "plan_message",
    "run_of",
    "stamps_of",
    "turn_of",
]

LONGEST = 1024
"""Bytes of a message of ours: ids and numbers need no more."""
_MOST_TURNS = 1 << 31
_RUN_ID = re.compile(r"[0-9a-f]{11}[0-9a-f]{9}")
_EXPORT_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


@dataclass(frozen=True)
class Stamps:
    """What a message says of its way: its trace, and when it was due (milliseconds since 1970)."""

    trace: Trace | None = None
    due: int | None = None


def stamps_of(body: bytes) -> Stamps:
    """The stamps of a message; none when it has none, or is none of ours.

    A stamp that cannot be read counts as none: it serves watching, and must not stop a run
    (https://www.w3.org/TR/trace-context/#a-traceparent-is-received says the same of traces).
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


def plan_message(run_id: str, turn: int | None = None) -> dict[str, object]:
    """The message that has a run planned; `turn` is its number in its line (messaging/sequence.py)."""
    return {"v": 1, "run": run_id, **_turn(turn)}


def lane_message(run_id: str, lane: int, turn: int | None = None) -> dict[str, object]:
    """The message that lets a lane of a run work; `turn` is its number in its line (messaging/sequence.py)."""
    return {"v": 1, "run": run_id, "lane": lane, **_turn(turn)}


def run_of(body: bytes) -> str:
    """The run that a message is about."""
    return _run(_fields(body))


def lane_of(body: bytes) -> tuple[str, int]:
    """The run and the lane that a message is about."""
    fields = _fields(body)
    lane = fields.get("lane")
    if not isinstance(lane, int) or isinstance(lane, bool) or not 0 <= lane < 100:
        msg = "A queue message names no lane."
        raise InputError(msg, code="messageInvalid")
    return _run(fields), lane


def turn_of(body: bytes) -> int | None:
    """The number of a message in its line; None when it begins one, or is from before there were any."""
    turn = _fields(body).get("turn")
    if turn is None:
        return None
    if not isinstance(turn, int) or isinstance(turn, bool) or turn < 0:
        msg = "A queue message has a turn that is none."
        raise InputError(msg, code="messageInvalid")
    return turn


def look_of(body: bytes) -> tuple[str, int] | None:
    """The export whose refresh is to be looked at, and the number of the look.

    None when the message is none of ours: Event Grid writes into the same queue.
    """
    try:
        fields = json.loads(body)
    except (ValueError, RecursionError):
        return None
    if not isinstance(fields, dict) or "refresh" not in fields:
        return None
    export_id, turn = fields["refresh"], fields.get("turn")
    if (
        fields.get("v") != 1
        or not isinstance(export_id, str)
        or not _EXPORT_ID.fullmatch(export_id)
        or not isinstance(turn, int)
        or isinstance(turn, bool)
        or not 0 <= turn < _MOST_TURNS
    ):
        msg = "A queue message names no refresh."
        raise InputError(msg, code="messageInvalid")
    return export_id, turn


def _turn(turn: int | None) -> dict[str, object]:
    return {} if turn is None else {"turn": turn}


def _fields(body: bytes) -> dict[str, object]:
    if len(body) > LONGEST:
        msg = "A queue message is too long."
        raise InputError(msg, code="messageInvalid")
    try:
        fields = json.loads(body)
    except (ValueError, RecursionError) as error:
        msg = "A queue message is not JSON."
        raise InputError(msg, code="messageInvalid") from error
    if not isinstance(fields, dict) or fields.get("v") != 1:
        msg = "A queue message has an unknown form."
        raise InputError(msg, code="messageInvalid")
    return fields


def _run(fields: dict[str, object]) -> str:
    run_id = fields.get("run")
    if not isinstance(run_id, str) or not _RUN_ID.fullmatch(run_id):
        msg = "A queue message names no run."
        raise InputError(msg, code="messageInvalid")
    return run_id
