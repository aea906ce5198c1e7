"""The memory of all threads comes from one place."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

# Threads that hold memory at the same time; glibc reports its arenas as `<heap nr="0">`, and so on.
_THREADS = """
import ctypes, sys, threading
from shared.allocator import use_one_arena
if len(sys.argv) > 1:
    use_one_arena()
libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
barrier = threading.Barrier(6)
def work():
    libc.malloc(ctypes.c_size_t(100_000))
    barrier.wait()
threads = [threading.Thread(target=work) for _ in range(6)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
libc.malloc_info(0, ctypes.c_void_p.in_dll(libc, "stdout"))
libc.fflush(None)
"""


def _arenas(project: Path, *arguments: str) -> int:
    command = [sys.executable, "-c", _THREADS, *arguments]
    found = subprocess.run(command, cwd=project, capture_output=True, text=True, check=True)
    return found.stdout.count("<heap nr=")


def test_threads_share_one_arena(project: Path) -> None:
    assert _arenas(project, "one arena") == 1
    assert _arenas(project) > 1
