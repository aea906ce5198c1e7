"""DuckDB databases that tests use one after the other, because a new one takes 10 ms of the processor.

DuckDB registers thousands of functions in each. A database is empty again when the next test or step takes it:
its tables, views, macros and variables are gone. The app as a process opens new databases.
"""

from __future__ import annotations

import re
import threading
from collections import defaultdict
from pathlib import Path
from typing import Any, cast

import duckdb
from duckdb import DuckDBPyConnection

_SHARED = Path(__file__).resolve().parent.parent / "shared"
# Asking DuckDB for them takes 7 ms.
_MACROS = sorted(
    {
        name
        for file in _SHARED.rglob("sql/*.sql")
        for name in re.findall(r"CREATE OR REPLACE MACRO (\w+)", file.read_text("utf-8"))
    }
)
_DROP_MACROS = "; ".join(f"DROP MACRO IF EXISTS {name}" for name in _MACROS)
_CONTENT = """
    SELECT 'TABLE ' || '"' || table_name || '"' FROM duckdb_tables()
    UNION ALL
    SELECT 'VIEW ' || '"' || view_name || '"' FROM duckdb_views() WHERE NOT internal
"""
_UNUSED: defaultdict[int, list[DuckDBPyConnection]] = defaultdict(list)
_LOCK = threading.Lock()


class ReusedDatabase:
    """A connection to an empty database; closing it empties the database for the next one."""

    def __init__(self, database: DuckDBPyConnection, threads: int) -> None:
        self._database = database
        self._threads = threads
        # The variables of a connection end with it.
        self._connection = database.cursor()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    def __enter__(self) -> ReusedDatabase:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def close(self) -> None:
        self._connection.close()
        try:
            found = self._database.execute(_CONTENT).fetchall()
            drops = "; ".join(f"DROP {name}" for (name,) in found)
            self._database.execute(f"{_DROP_MACROS}; {drops}")
        except duckdb.Error:  # for example because another connection uses it
            self._database.close()
            return
        with _LOCK:
            _UNUSED[self._threads].append(self._database)


def open_database(folder: Path, memory: int, threads: int) -> DuckDBPyConnection:
    """Do what `workspace._open` does, with a database that was used before."""
    settings = (
        f"SET memory_limit = '{memory}MB'; SET preserve_insertion_order = false; "
        f"SET temp_directory = '{folder / 'spill'}'"
    )
    database = _taken(threads)
    try:
        database.execute(settings)
    except duckdb.Error:  # a database that has used its folder keeps it
        database.close()
        database = _opened(threads)
        database.execute(settings)
    return cast("DuckDBPyConnection", ReusedDatabase(database, threads))


def connect() -> DuckDBPyConnection:
    """Do what `duckdb.connect()` does, for a test that reads or writes a few rows; use it in a `with` statement."""
    return cast("DuckDBPyConnection", ReusedDatabase(_taken(0), 0))


def _taken(threads: int) -> DuckDBPyConnection:
    with _LOCK:
        unused = _UNUSED[threads]
        if unused:
            return unused.pop()
    return _opened(threads)


def _opened(threads: int) -> DuckDBPyConnection:
    return duckdb.connect(
        ":memory:",
        config={
            "threads": threads or 1,
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
            "allow_community_extensions": "false",
        },
    )
