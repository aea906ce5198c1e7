"""Reads the lines of several chunks of a plan with one request, for all lanes of a process.

A process claims chunks in their order, so the lines that follow are needed next. The file of lines never
changes.
"""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass

from shared.model.ports import Files

# About ten chunks. Two blocks are kept, because lanes may be reading on both sides of an edge.
_BLOCK = 512 * 1024
_KEPT = 2


@dataclass(frozen=True)
class _Block:
    start: int
    data: bytes


class LineBlocks:
    """The last blocks of one file of lines that were read."""

    def __init__(self, files: Files, name: str) -> None:
        self._files = files
        self._name = name
        self._lock = threading.Lock()
        self._blocks: deque[_Block] = deque(maxlen=_KEPT)

    def read(self, start: int, length: int) -> bytes:
        """Read `length` bytes from `start`, fewer at the end of the file. NotFound when it is missing."""
        # Lanes that need the same block wait for the one that reads it.
        with self._lock:
            for block in self._blocks:
                offset = start - block.start
                if offset >= 0 and offset + length <= len(block.data):
                    return block.data[offset : offset + length]
            data = self._files.read(self._name, start, max(length, _BLOCK))
            self._blocks.append(_Block(start, data))
            return data[:length]
