"""Holds calls to the sandbox Mailchimp until a test releases them, so that no test depends on a duration."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

from sandbox.mailchimp.faults import Fault
from sandbox.mailchimp.sandbox import Sandbox
from tests.waiting import until

SUBSCRIBE_PATH = r"^/lists/\w+$"
# Below the read timeout of the app's client, so that an abandoned call ends in every case.
_MOST_SECONDS = 110.0
# Marks the faults of this module for `sleep`; no other fault waits that long.
_HELD = 987_654_321.0


class HeldCalls:
    """The calls that wait now, oldest first. They are not applied before they are released."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: deque[threading.Event] = deque()
        self._is_open = False

    @property
    def waiting(self) -> int:
        """The number of calls that wait."""
        return len(self._waiting)

    def release(self, calls: int = 1) -> None:
        """Answer the oldest waiting calls; later calls wait."""
        with self._lock:
            for _ in range(min(calls, len(self._waiting))):
                self._waiting.popleft().set()

    def release_all(self) -> None:
        """Answer all waiting calls and hold no further one."""
        with self._lock:
            self._is_open = True
            while self._waiting:
                self._waiting.popleft().set()

    def until_waiting(self, calls: int = 1) -> None:
        """Return when at least this number of calls wait."""
        until(lambda: self.waiting >= calls)

    def hold(self) -> None:
        """Hold the calling thread until it is released."""
        released = threading.Event()
        with self._lock:
            if self._is_open:
                return
            self._waiting.append(released)
        released.wait(_MOST_SECONDS)


@contextmanager
def held_calls(
    sandbox: Sandbox, method: str = "POST", path: str = SUBSCRIBE_PATH, skip: int = 0
) -> Iterator[HeldCalls]:
    """Hold all matching calls during a `with` block; the first `skip` calls pass."""
    held, world = HeldCalls(), sandbox.world
    sleep = world.sleep
    world.sleep = lambda seconds: held.hold() if seconds == _HELD else sleep(seconds)
    sandbox.arm(Fault("hang", method, path, times=None, seconds=_HELD, skip=skip))
    try:
        yield held
    finally:
        held.release_all()
        sandbox.disarm()
        world.sleep = sleep
