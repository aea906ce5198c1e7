"""The rows of a CSV file, exactly: each with the line it begins at, and those that cannot be read.

RFC 4180 with what is common beside it: any delimiter, LF, CRLF or CR, line breaks inside quotes,
blanks as part of a field, a quote inside an unquoted field as it stands. Empty lines are no rows.
When quoting breaks, the row's first line is given up and reading goes on with the very next line,
so an unclosed quote costs one row and never its neighbours.
https://datatracker.ietf.org/doc/html/rfc4180
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from shared.model.outcome import Code
from shared.model.source import CsvFormat
from shared.segments.unpack import Text

__all__ = ["LONGEST_CELL", "MAX_ROW", "Row", "read_rows", "reader"]

MAX_ROW = 2_000_000
# Of a longer cell the beginning is kept: nothing that is exported takes a tenth of it, and a table
# of megabytes would not fit into memory. Characters.
LONGEST_CELL = 1_000
_BLOCK = 1024 * 1024
_STRAY = "".join(chr(point) for point in range(0xE000, 0xE100))

# The line at which the row begins, and its cells or why it cannot be read.
Row = tuple[int, "list[str] | Code"]

# The module's own limit is one per process; rows are bounded here.
csv.field_size_limit(max(csv.field_size_limit(), 2 * MAX_ROW))


def read_rows(text: Text, form: CsvFormat) -> Iterator[Row]:
    """All rows of the file in their order, the header included."""
    lines = _Lines(text.path, b"\r" if text.ends_with_cr else b"\n")
    parsed = reader(lines, form)
    while True:
        start = lines.begin_row()
        try:
            cells = next(parsed)
        except StopIteration:
            return
        except (csv.Error, _TooLongError):
            outcome = lines.repaired(form) or lines.give_up()
        else:
            if not cells:
                continue
            stray = lines.row_was_given_up and _has_stray_quote(lines.row, form)
            outcome = Code.ROW_BAD_QUOTING if stray else cells
        yield start, (Code.ROW_BAD_ENCODING if lines.is_undecodable(start) else outcome)


def reader(lines: Iterable[str], form: CsvFormat) -> Iterator[list[str]]:
    """Python's own CSV reader over complete lines; csv.Error where the quoting is broken."""
    if form.quoted:
        return csv.reader(lines, delimiter=form.delimiter, strict=True)
    return csv.reader(
        lines, delimiter=form.delimiter, quoting=csv.QUOTE_NONE, quotechar=None, strict=True
    )


class _TooLongError(Exception):
    """The row that is being read is longer than MAX_ROW."""


class _Lines(Iterator[str]):
    """The lines of a file, numbered, with those of the row that is being read kept."""

    def __init__(self, path: Path, end: bytes) -> None:
        self._source = _split(path, end)
        self._end = end
        self._again: list[str] = []
        self._given_up_to = 0
        self._undecodable: set[int] = set()
        self._size = 0
        self.number = 0
        self.row: list[str] = []

    def begin_row(self) -> int:
        """Forget the lines of the row before; the number of the line that comes next."""
        self.row.clear()
        self._size = 0
        return self.number + 1

    def __next__(self) -> str:
        line = self._again.pop() if self._again else self._decoded(next(self._source))
        self.number += 1
        self.row.append(line)
        self._size += len(line)
        if self._size > MAX_ROW:
            raise _TooLongError
        return line

    def _decoded(self, line: bytes) -> str:
        try:
            return line.decode()
        except UnicodeDecodeError:
            self._undecodable.add(self.number + 1)
            return line.decode(errors="surrogateescape")

    @property
    def row_was_given_up(self) -> bool:
        """Whether the row's first line was part of a broken row before."""
        return self.number - len(self.row) + 1 <= self._given_up_to

    def is_undecodable(self, start: int) -> bool:
        """Whether a line of the row that begins at `start` holds bytes that are no text."""
        return bool(self._undecodable) and any(
            number in self._undecodable for number in range(start, start + len(self.row))
        )

    def give_up(self) -> Code:
        """Give up the first line of the row and put the others back."""
        start = self.number - len(self.row) + 1
        self._given_up_to = max(self._given_up_to, self.number)
        self._again.extend(reversed(self.row[1:]))
        del self.row[1:]
        self.number = start
        return Code.ROW_TOO_LONG if len(self.row[0]) > MAX_ROW else Code.ROW_BAD_QUOTING

    def repaired(self, form: CsvFormat) -> list[str] | None:
        """The row, if only a carriage return inside an unquoted field stood in the way."""
        whole = "".join(self.row)
        if self._end != b"\n" or self._size > MAX_ROW or not re.search(r"\r(?!\n?\Z)", whole):
            return None
        stand_in = next((each for each in _STRAY if each not in whole), "")
        if not stand_in:
            return None
        lines = [re.sub(r"\r(?!\n?\Z)", stand_in, line) for line in self.row]
        try:
            rows = list(reader(iter(lines), form))
        except csv.Error:
            return None
        return [cell.replace(stand_in, "\r") for cell in rows[0]] if len(rows) == 1 else None


def _split(path: Path, end: bytes) -> Iterator[bytes]:
    """Lines with their ends. Of a line that is too long only its beginning is given."""
    rest = b""
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            first, *others = block.split(end)
            if len(rest) <= MAX_ROW:
                rest += first
            for other in others:
                yield rest + end
                rest = other
    if rest:
        yield rest


def _has_stray_quote(row: list[str], form: CsvFormat) -> bool:
    """Whether a quote stands where no field begins or ends."""
    between = re.escape(form.delimiter)
    quoted = re.compile(rf'(?:(?<=\A)|(?<={between}))"(?:[^"]|"")*"(?={between}|[\r\n]*\Z)')
    return form.quoted and '"' in quoted.sub("", "".join(row))
