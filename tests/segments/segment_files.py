"""Small segment files for tests, and an in-memory container that serves them."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import duckdb

from shared.errors import Changed
from shared.model.source import Attribute, CsvFormat, Partition, SegmentSnapshot, UnreadableRow
from shared.segments.container import BlobEntry
from shared.segments.reading.reader import SegmentReader
from tests import reused_databases

URL = "https://landing.blob.core.windows.net/segments"
DEFAULT = CsvFormat()
_LARGE = 1024 * 1024


class MemoryContainer:
    """A landing container in memory. A file is read in small pieces, while its ETag is the one asked for."""

    url = URL
    written = datetime(2026, 11, 1, tzinfo=UTC)

    def __init__(self, files: dict[str, bytes], piece: int = 1000) -> None:
        self.files = files
        self.piece = piece

    def entries(self, prefix: str = "") -> Iterator[BlobEntry]:
        for name, data in sorted(self.files.items()):
            if name.startswith(prefix):
                yield BlobEntry(name, etag_of(data), len(data), self.written)

    def read(self, entry: BlobEntry, limit: int) -> bytes:
        return self.files[entry.name]

    def pieces(self, name: str, etag: str, length: int | None = None) -> Iterator[bytes]:
        data = self.files[name]
        if etag != etag_of(data):
            raise Changed("replaced")
        data = data[:length]
        for start in range(0, len(data), self.piece):
            yield data[start : start + self.piece]


def etag_of(data: bytes) -> str:
    return f"e{hash(data)}"


def csv_bytes(
    rows: Sequence[Sequence[str]],
    *,
    delimiter: str = ",",
    newline: str = "\r\n",
    quote_all: bool = False,
    last_newline: bool = True,
    encoding: str = "utf-8",
) -> bytes:
    """CSV as in RFC 4180, written here and not by the library that the reader uses."""

    def field(value: str) -> str:
        if quote_all or any(each in value for each in (delimiter, '"', "\r", "\n")):
            return '"' + value.replace('"', '""') + '"'
        return value

    # A row of one empty field would be an empty line, which is no row.
    lines = [delimiter.join(map(field, row)) or '""' for row in rows]
    return (newline.join(lines) + (newline if last_newline and lines else "")).encode(encoding)


def parquet_bytes(folder: Path, query: str) -> bytes:
    path = folder / "made.parquet"
    with reused_databases.connect() as connection:
        connection.execute(f"COPY ({query}) TO '{path}' (FORMAT parquet)")
    data = path.read_bytes()
    path.unlink()
    return data


def segment_of(
    names: Sequence[str], *files: tuple[str, bytes], form: CsvFormat = DEFAULT
) -> tuple[SegmentSnapshot, MemoryContainer]:
    container = MemoryContainer(dict(files))
    partitions = tuple(Partition(name, etag_of(data), len(data), form) for name, data in files)
    attributes = tuple(Attribute(name) for name in names)
    return SegmentSnapshot("Gold", "Gold", attributes, partitions), container


Loaded = tuple[list[tuple[object, ...]], list[UnreadableRow]]


def load(
    segment: SegmentSnapshot, container: MemoryContainer, columns: Sequence[str], scratch: Path
) -> Loaded:
    """What `SegmentReader.load` puts into a table, file by file, and what it returns.

    Two files are read at a time, so only the rows of one file have an order. Small files are read in another way than
    large ones, so each file is read in both ways, which must agree.
    """
    as_they_are = _load(segment, container, columns, scratch)
    if any(data.startswith(b"PAR1") for data in container.files.values()):
        # All Parquet files are read in one way, and DuckDB reads other bytes each time beyond the end of a damaged page.
        return as_they_are
    as_large = replace(
        segment,
        partitions=tuple(replace(each, size=each.size + _LARGE) for each in segment.partitions),
    )
    assert _load(as_large, container, columns, scratch) == as_they_are
    return as_they_are


def _load(
    segment: SegmentSnapshot, container: MemoryContainer, columns: Sequence[str], scratch: Path
) -> Loaded:
    cells = "".join(f", c{place} VARCHAR" for place in range(len(columns)))
    connection = database()
    connection.execute(f"CREATE OR REPLACE TABLE rows_of (file VARCHAR, line BIGINT{cells})")
    loaded = SegmentReader(container).load(connection, segment, columns, "rows_of", scratch)
    rows = connection.execute("SELECT * FROM rows_of ORDER BY rowid").fetchall()
    files = [partition.blob for partition in segment.partitions]
    return sorted(rows, key=lambda row: files.index(row[0])), list(loaded.unreadable)


@cache
def database() -> duckdb.DuckDBPyConnection:
    """One connection for all tests: making one takes longer than most of them."""
    return duckdb.connect(config={"threads": 2, "memory_limit": "300MB"})


def load_bytes(
    data: bytes, names: Sequence[str], scratch: Path, form: CsvFormat = DEFAULT
) -> tuple[list[tuple[object, ...]], list[tuple[int, str]]]:
    """(line, cells ...) of every row of one file, and (line, code) of those that were refused."""
    segment, container = segment_of(names, ("a.csv", data), form=form)
    rows, unreadable = load(segment, container, names, scratch)
    return [row[1:] for row in rows], [(each.line, each.code) for each in unreadable]


def close_duckdb() -> None:
    if database.cache_info().currsize:
        database().close()
        database.cache_clear()


def model_json(*entities: dict[str, object], **more: object) -> bytes:
    return json.dumps({"name": "cdm", "version": "1.0", "entities": entities, **more}).encode()


def entity(
    name: str, attributes: Sequence[str], locations: Sequence[str], **more: object
) -> dict[str, object]:
    return {
        "$type": "LocalEntity",
        "name": name,
        "attributes": [{"name": each, "dataType": "string"} for each in attributes],
        "partitions": [
            {"name": f"P{number}", "location": location}
            for number, location in enumerate(locations, start=1)
        ],
        **more,
    }
