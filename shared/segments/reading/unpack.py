"""Converts a file from the container to UTF-8 text on the local disk, and measures it.

Gzip, Parquet and UTF-16 are recognized by their first bytes, and a byte order mark overrides the declared encoding, so
a wrong file name or setting does no harm. Bytes that cannot be decoded become the byte FF, which is not valid in
UTF-8, so that only the row with this byte is rejected later. Line breaks are not changed. A small file that unpacks
to an enormous one is refused.
https://datatracker.ietf.org/doc/html/rfc1952 (gzip)
"""

from __future__ import annotations

import codecs
import re
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from shared.errors import InputError
from shared.segments.text_encodings import (
    BYTE_ORDER_MARKS,
    PEEK_SIZE,
    codec_of,
    is_utf8,
    utf16_without_mark,
)

_MAX_UNPACKED = 4 * 1024**3
_FREE_UNPACKED = 64 * 1024**2
_MAX_RATIO = 200
_PIECE = 1024 * 1024
# DuckDB keeps the text of 2,048 lines in memory at a time.
_LONGEST_LINE = 32 * 1024
# Gzip is read in small blocks: after every member the rest of a block is copied.
_SMALL_BLOCK = 16 * 1024

# Readers disagree on blanks between a quote and the beginning or end of a cell.
_BLANK_BEFORE_CELL = re.compile(rb' "(?<=[,;|\t~^:\x01\r\n" ] ")')
# Two fixed characters at the beginning are found three times as fast as one.
_BLANK_AFTER_CELL = re.compile(rb'"  *[,;|\t~^:\x01\r\n]')
_BLANKS_AT_END = re.compile(rb'" +\Z')

_BOM_BEGINS = codecs.BOM_UTF8[:1]
_BOMS_IN_FRONT = re.compile(rb"(?<=[\r\n])(?:\xef\xbb\xbf)+")

# A byte that text does not contain; the fast reader needs one for itself (see fast_csv.py).
MARK = b"\x1f"

# In Parquet files, a number follows the first four bytes. Texts such as `PARENT_ID` and `PAR1234` have no such bytes.
_NUMBER = rb"(?:[\s\S]{0,3}[\x00-\x08\x0b\x0c\x0e-\x1f]|\Z)"
_PARQUET = re.compile(rb"PAR1" + _NUMBER)
_PARQUET_PEEK = 8

# The first bytes of formats that cannot be read. As text, each of their lines would be an unreadable row, and the
# message about them would not name the cause.
_UNSUPPORTED = (
    (b"PK\x03\x04", "ZIP"),
    (b"7z\xbc\xaf", "7z"),
    (b"\xfd7zX", "xz"),
    (b"BZh9", "bzip2"),
    (b"\x28\xb5\x2f\xfd", "Zstandard"),
    (b"\x1f\x8b", "gzip in gzip"),
    (b"Obj\x01", "Avro"),
    (b"PK\x05\x06", "ZIP"),
    (b"Rar!\x1a\x07", "RAR"),
    (b"\xff\x06\x00\x00sNaPpY", "Snappy"),
    (b"\x04\x22\x4d\x18", "LZ4"),
    (b"\x89LZO\x00", "LZO"),
    (b"ARROW1\x00", "Arrow"),
    (b"SEQ\x06", "Hadoop SequenceFile"),
    (b"\xd0\xcf\x11\xe0", "Excel (XLS)"),
    (b"%PDF-", "PDF"),
)
# Formats that are recognized by more than fixed bytes. No CSV file with people begins like these: a cell that contains
# `{"` has doubled quotes, and a header `ORC` is followed by a delimiter.
_UNSUPPORTED_BEGINNINGS = (
    (_PARQUET, "Parquet in gzip"),
    (re.compile(rb"PARE" + _NUMBER), "encrypted Parquet"),
    (re.compile(rb"ORC[\x00-\x08\x0a-\x0c\x0e-\x1f]"), "ORC"),
    (re.compile(rb"\s*+<(?:!doctype html|html)[\s>]", re.IGNORECASE), "HTML"),
    (re.compile(rb"\s*+<\?xml\s"), "XML"),
    (re.compile(rb'\s*+\[?\s*+\{\s*+"[^"]'), "JSON"),
)


# No text begins so, in any encoding. Storage fills with zeros what a failed writer leaves out.
_ZEROS = bytes(4)


