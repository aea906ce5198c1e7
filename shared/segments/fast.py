"""Reads plain text with DuckDB's own CSV reader, and checks that the result is exact.

DuckDB drops an unclosed quote with all that follows, ignores extra empty columns and strips
blanks beside quotes. So it may read only text that is `plain` (see unpack.py), two watched columns
make a row of another width an error, the number of rows must be the number of lines, and the last line is
checked. In every other case the result is discarded and the exact reader (rows.py) reads the file.
https://duckdb.org/docs/current/data/csv/overview
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from os import SEEK_END

import duckdb

from shared.model.source import CsvFormat
from shared.segments.layout import Layout
from shared.segments.rows import LONGEST_CELL, MAX_ROW, reader
from shared.segments.unpack import MARK, Text

__all__ = ["cell_of", "literal", "load_plain", "quoted"]

_DELIMITERS = frozenset(",;|\t~^:\x01")
# DuckDB reads 2,048 rows of all columns at a time: with thousands of columns that takes more memory than an
# instance has, and as much time as the exact reader.
_WIDEST = 500


def load_plain(
    connection: duckdb.DuckDBPyConnection,
    table: str,
    text: Text,
    form: CsvFormat,
    layout: Layout,
    positions: Sequence[int | None],
    blob: str,
) -> bool:
    """Append the rows to `table`; False (and nothing appended) when DuckDB may have misread."""
    width = layout.width
    skipped = 1 if layout.header else 0
    if not text.plain or form.delimiter not in _DELIMITERS or not 0 < width <= _WIDEST:
        return False
    cells = ", ".join("NULL" if place is None else cell_of(f"c{place}") for place in positions)
    columns = ", ".join(f"'c{place}': 'VARCHAR'" for place in range(width + 1))
    quote = '"' if form.quoted else ""
    statement = f"""
        INSERT INTO {quoted(table)}
        SELECT ?, row_number() OVER () + {skipped}{", " if cells else ""}{cells}
        FROM read_csv({literal(str(text.path))}, columns = {{{columns}}},
            auto_detect = false, header = false, skip = {skipped}, delim = {literal(form.delimiter)},
            quote = '{quote}', escape = '{quote}', nullstr = {literal(MARK.decode())},
            null_padding = true, strict_mode = true, parallel = false,
            max_line_size = {MAX_ROW}, buffer_size = {4 * MAX_ROW})
        WHERE CASE WHEN c{width - 1} IS NULL OR c{width} IS NOT NULL
            THEN error('width') ELSE true END
    """  # noqa: S608 - names are quoted, the rest is ours
    connection.begin()
    try:
        answer = connection.execute(statement, [blob]).fetchone()
        count = int(answer[0]) if answer else 0
    except (duckdb.InvalidInputException, duckdb.ConversionException):
        connection.rollback()
        return False
    except BaseException:
        connection.rollback()
        raise
    if count != text.lines - skipped or not _ends_whole(text, form, width):
        connection.rollback()
        return False
    connection.commit()
    return True


def _ends_whole(text: Text, form: CsvFormat, width: int) -> bool:
    """Whether the last line has all cells: DuckDB drops a quote that the file's end cuts off."""
    with text.path.open("rb") as file:
        file.seek(max(0, file.seek(0, SEEK_END) - 2 * MAX_ROW))
        last = file.read().rstrip(b"\r\n").rpartition(b"\n")[2]
    try:
        return [len(cells) for cells in reader([last.decode()], form)] in ([width], [])
    except csv.Error:
        return False


def cell_of(text: str) -> str:
    """An SQL expression of text as a cell: empty text is NULL, and long text is truncated."""
    # Comparing lengths is cheap, truncating is not.
    return (
        f"nullif(CASE WHEN strlen({text}) > {LONGEST_CELL} THEN left({text}, {LONGEST_CELL}) "
        f"ELSE {text} END, '')"
    )


def quoted(name: str) -> str:
    """A name as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def literal(value: str) -> str:
    """A text as an SQL literal."""
    return "'" + value.replace("'", "''") + "'"
