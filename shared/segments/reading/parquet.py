"""Rows of a Parquet file, as text; a file whose claimed or unpacked size is implausible is refused.

Parquet can encode a thousand million equal values in a few bytes, which would fill the disk. So the number of
rows is compared with the size of the file before it is read, and the unpacked size before anything is stored.
Lists and structures are not read, because no field accepts them. Columns are selected by position: DuckDB
ignores the case of names, and files may not. Text without the UTF8 annotation, as old writers leave it, is
decoded here. So are ids of 16 bytes without the UUID annotation.
https://parquet.apache.org/docs/file-format/
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NoReturn

import duckdb

from shared.errors import InputError
from shared.model.outcome import Code
from shared.segments.reading.exact_csv import MAX_ROW
from shared.segments.reading.fast_csv import cell_of, literal, quoted
from shared.segments.reading.layout import find_column, position_of
from shared.segments.reading.unpack import Parquet, allowed_size
from shared.workspace import execute

# People differ at least in their addresses, so every row takes some bytes; a small file may
# hold more rows than bytes.
_FREE_ROWS = 1_000_000
# What a row takes besides its texts.
_ROW = 16
# A virtual column. The option of `read_parquet` would refuse a file that has a column with this name.
_NUMBER = "file_row_number"
_NUMBERS = ("DECIMAL", "DOUBLE", "FLOAT")
_WITH_TIME_ZONE = frozenset({"TIMESTAMP WITH TIME ZONE", "TIMESTAMPTZ_NS"})
# The kind of a column whose values have 16 bytes each, and no annotation. DuckDB has no type for it.
_SIXTEEN_BYTES = "BLOB(16)"
_NESTED = ("[", "(", "STRUCT", "MAP", "UNION", "LIST", "VARIANT")


def claimed_rows(connection: duckdb.DuckDBPyConnection, file: Parquet, blob: str) -> int:
    """The number of rows in the file's metadata. InputError when it is implausible for the file's size."""
    query = f"SELECT sum(num_rows) FROM parquet_file_metadata({literal(str(file.path))})"  # noqa: S608
    with _readable(blob):
        answer = execute(connection, query).fetchone()
    rows = int(answer[0] or 0) if answer else 0
    if not 0 <= rows <= _FREE_ROWS + file.path.stat().st_size:
        raise InputError("fileClaimsRows", where=blob)
    return rows


def parquet_columns(
    connection: duckdb.DuckDBPyConnection, file: Parquet, blob: str
) -> list[tuple[str, str]]:
    """The columns of a file in their order, as (name, DuckDB type or `_SIXTEEN_BYTES`). InputError as above."""
    path = literal(str(file.path))
    with _readable(blob):
        schema = execute(
            connection,
            "SELECT name, coalesce(num_children, 0), type = 'FIXED_LEN_BYTE_ARRAY' AND type_length = '16' "  # noqa: S608
            f"FROM parquet_schema({path})",
        ).fetchall()
        types = execute(
            connection,
            f"DESCRIBE SELECT * FROM read_parquet({path})",  # noqa: S608
        ).fetchall()
    columns: list[tuple[str, bool]] = []
    index = 1
    while index < len(schema):
        name, _, has_sixteen_bytes = schema[index]
        columns.append((str(name), bool(has_sixteen_bytes)))
        index = _after(schema, index)
    if len(columns) != len(types):
        _unreadable(blob)
    return [
        (name, _SIXTEEN_BYTES if has_sixteen_bytes and row[1] == "BLOB" else str(row[1]))
        for (name, has_sixteen_bytes), row in zip(columns, types, strict=True)
    ]


def load_parquet(
    connection: duckdb.DuckDBPyConnection,
    table: str,
    file: Parquet,
    columns: Sequence[str],
    listed: Sequence[str],
    blob: str,
) -> tuple[list[tuple[int, Code]], set[str]]:
    """Append the rows to `table`. `columns` are some of the `listed` columns of the segment.

    Returns the row numbers (from 1) of unusable rows with the reason, and the numeric columns.

    InputError names `blob` when it cannot be read or its size is implausible.
    """
    with _readable(blob):
        return _load(connection, table, file, columns, listed, blob)


def _load(
    connection: duckdb.DuckDBPyConnection,
    table: str,
    file: Parquet,
    columns: Sequence[str],
    listed: Sequence[str],
    blob: str,
) -> tuple[list[tuple[int, Code]], set[str]]:
    claimed_rows(connection, file, blob)
    in_file = parquet_columns(connection, file, blob)
    indexes = [_index_of(column, listed, in_file, blob) for column in columns]
    kinds = {index: in_file[index][1] for index in indexes}
    cells = ", ".join(f"c{index}" for index in range(len(in_file)))
    source = f"read_parquet({literal(str(file.path))}) AS parquet({cells})"
    row_size = " + ".join((str(_ROW), *(_size(f"c{at}", kind) for at, kind in kinds.items())))
    _check_size(connection, source, row_size, file, blob)
    texts = {index: _text(f"c{index}", kind) for index, kind in kinds.items()}
    blobs = [index for index, kind in kinds.items() if kind == "BLOB"]
    bad = " OR ".join(f"(c{index} IS NOT NULL AND {texts[index]} IS NULL)" for index in blobs)
    row_error = (
        f"CASE WHEN {row_size} > {MAX_ROW} THEN '{Code.ROW_TOO_LONG}' "
        f"WHEN {bad or 'false'} THEN '{Code.ROW_BAD_ENCODING}' END"
    )
    values = "".join(f", {cell_of(texts[index])}" for index in indexes)
    execute(
        connection,
        f"INSERT INTO {quoted(table)} SELECT ?, {_NUMBER} + 1{values} FROM {source} "  # noqa: S608
        f"WHERE {row_error} IS NULL ORDER BY {_NUMBER}",
        [blob],
    )
    refused = execute(
        connection,
        f"SELECT {_NUMBER} + 1, {row_error} AS code FROM {source} "  # noqa: S608
        "WHERE code IS NOT NULL ORDER BY 1",
    )
    numeric = {
        column
        for column, index in zip(columns, indexes, strict=True)
        if kinds[index].startswith(_NUMBERS)
    }
    return [(int(line), Code(code)) for line, code in refused.fetchall()], numeric


def _index_of(
    column: str, listed: Sequence[str], in_file: Sequence[tuple[str, str]], blob: str
) -> int:
    """The position of one of the listed columns in the file. InputError for a list or a structure."""
    names = [name for name, _ in in_file]
    # A name that the file has twice is in this list once. `find_column` finds it, and `position_of` refuses the two columns.
    others = list(dict.fromkeys(name for name in names if name == column or name not in listed))
    index = position_of(find_column(column, others) or column, column, names, blob)
    kind = in_file[index][1]
    if any(mark in kind for mark in _NESTED) and not kind.startswith(("DECIMAL", _SIXTEEN_BYTES)):
        raise InputError("columnNested", where=blob, attribute=column)
    return index


def _check_size(
    connection: duckdb.DuckDBPyConnection, source: str, row_size: str, file: Parquet, blob: str
) -> None:
    """Raise InputError when the rows that would be read are implausibly large for the file."""
    found = execute(
        connection,
        f"SELECT sum(s) FILTER (s <= {MAX_ROW}) FROM (SELECT {row_size} AS s FROM {source})",  # noqa: S608
    ).fetchone()
    if ((found and found[0]) or 0) > allowed_size(file.path.stat().st_size):
        raise InputError("fileUnpacksTooLarge", where=blob)


def _after(schema: Sequence[tuple[str, int, bool]], index: int) -> int:
    """The position in a schema after an element and its children."""
    waiting = 1
    while waiting and index < len(schema):
        waiting += int(schema[index][1]) - 1
        index += 1
    return index


def _text(cell: str, kind: str) -> str:
    """An SQL expression for a value as text; of a BLOB, NULL when it is not UTF-8."""
    if kind == "BLOB":
        return f"try(decode({cell}))"
    if kind == _SIXTEEN_BYTES:
        # A UUID, unless the bytes are text, which may be filled up with zeros. Random bytes are hardly ever text.
        text = f"try(decode({cell}))"
        return (
            f"CASE WHEN regexp_full_match({text}, '\\P{{Cc}}+\\x00*') THEN {text} "
            f"ELSE lower(hex({cell}))::UUID::VARCHAR END"
        )
    if kind == "DATE" or kind.startswith("TIMESTAMP"):
        # Without a zone, DuckDB uses that of the machine, and the day depends on it.
        has_zone = kind in _WITH_TIME_ZONE
        moment = f"({cell} AT TIME ZONE 'UTC')" if has_zone else cell
        text = f"({moment}::VARCHAR || '+00')" if has_zone else f"{cell}::VARCHAR"
        # Writers store the largest number for "no end". DuckDB would write "infinity", which no one has written.
        return f"CASE WHEN isfinite({moment}) THEN {text} END"
    if kind in {"DOUBLE", "FLOAT"}:
        # Writers such as pandas store whole numbers with gaps, such as phone numbers and ids, as floating-point
        # numbers, and some store a gap as NaN. DuckDB would write 821012345678.0 and nan. `isnan` is false where
        # the statistics of the file, which may ignore NaN, exclude it.
        return (
            f"CASE WHEN {cell}::VARCHAR = 'nan' THEN NULL "
            f"WHEN {cell} = trunc({cell}) AND abs({cell}) < 1e15 THEN {cell}::BIGINT::VARCHAR "
            f"ELSE {cell}::VARCHAR END"
        )
    return f"{cell}::VARCHAR"


def _size(cell: str, kind: str) -> str:
    """An SQL expression for how long a value is as text, at most."""
    if kind in {"VARCHAR", "JSON"}:
        return f"coalesce(strlen({cell}), 0)"
    if kind == "BLOB":
        return f"coalesce(octet_length({cell}), 0)"
    return "40"


@contextmanager
def _readable(blob: str) -> Iterator[None]:
    """Raise InputError when DuckDB cannot read the file, but not when it lacks memory."""
    try:
        yield
    except duckdb.OutOfMemoryException:
        raise
    except duckdb.Error:
        _unreadable(blob)


def _unreadable(blob: str) -> NoReturn:
    # Not chained: DuckDB's message may hold content of the file.
    raise InputError("fileNotParquet", where=blob) from None
