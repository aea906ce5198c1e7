"""The peak memory of this process, and the peak size of its temporary folder, during a piece of work."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.environment import forget_peak, peak_memory_mb
from shared.temporary import stats_of_files

_EVERY = 0.1
# Of `st_blocks`, whatever the file system.
_BLOCK = 512


@dataclass
class Peaks:
    """Peaks in MB (1,000,000 bytes for the disk, as in the messages of the app)."""

    memory: float = 0.0
    disk: float = 0.0


@contextmanager
def peaks(folder: Path) -> Iterator[Peaks]:
    """Measure the peaks during the context. `folder` contains all temporary files of the process."""
    found = Peaks()
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(_EVERY):
            found.disk = max(found.disk, disk_mb(folder))

    forget_peak(os.getpid())
    watching = threading.Thread(target=watch, daemon=True)
    watching.start()
    try:
        yield found
    finally:
        ended.set()
        watching.join()
        found.memory = peak_memory_mb(os.getpid())


def disk_mb(folder: Path) -> float:
    """What the files of a folder take on the disk."""
    return sum(file.st_blocks * _BLOCK for file in stats_of_files(folder)) / 1_000_000
