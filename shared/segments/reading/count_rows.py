"""Counts the rows of a file without storing them.

If no line break is inside quotes, every line with a value is a row, so lines are counted while the bytes are
read. Otherwise the rows are parsed (exact_csv.py). Unreadable rows count too, because the run reports them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import partial

from shared.model.source import Attribute, Partition
from shared.segments.container import LandingContainer
from shared.segments.reading.exact_csv import MAX_ROW, read_rows, rows_of
from shared.segments.reading.parquet import claimed_rows
from shared.segments.reading.text_file import Beginning, TextFile
from shared.segments.reading.unpack import Parquet, text_pieces, unpack
from shared.temporary import temporary_folder
from shared.workspace import small_workspace

_HEAD = 256 * 1024
# Splitting 4 MB at its quotes makes so many small objects that the process keeps 45 MB for them.
_SLICE = 64 * 1024
_EMPTY = re.compile(rb"^\r*\n", re.MULTILINE)
# The characters of a line without a value (layout.py) in UTF-8, except a carriage return, which ends lines.
_BLANK = (
    rb"(?:[\x00-\x09\x0b\x0c\x0e-\x20\x7f]|\xc2[\x85\xa0]|\xe1\x9a\x80"
    rb"|\xe2\x80[\x80-\x8a\xa8\xa9\xaf]|\xe2\x81\x9f|\xe3\x80\x80|\xef\xbb\xbf)+"
)
_BLANK_LINE = {
    True: re.compile(rb"\n(?:%b|\"%b\")(?=\r?\n)" % (_BLANK, _BLANK)),
    False: re.compile(rb"\n%b(?=\r?\n)" % _BLANK),
}


def count_rows(
    source: LandingContainer, partition: Partition, attributes: Sequence[Attribute]
) -> int:
    """The rows of one file, without its header. InputError when it cannot be read at all."""
    form, blob = partition.csv, partition.blob
    pieces = text_pieces(source.pieces(blob, partition.etag), form.encoding, blob)
    if pieces is None:
        return _count_exactly(source, partition, attributes)
    tally = _Tally(form.quoted)
    head = b""
    for piece in pieces:
        if len(head) < _HEAD:
            head += piece[:_HEAD]
        if not tally.add(piece):
            return _count_exactly(source, partition, attributes)
    lines = tally.lines()
    if lines is None:
        return _count_exactly(source, partition, attributes)
    if lines == 0:
        return 0
    rows_in = partial(rows_of, head, width=len(attributes) or None)
    found = Beginning.of(rows_in, partition, attributes)
    line = head.lstrip(b"\r\n").partition(b"\n")[0].removesuffix(b"\r")
    is_odd = b"\r" in line or b' "' in line or b'\\"' in line
    if is_odd or not found.header_cells or found.rows_before_people > 1:
        return _count_exactly(source, partition, attributes)
    blank = tally.blank_lines()
    if blank and (found.layout.width == 1 or not _is_visible(found.form.delimiter)):
        return _count_exactly(source, partition, attributes)
    return lines - blank - found.rows_before_people


def _is_visible(delimiter: str) -> bool:
    return delimiter.isprintable() and not delimiter.isspace()


def _count_exactly(
    source: LandingContainer, partition: Partition, attributes: Sequence[Attribute]
) -> int:
    blob = partition.blob
    with temporary_folder("count-") as folder:
        pieces = source.pieces(blob, partition.etag)
        text = unpack(pieces, partition.csv.encoding, folder / "file", blob)
        if isinstance(text, Parquet):
            return _parquet_rows(text, blob)
        if next(read_rows(text, partition.csv), None) is None:
            return 0
        return sum(1 for _ in TextFile.of(text, partition, attributes).rows())


def _parquet_rows(file: Parquet, blob: str) -> int:
    with small_workspace() as (connection, _):
        return claimed_rows(connection, file, blob)


class _Tally:
    """Counts lines that are not empty, as long as no line break is inside quotes."""

    def __init__(self, quoted: bool) -> None:
        self._quoted = quoted
        self._blank = _BLANK_LINE[quoted]
        self._lines = 0
        self._blank_lines = 0
        self._rest = b""

    def add(self, piece: bytes) -> bool:
        """Continue counting; False when lines are not rows in this file."""
        text = self._rest + piece
        end = text.rfind(b"\n") + 1
        whole, self._rest = text[:end], text[end:]
        if any(map(self._breaks_inside_quotes, _slices(whole))) or len(self._rest) > MAX_ROW:
            return False
        self._lines += whole.count(b"\n")
        if b"\n\n" in whole or b"\n\r" in whole or whole[:1] in {b"\n", b"\r"}:
            self._lines -= len(_EMPTY.findall(whole))
        self._blank_lines += self._blanks_in(whole)
        return True

    def lines(self) -> int | None:
        """The number of rows, or None when the text ends inside a row."""
        if b"\r" in self._rest or self._breaks_inside_quotes(self._rest):
            return None
        return self._lines + bool(self._rest)

    def blank_lines(self) -> int:
        """How many of these rows have no value, if no blank divides cells."""
        return self._blank_lines + self._blanks_in(self._rest + b"\n")

    def _blanks_in(self, lines: bytes) -> int:
        return sum(1 for _ in self._blank.finditer(b"\n" + lines))

    def _breaks_inside_quotes(self, lines: bytes) -> bool:
        if not self._quoted or b'"' not in lines:
            return False
        parts = lines.split(b'"')
        return len(parts) % 2 == 0 or b"\n" in b"".join(parts[1::2])


def _slices(lines: bytes) -> Iterator[bytes]:
    """Text that ends with a line end, in slices of whole lines."""
    begin = 0
    while begin < len(lines):
        end = lines.find(b"\n", begin + _SLICE) + 1 or len(lines)
        yield lines[begin:end]
        begin = end
