"""Measures the SQL statements of plans and finishes: how often each ran, its processor time and its duration.

The processor time is that of the whole process. Statements that run at the same time, such as those that read two
files, count each other's.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import duckdb

from shared import workspace

_COMMENT = re.compile(r"--.*")
_BLANKS = re.compile(r"\s+")
_LONGEST = 100


@dataclass
class StatementTimes:
    """Number of executions, processor seconds and seconds, by the beginning of the statement."""

    by_statement: dict[str, list[float]] = field(default_factory=dict)

    def measure(self, statement: str, work: Callable[[], Any]) -> Any:
        """Do the work of a statement, and add its times."""
        used, began = time.process_time(), time.perf_counter()
        try:
            return work()
        finally:
            times = self.by_statement.setdefault(statement, [0, 0.0, 0.0])
            times[0] += 1
            times[1] += time.process_time() - used
            times[2] += time.perf_counter() - began

    def print(self, most: int) -> None:
        """Print the statements that used most processor time."""
        slowest = sorted(self.by_statement.items(), key=lambda one: -one[1][1])
        for statement, (number, used, seconds) in slowest[:most]:
            print(f"    {used:8.3f} s CPU {seconds:8.3f} s {number:5.0f} x  {statement}")


class _TimedConnection:
    """A connection that measures its statements; all else is that of the connection."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, times: StatementTimes) -> None:
        self._connection = connection
        self._times = times
        self._statement = ""

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._connection, name)
        if name not in ("fetchall", "fetchone", "fetchmany"):
            return value
        # A statement may compute its rows while they are fetched.
        return lambda *given: self._times.measure(self._statement, lambda: value(*given))

    def execute(self, query: Any, *parameters: Any) -> _TimedConnection:
        text = query if isinstance(query, str) else query.query
        self._statement = _BLANKS.sub(" ", _COMMENT.sub("", text)).strip()[:_LONGEST]
        self._times.measure(self._statement, lambda: self._connection.execute(query, *parameters))
        return self

    def cursor(self) -> _TimedConnection:
        return _TimedConnection(self._connection.cursor(), self._times)


@contextmanager
def timed_statements() -> Iterator[StatementTimes]:
    """Measure the statements of all databases that are opened within the context."""
    times = StatementTimes()
    opened = workspace._open

    def open_timed(folder: Path, memory: int, threads: int) -> duckdb.DuckDBPyConnection:
        connection = _TimedConnection(opened(folder, memory, threads), times)
        return cast("duckdb.DuckDBPyConnection", connection)

    workspace._open = open_timed
    try:
        yield times
    finally:
        workspace._open = opened
