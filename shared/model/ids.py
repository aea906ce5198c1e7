"""Ids: the form of those of the app and of Mailchimp, and the ids of runs, which begin with a time."""

from __future__ import annotations

import re
from datetime import UTC, datetime

ID = "[A-Za-z0-9_-]{1,64}"
"""A regular expression for one id."""

_ID = re.compile(ID)
_LAST_MOMENT = 0xFFFFFFFFFFF  # 11 hexadecimal digits of milliseconds: past the year 2500


def is_id(text: str) -> bool:
    """Whether a text has the form of an id."""
    return _ID.fullmatch(text) is not None


def run_id_at(moment: datetime, entropy: str) -> str:
    """Return an id that sorts newest first: the milliseconds left until a fixed end, and random digits.

    A caller's filter may have any time. One before 1970 or after the fixed end is replaced by the nearest of the two.
    """
    left = _LAST_MOMENT - int(moment.timestamp() * 1000)
    return f"{min(max(left, 0), _LAST_MOMENT):011x}{entropy[:9]}"


def moment_of(run_id: str) -> datetime:
    """When a run was started, read from its id."""
    milliseconds = _LAST_MOMENT - int(run_id[:11], 16)
    return datetime.fromtimestamp(milliseconds / 1000, UTC)
