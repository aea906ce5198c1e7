"""Inserts rows into a table of DuckDB, column by column, and the file from which the rows of lists are said to come.

`executemany` takes milliseconds a row, and so does parsing a statement with a marker for each value.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from duckdb import DuckDBPyConnection

from shared.model.source import Partition

ONE_FILE = Partition("one.csv", "1", 0)


def insert_rows(
    connection: DuckDBPyConnection, table: str, rows: Sequence[Sequence[Any]], names: str = ""
) -> None:
    """Append rows to a table; `names` are the columns in brackets, all without it."""
    if rows:
        columns = [list(column) for column in zip(*rows, strict=True)]
        marks = ", ".join("unnest(?)" for _ in columns)
        connection.execute(f"INSERT INTO {table} {names} SELECT {marks}", columns)
