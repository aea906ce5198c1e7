"""Time that advances only while every thread waits for it, so many lanes run at once without real waiting."""

from __future__ import annotations

import heapq
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from tests.fakes import Clock

_BEGIN = datetime(2026, 11, 1, 8, tzinfo=UTC)
# Real seconds after which a thread that waits for a time that never comes fails.
_STUCK = 120.0


class VirtualTime(Clock):
    """A clock for several threads, of which one runs at a time.

    The thread that makes the clock is the first. When all threads sleep, the one with the
    earliest time continues.
    """

    def __init__(self) -> None:
        super().__init__()
        self._seconds = 0.0
        self._changed = threading.Condition()
        self._running = 1
        self._number = 0
        self._sleeping: list[tuple[float, int]] = []
        self._awake: set[int] = set()
        self.errors: list[BaseException] = []

    def now(self) -> datetime:
        return _BEGIN + timedelta(seconds=self._seconds)

    def seconds(self) -> float:
        return self.now().timestamp()

    def forward(self, seconds: float) -> None:
        self.sleep(seconds)

    def sleep(self, seconds: float) -> None:
        """Wait until the time is reached; other threads run meanwhile."""
        with self._changed:
            self._number += 1
            number = self._number
            heapq.heappush(self._sleeping, (self._seconds + max(0.0, seconds), number))
            self._running -= 1
            self._wake_next()
            if not self._changed.wait_for(lambda: number in self._awake, _STUCK):
                message = "the virtual time stands still"
                raise AssertionError(message)
            self._awake.remove(number)

    def start(self, work: Callable[[], object]) -> threading.Thread:
        """Do work in a new thread; its error is added to `errors`."""
        with self._changed:
            self._running += 1

        def run() -> None:
            try:
                self.sleep(0)
                work()
            except BaseException as error:
                self.errors.append(error)
            finally:
                with self._changed:
                    self._running -= 1
                    self._wake_next()

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        return thread

    def _wake_next(self) -> None:
        if self._running == 0 and self._sleeping:
            self._seconds, number = heapq.heappop(self._sleeping)
            self._running = 1
            self._awake.add(number)
            self._changed.notify_all()
