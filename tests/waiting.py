"""Waits for a condition, for a long time at most: a test may depend on the result, not on the duration."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
# Longer than any test needs on a loaded machine; only a failing test waits that long.
MOST_SECONDS = 100.0


def until(condition: Callable[[], T], seconds: float = MOST_SECONDS, every: float = 0.02) -> T:
    """Call `condition` until its result is true, and return it.

    Raises:
        TimeoutError: the result was never true.
    """
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        if time.monotonic() > deadline:
            message = f"the condition did not become true in {seconds:.0f} s"
            raise TimeoutError(message)
        time.sleep(every)
    return found
