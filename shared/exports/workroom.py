"""The database in which a plan or a finish is worked out: a DuckDB file in a temporary folder.

Memory is bounded; what does not fit goes to disk beside it, and all of it is gone afterwards.
https://duckdb.org/docs/stable/guides/performance/how_to_tune_workloads
"""

from __future__ import annotations

from pathlib import Path

import duckdb

__all__ = ["MEMORY_LIMIT", "open_database"]

# One instance of 2,048 MB holds the Python worker, ten lanes and one of these.
MEMORY_LIMIT = "224MB"


def open_database(scratch: Path) -> duckdb.DuckDBPyConnection:
    """A new database in a folder. It may read and write local files below it, and nothing else."""
    return duckdb.connect(
        str(scratch / "work.duckdb"),
        config={
            "memory_limit": MEMORY_LIMIT,
            "threads": "2",
            "temp_directory": str(scratch / "spill"),
            "preserve_insertion_order": "false",
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
        },
    )
