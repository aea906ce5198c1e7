"""Text without surprises, read by DuckDB's own CSV reader, and only if it read it exactly.

DuckDB drops an unclosed quote with all that follows, ignores extra empty columns and strips
blanks beside quotes. So it may read only text that is `plain` (see unpack.py), two watched columns
make a row of another width an error, and the number of rows must be the number of lines. In every
other case nothing is kept and the exact reader (rows.py) does the work.
https://duckdb.org/docs/current/data/csv/overview
"""

from __future__ import annotations

from collections.abc import Sequence

import duckdb

from shared.exports.source import CsvFormat
from shared.segments.layout import Layout
from shared.segments.rows import MAX_ROW
from shared.segments.unpack import MARK, Text

__all__ = ["literal", "load_plain", "quoted"]

_DELIMITERS = frozenset(",;|\t~^:\x01")


def load_plain(
    connection: duckdb.DuckDBPyConnection,
    table: str,
    text: Text,
    form: CsvFormat,
    layout: Layout,
    positions: Sequence[int | None],
    blob: str,
) -> int | None:
    """Append the rows to `table`; their number, or None when DuckDB may have misread."""
    width = layout.width
    skipped = 1 if layout.header else 0
    if not text.plain or form.delimiter not in _DELIMITERS or width == 0:
        return None
    cells = ", ".join("NULL" if place is None else f"nullif(c{place}, '')" for place in positions)
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
        return None
    except BaseException:
        connection.rollback()
        raise
    if count != text.lines - skipped:
        connection.rollback()
        return None
    connection.commit()
    return count


def quoted(name: str) -> str:
    """A name as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def literal(value: str) -> str:
    """A text as an SQL literal."""
    return "'" + value.replace("'", "''") + "'"
