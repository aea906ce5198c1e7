"""Time and chance, for everybody who needs them passed in; a test passes its own."""

from __future__ import annotations

import secrets
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from random import random, randrange

__all__ = ["Runtime"]


def _now() -> datetime:
    return datetime.now(UTC)


def _token() -> str:
    return secrets.token_hex(8)


def _new_id() -> str:
    return uuid.uuid4().hex[:16]


@dataclass(frozen=True)
class Runtime:
    """The clocks and dice of a house.

    `now` is the time in UTC, `clock` counts seconds from anywhere; `chance` gives 0 to 1, `turn(n)` a
    number below n, `token` a text that no one else has ever had, `new_id` an id for a record.
    """

    now: Callable[[], datetime] = _now
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    chance: Callable[[], float] = random
    turn: Callable[[int], int] = randrange
    token: Callable[[], str] = _token
    new_id: Callable[[], str] = _new_id
