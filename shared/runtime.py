"""Time, randomness and new ids, passed in so that tests and the simulation control them."""

from __future__ import annotations

import secrets
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from random import random, randrange

from shared.shutdown import PROCESS


def _now() -> datetime:
    return datetime.now(UTC)


def _token() -> str:
    return secrets.token_hex(8)


def _new_id() -> str:
    return uuid.uuid4().hex[:16]


@dataclass(frozen=True)
class Runtime:
    """The clock and the random sources of the app.

    `now` returns aware UTC times. `monotonic` counts seconds from an arbitrary point. `sleep`
    takes seconds. `random` returns a number from 0 to 1, `randrange(n)` an integer below n. `token`
    returns 16 random hexadecimal digits, `new_id` an id for a new record. `stopping` is true
    as soon as the platform has asked this process to end.
    """

    now: Callable[[], datetime] = _now
    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    random: Callable[[], float] = random
    randrange: Callable[[int], int] = randrange
    token: Callable[[], str] = _token
    new_id: Callable[[], str] = _new_id
    stopping: Callable[[], bool] = PROCESS.requested
