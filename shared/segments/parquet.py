"""Rows of a Parquet file, as text; a file that claims or unpacks to far more than it holds is refused.

Parquet can say "a thousand million times the same" in a few bytes, and a reader that believes it
fills the disk. So what it claims is weighed against its size before anything is read, and what it
unpacks to before anything is kept. Lists and structures are no values that a field could take.
https://parquet.apache.org/docs/file-format/
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NoReturn

import duckdb

from shared.errors import InputError
from shared.segments.fast import cell_of, literal, quoted
from shared.segments.rows import MAX_ROW
from shared.segments.unpack import Parquet, allowed_size

__all__ = ["claimed_rows", "load_parquet"]

# People differ at least in their addresses, so that every row takes some bytes; a small file may
# hold more rows than bytes.
_FREE_ROWS = 1_000_000
# What a row takes besides its texts.
_ROW = 16
_NUMBER = "file_row_number"
_NESTED = ("[", "(", "STRUCT", "MAP", "UNION", "LIST", "VARIANT")


def claimed_rows(connection: duckdb.DuckDBPyConnection, file: Parquet, blob: str) -> int:
    """How many rows the file says it has. InputError when that is none of its size."""
    query = f"SELECT sum(num_rows) FROM parquet_file_metadata({literal(str(file.path))})"  # noqa: S608
    try:
        answer = connection.execute(query).fetchone()
    except duckdb.Error:
        _unreadable(blob)
    rows = int(answer[0] or 0) if answer else 0
    if not 0 <= rows <= _FREE_ROWS + file.path.stat().st_size:
        _refuse("claims more rows than its size allows", blob)
    return rows


def load_parquet(
    connection: duckdb.DuckDBPyConnection,
    table: str,
    file: Parquet,
    columns: Sequence[str],
    blob: str,
) -> list[int]:
    """Append the rows to `table`; the numbers (from 1) of those that are too long to be kept.

    InputError names `blob` when it cannot be read, or is not worth being read.
    """
    try:
        return _load(connection, table, file, columns, blob)
    except duckdb.Error:
        _unreadable(blob)


def _load(
    connection: duckdb.DuckDBPyConnection,
    table: str,
    file: Parquet,
    columns: Sequence[str],
    blob: str,
) -> list[int]:
    claimed_rows(connection, file, blob)
    source = f"read_parquet({literal(str(file.path))}, {_NUMBER} = true)"
    described = connection.execute(f"DESCRIBE SELECT * FROM {source}").fetchall()  # noqa: S608
    types = {str(row[0]): str(row[1]) for row in described[:-1]}
    for column in columns:
        if column not in types:
            msg = f"The file {blob} has no column {column}."
            raise InputError(msg, code="columnMissing", where=blob)
        if any(mark in types[column] for mark in _NESTED) and types[column][:7] != "DECIMAL":
            _refuse("has lists or structures where values are needed", blob)
    sizes = [_size(column, types[column]) for column in dict.fromkeys(columns)]
    row_size = " + ".join((str(_ROW), *sizes))
    weighed = connection.execute(
        f"SELECT coalesce(sum(s) FILTER (s <= {MAX_ROW}), 0), count(*) FILTER (s > {MAX_ROW}) "  # noqa: S608
        f"FROM (SELECT {row_size} AS s FROM {source})"
    ).fetchone()
    total, long = weighed or (0, 0)
    if total > allowed_size(file.path.stat().st_size):
        _refuse("unpacks to far more than its size allows", blob)
    cells = "".join(f", {cell_of(f'{quoted(column)}::VARCHAR')}" for column in columns)
    fits = f"{row_size} <= {MAX_ROW}" if long else "true"
    connection.execute(
        f"INSERT INTO {quoted(table)} SELECT ?, {_NUMBER} + 1{cells} FROM {source} "  # noqa: S608
        f"WHERE {fits} ORDER BY {_NUMBER}",
        [blob],
    )
    if not long:
        return []
    found = connection.execute(
        f"SELECT {_NUMBER} + 1 FROM {source} WHERE {row_size} > {MAX_ROW} ORDER BY 1"  # noqa: S608
    )
    return [int(line) for (line,) in found.fetchall()]


def _size(column: str, kind: str) -> str:
    """An SQL expression for how long a value is as text, at most."""
    if kind in {"VARCHAR", "JSON"}:
        return f"coalesce(strlen({quoted(column)}), 0)"
    if kind == "BLOB":
        return f"coalesce(4 * octet_length({quoted(column)}), 0)"
    return "40"


def _unreadable(blob: str) -> NoReturn:
    # Not chained: DuckDB's message may hold content of the file.
    _refuse("is not a Parquet file that can be read", blob)


def _refuse(what: str, blob: str) -> NoReturn:
    msg = f"The file {blob} {what}."
    raise InputError(msg, code="fileUnreadable", where=blob) from None
