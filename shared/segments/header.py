"""What the beginning of a file tells: attributes that no `model.json` describes, sample values.

Only the beginning of the file is read. The delimiter is the usual one that the header holds most
often outside of quotes; Parquet tells its columns itself.
"""

from __future__ import annotations

import csv
import re
import tempfile
from contextlib import suppress
from dataclasses import replace
from io import StringIO
from itertools import islice
from pathlib import Path

import duckdb

from shared.errors import InputError
from shared.model.source import Attribute, CsvFormat, Partition, SegmentSnapshot
from shared.segments.fast import literal
from shared.segments.reader import Pieces
from shared.segments.rows import reader
from shared.segments.unpack import text_pieces

__all__ = ["described_by_header", "sample_values"]

_ENOUGH = 256 * 1024
_SAMPLED = 200
_USUAL = ",;\t|"


def described_by_header(
    source: Pieces, partitions: tuple[Partition, ...]
) -> tuple[tuple[Attribute, ...], tuple[Partition, ...]]:
    """Attributes, and the partitions with the delimiter found. The first file that is not empty
    decides; InputError names it when it has no usable header.
    """
    for partition in partitions:
        if partition.size == 0:
            continue
        text = _beginning(source, partition)
        if text is None:
            return _parquet_attributes(source, partition), partitions
        if not text.strip():
            continue
        delimiter = _delimiter(text, partition.csv.delimiter)
        try:
            cells = next(csv.reader(StringIO(text, newline=""), delimiter=delimiter), [])
        except csv.Error:
            cells = []
        if not any(cell.strip() for cell in cells):
            msg = f"The file {partition.blob} has no header."
            raise InputError(msg, code="headerUnreadable", where=partition.blob)
        form = CsvFormat(header=True, delimiter=delimiter, encoding=partition.csv.encoding)
        return (
            tuple(
                Attribute(cell.strip() or f"column{number}")
                for number, cell in enumerate(cells, start=1)
            ),
            tuple(replace(each, csv=form) for each in partitions),
        )
    return (), partitions


def sample_values(source: Pieces, segment: SegmentSnapshot) -> dict[str, list[str]]:
    """Some values of each attribute, from the beginning of the first file that has any."""
    for partition in segment.partitions:
        text = _beginning(source, partition) if partition.size else ""
        if not text:
            continue
        names = [attribute.name for attribute in segment.attributes]
        samples: dict[str, list[str]] = {name: [] for name in names}
        rows = reader(StringIO(text, newline=""), partition.csv)
        # The sample ends where the fetched beginning ends, or where quoting breaks.
        with suppress(csv.Error):
            for row in islice(rows, _SAMPLED):
                for name, value in zip(names, row, strict=False):
                    samples[name].append(value)
        return samples
    return {}


def _beginning(source: Pieces, partition: Partition) -> str | None:
    """The first lines of a text file, or None when it is Parquet."""
    raw = source.pieces(partition.blob, partition.etag, _ENOUGH)
    pieces = text_pieces(raw, partition.csv.encoding, partition.blob)
    if pieces is None:
        return None
    head = b""
    try:
        for piece in pieces:
            head += piece
            if len(head) >= _ENOUGH:
                break
    except InputError:
        # Of a gzip file only the beginning was fetched, so its end is missing on purpose.
        if partition.size <= _ENOUGH:
            raise
    return head.decode(errors="replace").lstrip("\r\n")


def _delimiter(text: str, default: str) -> str:
    first = re.split(r"[\r\n]", re.sub(r'"(?:[^"]|"")*"', "", text), maxsplit=1)[0]
    best = max(_USUAL, key=first.count)
    return best if best in first else default


def _parquet_attributes(source: Pieces, partition: Partition) -> tuple[Attribute, ...]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "file.parquet"
        with path.open("wb") as file:
            file.writelines(source.pieces(partition.blob, partition.etag))
        try:
            with duckdb.connect(config={"threads": 1}) as connection:
                rows = connection.execute(
                    f"DESCRIBE SELECT * FROM read_parquet({literal(str(path))})"  # noqa: S608
                ).fetchall()
        except duckdb.Error:
            msg = f"The file {partition.blob} is not a Parquet file that can be read."
            raise InputError(msg, code="fileUnreadable", where=partition.blob) from None
    return tuple(Attribute(str(row[0]), str(row[1]).casefold()) for row in rows)
