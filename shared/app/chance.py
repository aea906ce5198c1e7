"""Time and chance, for everybody who needs them passed in."""

from __future__ import annotations

import secrets
import uuid
from datetime import UTC, datetime

__all__ = ["new_id", "now", "token"]


def now() -> datetime:
    """The time, in UTC."""
    return datetime.now(UTC)


def token() -> str:
    """A text that no one else has ever had."""
    return secrets.token_hex(8)


def new_id() -> str:
    """A new id for a record."""
    return uuid.uuid4().hex[:16]
