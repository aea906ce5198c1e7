"""The database in which a plan or a finish is worked out: a DuckDB file in a temporary folder.

Memory is bounded: what does not fit goes to disk beside it, and a process has one such room, so that
several plans at once wait instead of filling the instance. All of it is gone afterwards.
https://duckdb.org/docs/stable/guides/performance/how_to_tune_workloads
"""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import duckdb

from shared.errors import InputError

__all__ = ["MEMORY_LIMIT", "READING_LIMIT", "small_workspace", "workspace"]

# One instance of 2,048 MB holds the Python worker, ten lanes and one of these.
MEMORY_LIMIT = "288MB"
# Looking into a file streams it; two of these at once fit beside all that.
READING_LIMIT = "96MB"
_ONE_AT_A_TIME = threading.BoundedSemaphore(1)


@contextmanager
def workspace() -> Iterator[tuple[duckdb.DuckDBPyConnection, Path]]:
    """A new database, and the folder around it for local files. One at a time in a process.

    InputError when what is worked on does not fit into its memory: it would not the next time.
    """
    with (
        _ONE_AT_A_TIME,
        tempfile.TemporaryDirectory(prefix="work-") as folder,
        closing(_open(str(Path(folder) / "work.duckdb"), Path(folder))) as db,
    ):
        try:
            yield db, Path(folder)
        except duckdb.OutOfMemoryException:
            # Not chained: DuckDB's message may hold content.
            raise InputError("tooMuchForMemory") from None


@contextmanager
def small_workspace() -> Iterator[tuple[duckdb.DuckDBPyConnection, Path]]:
    """A small database and a folder, to look into single files beside a plan that is going on."""
    with (
        tempfile.TemporaryDirectory(prefix="read-") as folder,
        closing(_open(":memory:", Path(folder), READING_LIMIT, "1")) as db,
    ):
        db.execute("SET preserve_insertion_order = true")
        yield db, Path(folder)


def _open(
    database: str, folder: Path, memory: str = MEMORY_LIMIT, threads: str = "2"
) -> duckdb.DuckDBPyConnection:
    return duckdb.connect(
        database,
        config={
            "memory_limit": memory,
            "threads": threads,
            "temp_directory": str(folder / "spill"),
            "preserve_insertion_order": "false",
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
            "allow_community_extensions": "false",
        },
    )
