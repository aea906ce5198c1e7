"""Turns bytes into decisions: equal bytes decide equally, and missing bytes decide 0."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


class Dice:
    """Reads decisions from a string of bytes, one byte each."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def more(self) -> bool:
        """Whether there are decisions left."""
        return self._at < len(self._data)

    def number(self, below: int) -> int:
        """A number of 0 or more."""
        if not self.more():
            return 0
        self._at += 1
        return self._data[self._at - 1] % below

    def pick(self, choices: Sequence[T]) -> T:
        """One of the choices; the first when no bytes are left."""
        return choices[self.number(len(choices))]

    def some(self, choices: Sequence[T], most: int) -> list[T]:
        """At most this number of the choices."""
        return [self.pick(choices) for _ in range(self.number(most + 1))]
