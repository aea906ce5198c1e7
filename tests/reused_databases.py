"""Empty DuckDB databases for tests, in processes of DuckDB that earlier tests used: a new one takes 15 ms of the processor.

DuckDB registers thousands of functions in each. A test or step attaches a database to one that nothing else uses,
and detaches it at the end with its tables, views, macros and types. The app as a process opens new databases.
"""

from __future__ import annotations

import itertools
import threading
from collections import defaultdict
from pathlib import Path
from typing import Any, Self, cast

import duckdb
from duckdb import DuckDBPyConnection

_UNUSED: defaultdict[int, list[DuckDBPyConnection]] = defaultdict(list)
_LOCK = threading.Lock()
_NUMBERS = itertools.count()


class _Connection:
    """A connection that uses an attached database. Its variables end with it."""

    def __init__(self, instance: DuckDBPyConnection, name: str) -> None:
        self._connection = instance.cursor()
        self._connection.execute(f"USE {name}")
        self._name = name

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def cursor(self) -> _Connection:
        return _Connection(self._connection, self._name)

    def close(self) -> None:
        self._connection.close()


class ReusedDatabase(_Connection):
    """A connection to an empty database, which is gone when it is closed."""

    def __init__(self, instance: DuckDBPyConnection, threads: int) -> None:
        name = f"database{next(_NUMBERS)}"
        instance.execute(f"ATTACH ':memory:' AS {name}")
        super().__init__(instance, name)
        self._instance = instance
        self._threads = threads

    def close(self) -> None:
        super().close()
        try:
            self._instance.execute(f"DETACH {self._name}")
        except duckdb.Error:  # for example after a fatal error
            self._instance.close()
            return
        with _LOCK:
            _UNUSED[self._threads].append(self._instance)


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
