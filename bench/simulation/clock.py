"""Simulated time: work is a generator that yields how many seconds it takes, or a gate it waits at.

Nothing sleeps: the clock jumps from one moment to the next. What happens in the same moment
happens in the order in which it was asked for, so a seed decides everything.
"""

from __future__ import annotations

import heapq
import itertools
from collections import deque
from collections.abc import Callable, Generator

Steps = Generator["float | Gate", None, None]
"""Work: yields seconds to pass, or a gate to wait at until it is let through."""


class Clock:
    """What time it is, in seconds since the beginning, and what is to happen when."""

    def __init__(self) -> None:
        self.now = 0.0
        self._order = itertools.count()
        self._agenda: list[tuple[float, int, Callable[[], None]]] = []

    def after(self, seconds: float, do: Callable[[], None]) -> None:
        """Do something after a while."""
        heapq.heappush(self._agenda, (self.now + max(0.0, seconds), next(self._order), do))

    def run(self, until: Callable[[], bool], longest: float = float("inf")) -> bool:
        """Let time pass until something is so; whether it became so in time."""
        while not until():
            if not self._agenda or self._agenda[0][0] > longest:
                return False
            self.now, _, do = heapq.heappop(self._agenda)
            do()
        return True


class Process:
    """Work under way. One that was killed never goes on, and clears nothing up."""

    def __init__(self, clock: Clock, steps: Steps, ended: Callable[[], None]) -> None:
        self._clock = clock
        self._steps = steps
        self._ended = ended
        self.killed = False

    def go_on(self) -> None:
        """Do the next step."""
        if self.killed:
            return
        try:
            wait = next(self._steps)
        except StopIteration:
            self._ended()
            return
        if isinstance(wait, Gate):
            wait.enter(self)
        else:
            self._clock.after(wait, self.go_on)


class Gate:
    """Lets one through at a time, in the order in which they came."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._inside = False
        self._waiting: deque[Process] = deque()

    def enter(self, process: Process) -> None:
        """Enter, now or when all earlier ones have left."""
        if self._inside:
            self._waiting.append(process)
        else:
            self._inside = True
            self._clock.after(0.0, process.go_on)

    @property
    def is_taken(self) -> bool:
        """Whether a process is inside."""
        return self._inside

    def leave(self) -> None:
        """Let the next one in."""
        if self._waiting:
            self._clock.after(0.0, self._waiting.popleft().go_on)
        else:
            self._inside = False
