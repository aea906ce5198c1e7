"""Appends the rows of a pinned segment to a DuckDB table, exactly and as text.

Every file is downloaded in its pinned version, unpacked to UTF-8, its columns laid out, then read: by DuckDB if
that is provably exact (fast_csv.py), else row by row (exact_csv.py), as are small files, whose rows insert.py appends. Whether a
row can be read does not depend on the requested columns.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from errno import ENOSPC
from itertools import chain
from pathlib import Path
from threading import BoundedSemaphore

import duckdb

from shared.errors import ConfigError, InputError, Unavailable
from shared.memory import with_enough_memory
from shared.model.outcome import Code
from shared.model.source import (
    LoadedSegment,
    Partition,
    SegmentSnapshot,
    UnreadableRow,
    find_name,
)
from shared.segments.container import LandingContainer
from shared.segments.reading.fast_csv import literal, load_plain, quoted
from shared.segments.reading.insert import SmallFiles, WantedRow, insert_rows
from shared.segments.reading.parquet import load_parquet
from shared.segments.reading.text_file import TextFile
from shared.segments.reading.unpack import Parquet, Text, unpack
from shared.settings import NULL_MARKERS
from shared.workspace import execute

# Files of a segment that are read at the same time, unless they are larger than this when they are unpacked.
_READERS = 2
_LARGE = 64 * 1024 * 1024
# Python reads a file of this size as fast as DuckDB begins to read one.
_SMALL = 64 * 1024
_READERS_OF_SMALL_FILES = 8
# A file with more unreadable rows, or with so many before the first readable one, is not a CSV file of this shape.
_MAX_UNREADABLE = 100_000
_MAX_UNREADABLE_AT_BEGINNING = 4096
# An error of a spreadsheet, such as #REF! and #NAME?. #N/A is none: it says that there is no value.
_ERROR = re.compile("#.+[!?]")
# So many blanks beside a marker of "no value" are ignored.
_BLANKS = 4


@dataclass(frozen=True)
class SegmentReader:
    """Reads the files of segments in a landing container. `null_markers` are cell contents that mean "no value"."""

    container: LandingContainer
    null_markers: Sequence[str] = NULL_MARKERS

    def load(
        self,
        connection: duckdb.DuckDBPyConnection,
        segment: SegmentSnapshot,
        columns: Sequence[str],
        table: str,
        scratch: Path,
        *,
        consent: bool = False,
    ) -> LoadedSegment:
        """Append the rows of a segment to `table` (see SegmentSource.load in model/ports.py).

        `connection` must not be in a transaction. Unavailable when the local disk is full.
        """
        listed = [attribute.name for attribute in segment.attributes]
        own_names = _as_listed(columns, listed, segment.name)
        loading = _Loading(self.container, connection, segment, listed, own_names, table, scratch)
        unreadable = loading.load_files()
        return LoadedSegment(
            unreadable,
            _remove_markers(connection, table, own_names, self.null_markers, consent=consent),
            frozenset(
                name
                for name, own_name in zip(columns, own_names, strict=True)
                if own_name in loading.numeric
            ),
        )


@dataclass
class _Loading:
    """Loads the files of one segment, several at a time.

    `listed` are the columns of the segment, `columns` the wanted ones. `numeric` gets those that a Parquet file has as numbers.
    """

    container: LandingContainer
    connection: duckdb.DuckDBPyConnection
    segment: SegmentSnapshot
    listed: Sequence[str]
    columns: Sequence[str]
    table: str
    scratch: Path
    numeric: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        folder = self.scratch / "small-files"
        self._small = SmallFiles(self.connection, self.table, len(self.columns), folder)
        self._in_database = BoundedSemaphore(_READERS)
        self._sizes: list[int] = []

    def load_files(self) -> tuple[UnreadableRow, ...]:
        """Append the rows of all files to the table. Returns the rows that cannot be read."""
        files = [
            self.scratch / f"partition-{number}" for number in range(len(self.segment.partitions))
        ]
        work = list(zip(self.segment.partitions, files, strict=True))
        small_files = [one for one in work if one[0].size <= _SMALL]
        larger_files = [one for one in work if one[0].size > _SMALL]
        # One file is downloaded while another one is read, unless they are large: temporary disk is small. How
        # large compressed files are is known once the first one is unpacked, so it is loaded alone.
        alone = 0 if all(_is_known_not_large(partition) for partition, _ in larger_files) else 1
        unreadable = [self._load_file(*one) for one in larger_files[:alone]]
        readers = 1 if self._sizes and self._sizes[0] > _LARGE else _READERS
        unreadable += _in_threads(readers, self._load_file, larger_files[alone:])
        # Of small files, most of the time is waiting for the answers of the storage account.
        unreadable += _in_threads(_READERS_OF_SMALL_FILES, self._load_file, small_files)
        self._small.insert()
        return tuple(chain.from_iterable(unreadable))

    def _load_file(self, partition: Partition, file: Path) -> list[UnreadableRow]:
        """Download a file, and append its rows to the table. Returns the rows that cannot be read."""
        try:
            unpacked = unpack(
                self.container.pieces(partition.blob, partition.etag),
                partition.csv.encoding,
                file,
                partition.blob,
            )
            size = file.stat().st_size
            self._sizes.append(size)
            if isinstance(unpacked, Text):
                return self._load_text(partition, unpacked, max(partition.size, size))
            return self._load_parquet(partition, unpacked)
        except OSError as error:
            if error.errno != ENOSPC:
                raise
            raise Unavailable("diskFull") from error
        finally:
            file.unlink(missing_ok=True)

    def _load_text(self, partition: Partition, unpacked: Text, size: int) -> list[UnreadableRow]:
        if not unpacked.lines:
            return []
        text = TextFile.of(unpacked, partition, self.segment.attributes)
        name = self.segment.name
        if size <= _SMALL:
            return _add_small(self._small, text, self.columns, name)
        with self._in_database, closing(self.connection.cursor()) as cursor:
            return _load_text(cursor, self.table, text, self.columns, name)

    def _load_parquet(self, partition: Partition, file: Parquet) -> list[UnreadableRow]:
        with self._in_database, closing(self.connection.cursor()) as cursor:
            refused, numeric = load_parquet(
                cursor, self.table, file, self.columns, self.listed, partition.blob
            )
            self.numeric.update(numeric)
        return [
            UnreadableRow(self.segment.name, partition.blob, line, code) for line, code in refused
        ]


def _is_known_not_large(partition: Partition) -> bool:
    return partition.size <= _LARGE and not partition.blob.lower().endswith(".gz")


def _in_threads(
    threads: int,
    load: Callable[[Partition, Path], list[UnreadableRow]],
    work: Sequence[tuple[Partition, Path]],
) -> list[list[UnreadableRow]]:
    """Load files, so many at a time; after an error no further file is loaded."""
    with ThreadPoolExecutor(threads) as readers:
        loads = [readers.submit(load, *one) for one in work]
        try:
            return [each.result() for each in loads]
        except BaseException:
            readers.shutdown(cancel_futures=True)
            raise


def _remove_markers(
    connection: duckdb.DuckDBPyConnection,
    table: str,
    columns: Sequence[str],
    markers: Sequence[str],
    *,
    consent: bool,
) -> dict[str, int]:
    """Set cells to NULL that contain only a marker of "no value"; returns how many, by column.

    With `consent`, errors of spreadsheets stay in the last column.
    """
    if not markers or not columns:
        return {}
    longest = max(len(marker.encode()) for marker in markers)
    everywhere = ", ".join(literal(each) for each in markers)
    without_errors = ", ".join(literal(each) for each in markers if not _ERROR.fullmatch(each))
    lists = [everywhere] * len(columns)
    if consent:
        lists[-1] = without_errors or "NULL"
    # Blanks beside a marker are ignored. Most cells are longer than any marker or have nothing to trim, and
    # CASE evaluates an expression only where it is needed.
    tests = [
        f"CASE WHEN strlen({cell}) > {longest + _BLANKS} THEN NULL WHEN {cell} IN ({listed}) THEN true "
        f"WHEN starts_with({cell}, ' ') OR ends_with({cell}, ' ') THEN trim({cell}) IN ({listed}) END"
        for cell, listed in ((f"c{position}", listed) for position, listed in enumerate(lists))
    ]
    counts = ", ".join(f"count_if({test})" for test in tests)
    found = execute(connection, f"SELECT {counts} FROM {quoted(table)}").fetchone() or ()  # noqa: S608
    for position, count in enumerate(found):
        if count:
            execute(
                connection,
                f"UPDATE {quoted(table)} SET c{position} = NULL WHERE {tests[position]}",  # noqa: S608
            )
    return {column: int(count) for column, count in zip(columns, found, strict=False) if count}


def _as_listed(columns: Sequence[str], listed: Sequence[str], segment: str) -> list[str]:
    """The columns as the segment writes their names. ConfigError for one that it does not have."""
    found = []
    for column in columns:
        # The columns are unknown only if every file is empty (see header.py).
        name = find_name(column, listed) if listed else column
        if name is None:
            raise ConfigError("attributeMissing", segment=segment, attribute=column)
        found.append(name)
    return found


def _add_small(
    small: SmallFiles, file: TextFile, columns: Sequence[str], segment: str
) -> list[UnreadableRow]:
    unreadable: list[UnreadableRow] = []
    small.add(_wanted(file, file.positions(columns), segment, unreadable), file.blob)
    return unreadable


def _load_text(
    connection: duckdb.DuckDBPyConnection,
    table: str,
    file: TextFile,
    columns: Sequence[str],
    segment: str,
) -> list[UnreadableRow]:
    positions = file.positions(columns)
    if with_enough_memory(connection, lambda: load_plain(connection, table, file, positions)):
        return []
    unreadable: list[UnreadableRow] = []
    rows = _wanted(file, positions, segment, unreadable)
    local = file.text.path.with_suffix(".rows")
    insert_rows(connection, table, len(positions), rows, file.blob, local)
    return unreadable


def _wanted(
    file: TextFile, positions: Sequence[int], segment: str, unreadable: list[UnreadableRow]
) -> Iterator[WantedRow]:
    """The wanted cells of the rows that Python's reader reads; the other rows are added to `unreadable`."""
    for line, cells in _readable(file, segment, unreadable):
        yield line, [cells[position] for position in positions]


def _readable(
    file: TextFile, segment: str, unreadable: list[UnreadableRow]
) -> Iterator[tuple[int, list[str]]]:
    """The rows that have as many cells as there are columns; the others are added to `unreadable`."""
    good = 0
    for line, cells in file.rows():
        if isinstance(cells, list) and file.layout.fits(cells):
            good += 1
            yield line, cells
            continue
        if isinstance(cells, Code):
            code = cells
        else:
            many = len(cells) >= file.layout.width
            code = Code.ROW_TOO_MANY_COLUMNS if many else Code.ROW_TOO_FEW_COLUMNS
        unreadable.append(UnreadableRow(segment, file.blob, line, code))
        if len(unreadable) > _MAX_UNREADABLE or (
            not good and len(unreadable) > _MAX_UNREADABLE_AT_BEGINNING
        ):
            raise InputError("fileRowsUnreadable", where=file.blob)