def _mark_undecodable(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return "\udcff", error.end


codecs.register_error("segments.undecodable", _mark_undecodable)


@dataclass(frozen=True)
class Parquet:
    """A Parquet file, as it came."""

    path: Path


@dataclass(frozen=True)
class Text:
    """A UTF-8 text file without byte order mark, and what was seen while it was written.

    `lines` counts line ends, and a last line without one; `size` counts bytes, and `quotes` the quotes
    among them. `plain` means that every line break is the same (LF or CRLF), no line very long, and it contains
    nothing on which CSV readers disagree. It may have bytes that are not UTF-8.
    """

    path: Path
    lines: int
    plain: bool
    ends_with_cr: bool
    size: int
    quotes: int


def unpack(pieces: Iterable[bytes], encoding: str, path: Path, where: str) -> Text | Parquet:
    """Write the file to `path`. InputError names `where` when it cannot be unpacked."""
    head, rest = _peek(iter(pieces), _PARQUET_PEEK)
    if _PARQUET.match(head):
        with path.open("wb") as file:
            file.writelines(rest)
        return Parquet(path)
    seen = _TextProperties()
    with path.open("wb") as file:
        for piece in _utf8(rest, encoding, where):
            seen.add(piece)
            file.write(piece)
    return Text(
        path, seen.lines(), seen.plain(), seen.ends_with_cr(), path.stat().st_size, seen.quotes
    )


def allowed_size(packed: int) -> int:
    """The bytes to which so many packed bytes may unpack."""
    return min(_MAX_UNPACKED, _FREE_UNPACKED + packed * _MAX_RATIO)


def text_pieces(pieces: Iterable[bytes], encoding: str, where: str) -> Iterator[bytes] | None:
    """The same text as pieces of UTF-8, without a file; None when it is Parquet."""
    head, rest = _peek(iter(pieces), _PARQUET_PEEK)
    return None if _PARQUET.match(head) else _utf8(rest, encoding, where)


def _utf8(pieces: Iterator[bytes], encoding: str, where: str) -> Iterator[bytes]:
    head, rest = _peek(pieces)
    if head[:2] == b"\x1f\x8b":
        head, rest = _peek(_gunzip(rest, where))
    # Before more is unpacked, which may fail.
    _refuse_other_formats(head, where)
    head, rest = _peek(rest, PEEK_SIZE)
    _refuse_other_formats(head, where)
    for mark, name in BYTE_ORDER_MARKS:
        if head.startswith(mark):
            return _without_boms(_recoded(_without(len(mark), rest), name, where))
    codec = utf16_without_mark(head) or codec_of(encoding, where)
    if codec.startswith(("utf-16", "utf-32")) and 0 not in head[:PEEK_SIZE] and is_utf8(head):
        codec = "utf-8"  # a wrong declaration: .NET calls UTF-16 Unicode, and others UTF-8
    return _without_boms(_recoded(rest, codec, where))


def _refuse_other_formats(head: bytes, where: str) -> None:
    """Raise InputError when a file with this beginning is neither CSV nor Parquet."""
    if head.startswith(_ZEROS):
        raise InputError("fileBeginsWithZeros", where=where)
    begin = head.removeprefix(codecs.BOM_UTF8)
    form = next((form for start, form in _UNSUPPORTED if head.startswith(start)), None) or next(
        (form for start, form in _UNSUPPORTED_BEGINNINGS if start.match(begin)), None
    )
    if form is not None:
        raise InputError("fileFormatUnsupported", where=where, format=form)


def _recoded(pieces: Iterator[bytes], codec: str, where: str) -> Iterator[bytes]:
    if codec in {"utf-8", "ascii"}:
        yield from pieces
        return
    decoder = codecs.getincrementaldecoder(codec)("segments.undecodable")
    try:
        for piece in pieces:
            yield decoder.decode(piece).encode("utf-8", "surrogateescape")
        yield decoder.decode(b"", final=True).encode("utf-8", "surrogateescape")
    except UnicodeError:
        # A stateful codec may not recover from an error.
        raise InputError("fileEncodingWrong", where=where) from None


def _without_boms(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """UTF-8 text without byte order marks at the beginning of lines, as files have them that were joined.

    Such a mark would be part of the first cell, often the profile id.
    """
    before, held = b"\n", b""
    for piece in pieces:
        if not held and _BOM_BEGINS not in piece:
            # The usual case: a single byte is found quickly, and nothing is copied.
            before = piece[-1:] or before
            yield piece
            continue
        text = before + held + piece
        # The beginning of a mark may be at the end of a piece.
        held = next(
            (codecs.BOM_UTF8[:n] for n in (2, 1) if text.endswith(codecs.BOM_UTF8[:n])), b""
        )
        if held:
            text = text[: -len(held)]
        text = _BOMS_IN_FRONT.sub(b"", text)
        before = text[-1:]
        yield text[1:]
    yield held


def _gunzip(pieces: Iterator[bytes], where: str) -> Iterator[bytes]:
    """The content of one or more gzip members, bounded."""
    packed = unpacked = 0
    stream = zlib.decompressobj(wbits=31)
    for block in _small_blocks(pieces):
        packed += len(block)
        waiting = block
        while waiting:
            if stream.eof:
                # Some writers pad the end with zeros.
                waiting = waiting.lstrip(b"\0")
                if not waiting:
                    break
                stream = zlib.decompressobj(wbits=31)
            try:
                out = stream.decompress(waiting, _PIECE)
            except zlib.error:
                raise InputError("fileNotGzip", where=where) from None
            unpacked += len(out)
            if unpacked > allowed_size(packed):
                raise InputError("fileUnpacksTooLarge", where=where)
            waiting = stream.unused_data if stream.eof else stream.unconsumed_tail
            yield out
    if not stream.eof:
        raise InputError("fileNotGzip", where=where)


def _small_blocks(pieces: Iterator[bytes]) -> Iterator[bytes]:
    for piece in pieces:
        for start in range(0, len(piece), _SMALL_BLOCK):
            yield piece[start : start + _SMALL_BLOCK]


def _peek(pieces: Iterator[bytes], count: int = 4) -> tuple[bytes, Iterator[bytes]]:
    """The first bytes (at least so many, unless there are fewer), and everything again."""
    head = b""
    for piece in pieces:
        head += piece
        if len(head) >= count:
            break
    return head, chain([head] if head else [], pieces)


def _without(count: int, pieces: Iterator[bytes]) -> Iterator[bytes]:
    yield next(pieces)[count:]
    yield from pieces


class _TextProperties:
    """The properties of a `Text`, determined from its pieces."""

    def __init__(self) -> None:
        self._lf = self._cr = self._crlf = self._line = 0
        self._odd = False
        self._last = b""
        # A cell begins after these two bytes.
        self._edge = b"\n\n"
        self.quotes = 0

    def add(self, piece: bytes) -> None:
        if not piece:
            return
        self._lf += piece.count(b"\n")
        if b"\r" in piece:
            self._cr += piece.count(b"\r")
            self._crlf += piece.count(b"\r\n")
        seam = self._last + piece[:1]
        self._crlf += seam == b"\r\n"
        self._measure(piece)
        self._look_at_quotes(piece)
        if MARK in piece:
            self._odd = True
        self._last = piece[-1:]

    def _look_at_quotes(self, piece: bytes) -> None:
        """Count quotes, and notice blanks between a quote and the edge of a cell."""
        if self._odd:
            return
        seam = self._edge + piece[:2]
        self._odd = bool(
            any(b' "' in text and _BLANK_BEFORE_CELL.search(text) for text in (seam, piece))
            or _BLANK_AFTER_CELL.search(piece)
            or (b'"' in self._edge and _BLANK_AFTER_CELL.search(self._edge + piece[:_SMALL_BLOCK]))
        )
        self.quotes += piece.count(b'"')
        end = self._edge + piece if len(piece) < _SMALL_BLOCK else piece[-_SMALL_BLOCK:]
        # However many blanks follow the last quote, one is enough to remember.
        self._edge = b'" ' if _BLANKS_AT_END.search(end) else end[-2:]

    def _measure(self, piece: bytes) -> None:
        """Notice a line that is far longer than usual."""
        begin = -self._line
        while len(piece) - begin > _LONGEST_LINE:
            end = piece.rfind(b"\n", max(begin, 0), max(begin + _LONGEST_LINE, 0))
            if end < 0:
                self._odd = True
                return
            begin = end + 1
        end = piece.rfind(b"\n")
        self._line = len(piece) - end - 1 if end >= 0 else self._line + len(piece)

    def lines(self) -> int:
        ends = self._lf or self._cr
        return ends + (self._last not in {b"", b"\r" if not self._lf else b"\n"})

    def ends_with_cr(self) -> bool:
        return self._cr > 0 and self._lf == 0

    def plain(self) -> bool:
        if self._edge == b'" ':
            return False
        same = self._cr == 0 or self._cr == self._crlf == self._lf
        return same and not self._odd
