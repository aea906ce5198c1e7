"""Temporary folders that do not outlive their process.

A process keeps its folders in one of its own, with a lock that the operating system releases when
the process ends, however it ends. The next process to start deletes the folders whose lock is free.
"""

from __future__ import annotations

import atexit
import os
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

if sys.platform != "win32":
    import fcntl


_NAME = "customer-insights-mailchimp-export"
_LOCK = "lock"
_UNLOCKED_FOR = 60.0
"""Seconds after which a folder without a lock belongs to a process that was killed at its start."""


def _root() -> Path:
    return Path(tempfile.gettempdir()) / _NAME


class _Process:
    """The folder of this process, made when it is first needed, and again if something deleted it."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._folder: Path | None = None
        self._lock: IO[bytes] | None = None
        self._pid = 0

    def folder(self) -> Path:
        """The folder; a new one after a fork."""
        with self._guard:
            while self._folder is None or self._pid != os.getpid() or not self._folder.exists():
                self._pid = os.getpid()
                if self._lock is not None:
                    self._lock.close()
                _root().mkdir(mode=0o700, parents=True, exist_ok=True)
                folder = Path(tempfile.mkdtemp(prefix=f"{self._pid}-", dir=_root()))
                # A process that starts at this moment may find the lock free, and delete the folder.
                with suppress(FileNotFoundError, BlockingIOError):
                    self._lock = _locked(folder / _LOCK)
                    self._folder = folder
            return self._folder

    def delete_folder(self) -> None:
        """Close the lock, and delete the folder unless it is that of the parent process."""
        with self._guard:
            if self._lock is not None:
                self._lock.close()
            if self._folder is not None and self._pid == os.getpid():
                shutil.rmtree(self._folder, ignore_errors=True)
            self._lock = self._folder = None

    def is_own(self, folder: Path) -> bool:
        """Whether a folder is this process's own."""
        return folder == self._folder and self._pid == os.getpid()


_PROCESS = _Process()
atexit.register(_PROCESS.delete_folder)


@contextmanager
def temporary_folder(prefix: str) -> Iterator[Path]:
    """A folder that is deleted at the end of the context, or when the next process starts."""
    with tempfile.TemporaryDirectory(prefix=prefix, dir=_PROCESS.folder()) as folder:
        yield Path(folder)


def stats_of_files(folder: Path) -> Iterator[os.stat_result]:
    """The size and times of all files below a folder. Files and folders may be deleted meanwhile."""
    # Unlike `Path.rglob`, `os.walk` ignores folders that are gone.
    for path, _, names in os.walk(folder):
        for name in names:
            with suppress(FileNotFoundError):
                yield Path(path, name).stat()


def delete_abandoned_folders() -> int:
    """Delete the folders of processes that have ended; how many there were."""
    count = 0
    for folder in _root().glob("*-*"):
        if _PROCESS.is_own(folder) or not _is_abandoned(folder):
            continue
        shutil.rmtree(folder, ignore_errors=True)
        count += 1
    return count


def _locked(path: Path) -> IO[bytes]:
    file = path.open("wb")
    if sys.platform != "win32":
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return file


def _is_abandoned(folder: Path) -> bool:
    path = folder / _LOCK
    if sys.platform == "win32":
        with suppress(OSError):  # a file that is open cannot be deleted there
            path.unlink(missing_ok=True)
            return True
        return False
    try:
        with path.open("rb+") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
    except FileNotFoundError:
        # Being made at this moment, unless nothing in it has changed for a while.
        with suppress(OSError):
            return _age(folder) > _UNLOCKED_FOR
        return False
    except OSError:
        return False


def _age(folder: Path) -> float:
    return time.time() - folder.stat().st_mtime
