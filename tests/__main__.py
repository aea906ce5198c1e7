"""`python -m tests` runs pytest, so that its closing line is the last one printed.

Python's own teardown is skipped: in it, duckdb's bindings report forty lines of "leaks" if anything
(here hypothesis) still refers to one of their types. Fixtures have ended what they started before that.
"""

import os
import shutil
import sys
from pathlib import Path

import pytest

MEMORY_DISK = Path("/dev/shm")


def memory_disk_has_room() -> bool:
    """Whether the files of tests fit into memory, and tests can run the programs that they write."""
    if not MEMORY_DISK.is_dir() or os.statvfs(MEMORY_DISK).f_flag & os.ST_NOEXEC:
        return False
    return shutil.disk_usage(MEMORY_DISK).free > 4_000_000_000


# Azurite waits for the disk at every write.
if memory_disk_has_room():
    os.environ.setdefault("TMPDIR", str(MEMORY_DISK))
# Workers import the tests from bytecode as well.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

code = pytest.main(sys.argv[1:])
sys.stdout.flush()
sys.stderr.flush()
os._exit(code)
