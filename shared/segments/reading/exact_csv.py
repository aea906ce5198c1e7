"""The rows of a CSV file, exactly: each with the line it begins at, and those that cannot be read.

RFC 4180 with what is common beside it: any delimiter, LF, CRLF or CR, line breaks inside quotes,
blanks as part of a field, a quote inside an unquoted field unchanged. Empty lines are not rows.
When quoting breaks, the row's first line is rejected and reading continues with the next line, so an unclosed
quote costs one row and not the following ones.

Two other notations are read where RFC 4180 does not apply: blanks between a delimiter and
an opening quote (`"a", "b"`), and quotes escaped with a backslash (`"a \\"b\\""`), which is what
Spark writes. A row is read that way only when it has a quote that RFC 4180 does not allow.
https://datatracker.ietf.org/doc/html/rfc4180
https://spark.apache.org/docs/latest/sql-data-sources-csv.html
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path

from shared.model.outcome import Code
from shared.model.source import CsvFormat
from shared.segments.reading.unpack import Text

MAX_ROW = 2_000_000
# Longer cells are truncated: no exported value needs a tenth of it, and cells of megabytes would not fit into
# memory. In characters.
LONGEST_CELL = 1_000
_BLOCK = 1024 * 1024
_ESCAPED = re.compile(r'(\\+)"')
_STRAY = "".join(chr(point) for point in range(0xE000, 0xE100))

# The line at which the row begins, and its cells or why it cannot be read.
Row = tuple[int, "list[str] | Code"]

# The module's own limit is one per process; rows are bounded here.
csv.field_size_limit(max(csv.field_size_limit(), 2 * MAX_ROW))


def read_rows(text: Text, form: CsvFormat, width: int | None = None) -> Iterator[Row]:
    """All rows of the file in their order, the header included.

    `width` is the number of columns where it is known: it decides between two readings of a row.
    """
    end = b"\r" if text.ends_with_cr else b"\n"
    return _rows(_Lines(_split(text.path, end), end), form, width)


def first_rows(head: bytes, form: CsvFormat, count: int) -> list[list[str]]:
    """The first rows of a text of which only the beginning is known; an incomplete row is omitted."""
    found = (cells for _, cells in rows_of(head, form) if isinstance(cells, list))
    return list(islice(found, count))


def rows_of(head: bytes, form: CsvFormat, width: int | None = None) -> Iterator[Row]:
    """The rows of a text in memory. `width` is the number of columns where it is known."""
    end = b"\n" if b"\n" in head or b"\r" not in head else b"\r"
    *whole, rest = head.split(end)
    lines = [line + end for line in whole] + ([rest] if rest else [])
    return _rows(_Lines(iter(lines), end), form, width)


def _rows(lines: _Lines, form: CsvFormat, width: int | None) -> Iterator[Row]:
    parsed = reader(lines, form)
    while True:
        start = lines.begin_row()
        outcome: list[str] | Code
        try:
            cells = next(parsed)
        except StopIteration:
            return
        except (csv.Error, _TooLongError):
            outcome = lines.repaired(form) or lines.reread(form, None, width) or lines.give_up()
        else:
            if not cells:
                continue
            if _may_be_misread(lines.row, cells, width):
                cells = lines.reread(form, cells, width) or cells
            stray = lines.row_was_given_up and _has_stray_quote(lines.row, form)
            outcome = Code.ROW_BAD_QUOTING if stray else cells
        yield start, (Code.ROW_BAD_ENCODING if lines.is_undecodable(start) else outcome)


def reader(
    lines: Iterable[str], form: CsvFormat, *, skip_blanks: bool = False
) -> Iterator[list[str]]:
    """Python's own CSV reader over complete lines; csv.Error where the quoting is broken."""
    if form.quoted:
        return csv.reader(
            lines, delimiter=form.delimiter, strict=True, skipinitialspace=skip_blanks
        )
    return csv.reader(
        lines, delimiter=form.delimiter, quoting=csv.QUOTE_NONE, quotechar=None, strict=True
    )


class _TooLongError(Exception):
    """The row that is being read is longer than MAX_ROW."""


class _Lines(Iterator[str]):
    """The lines of a file, numbered, with those of the row that is being read kept."""

    def __init__(self, source: Iterator[bytes], end: bytes) -> None:
        self._source = source
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
        """Whether a line of the row that begins at `start` has bytes that cannot be decoded."""
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

    def reread(
        self, form: CsvFormat, cells: list[str] | None, width: int | None
    ) -> list[str] | None:
        """The row in a notation other than RFC 4180, or None.

        `cells` is the row as RFC 4180 has it, None where its quoting breaks.
        """
        if not form.quoted:
            return None
        whole = "".join(self.row)
        count, start = len(self.row), self.number - len(self.row)
        spaced = f'{form.delimiter} "' in whole or whole[:2] == ' "'
        if spaced and (cells is None or _has_stray_quote(self.row, form)):
            found = self._read_again(start, form, width, escaped=False)
            if found is not None:
                return found
        doubtful = cells is None or (count > 1 and len(cells) != width)
        if '\\"' in whole and doubtful:
            found = self._read_again(start, form, width, escaped=True)
            if found is not None and (cells is None or len(self.row) < count):
                return found
        self._rewind(start)
        with suppress(_TooLongError):
            for _ in range(count):
                next(self)
        return None

    def _read_again(
        self, start: int, form: CsvFormat, width: int | None, *, escaped: bool
    ) -> list[str] | None:
        """The row that begins at a line, with blanks before quotes or with escaped quotes."""
        self._rewind(start)
        taken: list[str] = []

        def lines() -> Iterator[str]:
            for line in self:
                taken.append(_ESCAPED.sub(_unescaped, line) if escaped else line)
                yield taken[-1]

        try:
            found = next(reader(lines(), form, skip_blanks=True), None)
        except (csv.Error, _TooLongError):
            return None
        if not found or (width is not None and len(found) != width):
            return None
        return None if _has_stray_quote(taken, form, blanks=True) else found

    def _rewind(self, start: int) -> None:
        """Put the row's lines back, to be read again."""
        self._again.extend(reversed(self.row))
        self.row.clear()
        self._size = 0
        self.number = start

    def repaired(self, form: CsvFormat) -> list[str] | None:
        """The row, if only a carriage return inside an unquoted field made it unreadable."""
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


def _may_be_misread(row: list[str], cells: list[str], width: int | None) -> bool:
    """Whether a row that RFC 4180 can read may be meant in another way."""
    if len(row) > 1 and len(cells) != width:
        return any('\\"' in line for line in row)
    return any(cell[:1] == " " and cell.lstrip(" ")[:1] == '"' for cell in cells)


def _unescaped(found: re.Match[str]) -> str:
    """Backslashes and a quote as RFC 4180 has them: an odd number of them escapes the quote."""
    pairs, single = divmod(len(found[1]), 2)
    return "\\" * pairs + '"' * (1 + single)


def _has_stray_quote(row: list[str], form: CsvFormat, *, blanks: bool = False) -> bool:
    """Whether a quote is where no field begins or ends; `blanks` may come before a field."""
    between = re.escape(form.delimiter)
    before = " *" if blanks else ""
    quoted = re.compile(rf'(?:(?<=\A)|(?<={between})){before}"(?:[^"]|"")*"(?={between}|[\r\n]*\Z)')
    return form.quoted and '"' in quoted.sub("", "".join(row))
