"""Queue messages: versioned JSON of ids and numbers, read strictly, because queues are shared.

Anything else is an InputError that does not repeat the message.
"""

from __future__ import annotations

import json
import re

from shared.errors import InputError

__all__ = ["lane_of", "look_of", "run_of"]

_RUN_ID = re.compile(r"[0-9a-f]{11}[0-9a-f]{9}")
_EXPORT_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


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
        or turn < 0
    ):
        msg = "A queue message names no refresh."
        raise InputError(msg, code="messageInvalid")
    return export_id, turn


def _fields(body: bytes) -> dict[str, object]:
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
