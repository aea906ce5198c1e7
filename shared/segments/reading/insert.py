"""Inserts rows into DuckDB that Python read, of one file or of several.

A statement costs as much as reading thousands of rows, so the rows of small files are inserted together.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from threading import Lock

import duckdb
import orjson

from shared.errors import InputError
from shared.segments.reading.exact_csv import LONGEST_CELL
from shared.segments.reading.fast_csv import literal, quoted
from shared.workspace import execute

# DuckDB reserves 64 MB to read JSON, however small the file is: two files at a time would need half of the
# memory of a run.
_READING_JSON = Lock()
_MOST_TOGETHER = 4 * 1024 * 1024

# The line at which a row begins, and its wanted cells.
WantedRow = tuple[int, Sequence[str]]


def insert_rows(
    connection: duckdb.DuckDBPyConnection,
    table: str,
    width: int,
    rows: Iterable[WantedRow],
    blob: str,
    local: Path,
) -> None:
    """Append the rows of a file, each with `width` cells. They are stored in the file `local` before."""
    count = 0
    try:
        with local.open("wb") as file:
            for row in rows:
                file.write(_line(0, *row))
                count += 1
        _insert(connection, table, width, local, count, [blob])
    finally:
        local.unlink(missing_ok=True)


class SmallFiles:
    """Appends the rows of many small files to a table. Several threads may add files."""

    def __init__(
        self, connection: duckdb.DuckDBPyConnection, table: str, width: int, local: Path
    ) -> None:
        self._connection = connection
        self._table = table
        self._width = width
        self._local = local
        self._lock = Lock()
        self._lines: list[bytes] = []
        self._blobs: list[str] = []
        self._size = 0

    def add(self, rows: Iterable[WantedRow], blob: str) -> None:
        """Add the rows of a file."""
        read = list(rows)
        with self._lock:
            lines = [_line(len(self._blobs), *row) for row in read]
            self._blobs.append(blob)
            self._lines += lines
            self._size += sum(map(len, lines)) + len(blob)
            if self._size > _MOST_TOGETHER:
                self._insert()

    def insert(self) -> None:
        """Append the rows that are not in the table yet."""
        with self._lock:
            self._insert()

    def _insert(self) -> None:
        try:
            self._local.write_bytes(b"".join(self._lines))
            _insert(
                self._connection,
                self._table,
                self._width,
                self._local,
                len(self._lines),
                self._blobs,
            )
        finally:
            self._local.unlink(missing_ok=True)
        self._lines, self._blobs, self._size = [], [], 0


def _line(file: int, line: int, cells: Sequence[str]) -> bytes:
    """A row as a line of JSON, because it carries every character that a cell may hold and DuckDB reads it exactly."""
    written = orjson.dumps([str(file), str(line), *cells])
    if len(written) > LONGEST_CELL:
        written = orjson.dumps([str(file), str(line), *(cell[:LONGEST_CELL] for cell in cells)])
    return written + b"\n"


def _insert(
    connection: duckdb.DuckDBPyConnection,
    table: str,
    width: int,
    path: Path,
    count: int,
    blobs: Sequence[str],
) -> None:
    if count == 0:
        return
    cells = "".join(f", nullif(r[{position + 3}], '')" for position in range(width))
    statement = f"""
        INSERT INTO {quoted(table)}
        SELECT list_extract($blobs::VARCHAR[], r[1]::BIGINT + 1), r[2]::BIGINT{cells}
        FROM read_json({literal(str(path))}, columns = {{'r': 'VARCHAR[]'}},
            format = 'newline_delimited', records = 'false')
        """  # noqa: S608 - names are quoted, the rest is ours
    with _READING_JSON:
        answer = execute(connection, statement, {"blobs": list(blobs)}).fetchone()
    if answer is None or answer[0] != count:
        raise InputError("fileNotLoaded", where=blobs[0])
