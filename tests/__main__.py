"""`python -m tests` runs pytest with its files in memory, and with bytecode."""

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

sys.exit(pytest.main(sys.argv[1:]))
