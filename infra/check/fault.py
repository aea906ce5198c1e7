"""One thing that is wrong, and where.

A check returns a list of faults and raises nothing: all faults are seen at once.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Fault"]


@dataclass(frozen=True, order=True)
class Fault:
    """`path` is relative to the project, `line` counts from 1 (0: the file as a whole)."""

    path: str
    line: int
    message: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.message}"
