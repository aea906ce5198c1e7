"""Reads plain text with DuckDB's own CSV reader, and proves that the result is exact.

DuckDB drops an unclosed quote with all that follows, ignores extra empty columns and empty lines, and strips
blanks beside quotes. So it may read only text that is `plain` (see unpack.py), two watched columns make a
row of another width an error, and the sums must be right: the bytes and lines of the file are those of
the cells, the delimiters and the line ends. The last row is checked. DuckDB refuses bytes that are not UTF-8
in the columns that a query uses, and the sums use all columns. In every other case the result is discarded and
the exact reader (exact_csv.py) reads the file (decision record 77).
https://duckdb.org/docs/current/data/csv/overview
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass

import duckdb

from shared.segments.reading.exact_csv import LONGEST_CELL, MAX_ROW, reader
from shared.segments.reading.text_file import TextFile
from shared.segments.reading.unpack import MARK

_DELIMITERS = frozenset(",;|\t~^:\x01")
# DuckDB reads 2,048 rows of all columns at a time: with thousands of columns that takes more memory than an
# instance has, and as much time as the exact reader.
_WIDEST = 500
# The last row is read again when it is not longer.
_TAIL = 256 * 1024


def load_plain(
    connection: duckdb.DuckDBPyConnection,
    table: str,
    file: TextFile,
    positions: Sequence[int],
) -> bool:
    """Append the rows to `table`; False (and nothing appended) when DuckDB may have misread.

    `positions` are those of the wanted columns in the file.
    """
    if (
        not file.text.plain
        or not file.starts_with_line
        or file.form.delimiter not in _DELIMITERS
        or not 0 < file.layout.width <= _WIDEST
    ):
        return False
    edges = _Edges.of(file)
    connection.begin()
    try:
        answer = connection.execute(
            f"INSERT INTO {quoted(table)} {_rows_query(file, positions, edges)}", [file.blob]
        ).fetchone()
        count = answer[0] if answer else 0
        exact = _ends_with_whole_row(connection, table, file, edges, count)
    except (duckdb.InvalidInputException, duckdb.ConversionException):
        connection.rollback()
        return False
    except BaseException:
        connection.rollback()
        raise
    if exact:
        connection.commit()
    else:
        connection.rollback()
    return exact


@dataclass(frozen=True)
class _Edges:
    """The beginning and the end of a file.

    `tail` are its last bytes, `line_end` is the length of a line end. `expected` is the sum of the bytes of all
    rows: all bytes after the header except quotes, and the last line end if it is missing.
    """

    tail: bytes
    line_end: int
    expected: int

    @classmethod
    def of(cls, file: TextFile) -> _Edges:
        text = file.text
        with text.path.open("rb") as opened:
            first = opened.readline()
            opened.seek(max(0, text.size - _TAIL))
            tail = opened.read()
        header = first if file.layout.header else b""
        line_end = 2 if first.endswith(b"\r\n") else 1
        missing = 0 if tail.endswith(b"\n") else line_end
        quotes = text.quotes - header.count(b'"') if file.form.quoted else 0
        return cls(tail, line_end, text.size - len(header) - quotes + missing)


def _rows_query(file: TextFile, positions: Sequence[int], edges: _Edges) -> str:
    """The query for the file, the line and the wanted cells of each row. It fails when sums differ."""
    text, form, width = file.text, file.form, file.layout.width
    skipped = 1 if file.layout.header else 0
    wanted = [f"w{number}" for number in range(len(positions))]
    cells = "".join(
        f"{cell_of(f'c{position}')} AS {name}, "
        for position, name in zip(positions, wanted, strict=True)
    )
    columns = ", ".join(f"'c{position}': 'VARCHAR'" for position in range(width + 1))
    row = f"concat({', '.join(f'c{position}' for position in range(width))})"
    quote = '"' if form.quoted else ""
    last = f"c{width - 1}"
    has_more = f"{last} <> ''" if file.layout.has_last_delimiter else "false"
    # Only a quoted cell can have a line break, or a quote that is written twice.
    quotes, breaks = "0", "0"
    if text.quotes and form.quoted:
        quotes, breaks = _count_of("'\"'"), _count_of("chr(10)")
    so_far = "OVER (ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)"
    return f"""
        SELECT {", ".join(["?", f"{skipped} + lines - breaks", *wanted])}
        FROM (
            SELECT
                *, (sum(breaks + 1) {so_far})::BIGINT AS lines, sum(bytes) {so_far} AS read,
                lead(1) OVER () AS more
            FROM (
                SELECT
                    * EXCLUDE (row), {breaks} AS breaks,
                    strlen(row) - {quotes} + {width - 1 + edges.line_end} AS bytes
                FROM (
                    SELECT {cells}{row} AS row
                    FROM read_csv({literal(str(text.path))}, columns = {{{columns}}},
                        auto_detect = false, header = false, skip = {skipped},
                        delim = {literal(form.delimiter)}, quote = '{quote}', escape = '{quote}',
                        nullstr = {literal(MARK.decode())}, null_padding = true,
                        strict_mode = true, parallel = false,
                        max_line_size = {MAX_ROW}, buffer_size = {4 * MAX_ROW})
                    WHERE CASE WHEN {last} IS NULL OR c{width} IS NOT NULL OR {has_more}
                        THEN error('width') ELSE true END
                )
            )
        )
        WHERE CASE
            WHEN more IS NULL AND (read <> {edges.expected} OR lines <> {text.lines - skipped})
                THEN error('sums')
            ELSE true
        END
    """  # noqa: S608 - names are quoted, the rest is ours


def _count_of(character: str) -> str:
    """An SQL expression: how often an ASCII character is in `row`."""
    # Most rows have none, and looking for it is cheap.
    return (
        f"CASE WHEN contains(row, {character}) "
        f"THEN strlen(row) - strlen(replace(row, {character}, '')) ELSE 0 END"
    )


def _ends_with_whole_row(
    connection: duckdb.DuckDBPyConnection, table: str, file: TextFile, edges: _Edges, count: int
) -> bool:
    """Whether the last of `count` loaded rows is whole: DuckDB drops a quote that the file's end cuts off."""
    if count == 0:
        return edges.expected == 0
    row = connection.execute(f"SELECT max(line) FROM {quoted(table)} WHERE file = ?", [file.blob])  # noqa: S608
    (last,) = row.fetchone() or (0,)
    *before, unfinished = edges.tail.split(b"\n")
    lines = [*before, unfinished] if unfinished else before
    many = file.text.lines - last + 1
    if many >= len(lines) and len(edges.tail) < file.text.size:
        return False  # the row begins before the tail
    lines = lines[-many:]
    try:
        found = reader([line.decode() + "\n" for line in lines], file.form)
        return [len(cells) for cells in found] == [file.layout.width]
    except (csv.Error, UnicodeDecodeError):
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
