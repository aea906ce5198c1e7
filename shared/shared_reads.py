"""Reads that threads share if they ask at the same time.

The lanes of a run begin together in a process, and all of them need the run, its plan and the grant of its
connection.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Generic, TypeVar

from shared.errors import TimeUp
from shared.request_time import TIME_UP, seconds_left

T = TypeVar("T")


class SharedReads(Generic[T]):
    """Calls `read(key)` once for all threads that ask for the same key before it returns.

    TimeUp if the time of the waiting request is up first.
    """

    def __init__(self, read: Callable[[str], T]) -> None:
        self._read = read
        self._lock = threading.Lock()
        self._running: dict[str, Future[T]] = {}

    def __call__(self, key: str) -> T:
        """Read a value, or wait for the thread that is reading it."""
        with self._lock:
            running = self._running.get(key)
            if running is None:
                own = self._running[key] = Future()
        if running is not None:
            left = seconds_left()
            try:
                return running.result(None if left == math.inf else left)
            except TimeoutError:
                raise TimeUp(TIME_UP) from None
            except TimeUp:
                return self(key)  # the time of the reading request was up, not that of this thread
        try:
            value = self._read(key)
        except BaseException as error:
            self._end(key, own)
            own.set_exception(error)
            raise
        self._end(key, own)
        own.set_result(value)
        return value

    def _end(self, key: str, own: Future[T]) -> None:
        """Let later calls read again. It is called before the result is set: a thread that gets the result may read again."""
        with self._lock:
            if self._running.get(key) is own:
                del self._running[key]

    def forget(self, key: str) -> None:
        """Let later calls read again: the value has changed since the present read began."""
        with self._lock:
            self._running.pop(key, None)
