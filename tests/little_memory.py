"""A DuckDB connection whose memory is enough for a few threads only."""

from __future__ import annotations

from typing import Any

import duckdb

SETTINGS = ("SET ", "SELECT current_setting")


class LittleMemory:
    """A connection whose memory is enough for statements with `most_threads` threads."""

    def __init__(self, db: duckdb.DuckDBPyConnection, most_threads: int) -> None:
        self._db = db
        self._most_threads = most_threads

    def __getattr__(self, name: str) -> Any:
        return getattr(self._db, name)

    def cursor(self) -> LittleMemory:
        return LittleMemory(self._db.cursor(), self._most_threads)

    def execute(self, statement: Any, values: Any = None) -> Any:
        text = statement if isinstance(statement, str) else statement.query
        if not text.startswith(SETTINGS) and threads(self._db) > self._most_threads:
            message = "Out of Memory Error: failed to allocate"
            raise duckdb.OutOfMemoryException(message)
        return self._db.execute(statement, values)


def threads(db: duckdb.DuckDBPyConnection) -> int:
    (number,) = db.cursor().execute("SELECT current_setting('threads')").fetchone() or (0,)
    return int(number)
