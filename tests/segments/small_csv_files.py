"""Reads the bytes of one small CSV file, in which tests look for rows, headers and delimiters."""

from pathlib import Path

from shared.model.source import Attribute, CsvFormat, Partition
from shared.segments.reading.count_rows import count_rows
from tests.segments.segment_files import (
    MemoryContainer,
    etag_of,
    load_bytes,
)


def reads(tmp_path: Path, data: bytes, **form: object) -> object:
    """The rows and the refused rows of a file without a header, with two columns."""
    return load_bytes(data, ["A", "B"], tmp_path, CsvFormat(**{"header": False, **form}))


def counted(data: bytes, names: list[str], form: CsvFormat, piece: int = 1000) -> int:
    """The number of rows that are counted without storing them. `piece` is the size of each download, in bytes."""
    partition = Partition("a.csv", etag_of(data), len(data), form)
    container = MemoryContainer({"a.csv": data}, piece)
    return count_rows(container, partition, [Attribute(name) for name in names])  # type: ignore[arg-type]


def header_of(data: bytes, names: list[str], tmp_path: Path, header: bool | None) -> object:
    """The rows of a file. `header` is whether its description says that it has a header."""
    return load_bytes(data, names, tmp_path, CsvFormat(header=header))[0]
