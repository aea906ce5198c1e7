"""A CSV file as fast.py and rows.py need it: unpacked, with its delimiter, its header and its columns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from shared.errors import InputError
from shared.model.outcome import Code
from shared.model.source import Attribute, CsvFormat, Partition
from shared.segments.layout import (
    MOST_BEFORE_HEADER,
    Layout,
    header_index,
    lay_out,
    with_delimiter,
)
from shared.segments.rows import Row, read_rows
from shared.segments.unpack import Text


@dataclass(frozen=True)
class TextFile:
    """An unpacked CSV file. `form` has the delimiter that the file has, `layout` its header and columns.

    `starts_with_line` is whether the first row is exactly the first line of the file. `skipped` is the number of rows
    before the first row of a person, the header included. `blob` names the file in rows and errors.
    """

    text: Text
    form: CsvFormat
    layout: Layout
    starts_with_line: bool
    skipped: int
    blob: str

    @classmethod
    def of(cls, text: Text, partition: Partition, attributes: Sequence[Attribute]) -> TextFile:
        """Find the format and the columns of a file with rows (see layout.py for the errors)."""

        names = [attribute.name for attribute in attributes]

        def first_rows(form: CsvFormat) -> list[Row]:
            rows = islice(read_rows(text, form, len(names) or None), MOST_BEFORE_HEADER + 1)
            return list(rows) or [(1, Code.ROW_UNREADABLE)]

        form = with_delimiter(partition.csv, names, lambda each: cells_of(first_rows(each)))
        rows = first_rows(form)
        index = header_index(names, cells_of(rows))
        start, first = rows[index][0], cells_of(rows)[index] or None
        layout = lay_out(attributes, form, first, partition.blob)
        starts_with_line = start == 1 and not any("\n" in cell for cell in first or ())
        return cls(text, form, layout, starts_with_line, index + layout.header, partition.blob)

    def rows(self) -> Iterator[Row]:
        """All rows in their order, without the header and what comes before it."""
        rows = read_rows(self.text, self.form, self.layout.width)
        return islice(rows, self.skipped, None)

    def positions(self, columns: Sequence[str]) -> list[int]:
        """The position of each column in the rows, from 0. InputError when the file has one not once."""
        indexes = {name: index for index, name in enumerate(self.layout.names)}
        counts = Counter(self.layout.names)
        for column in columns:
            if counts[column] != 1:
                code = "columnTwice" if counts[column] else "columnMissing"
                raise InputError(code, where=self.blob, attribute=column)
        return [indexes[column] for column in columns]


def cells_of(rows: Iterable[Row]) -> list[list[str]]:
    """The cells of each row; of one that cannot be read, an empty list."""
    return [cells if isinstance(cells, list) else [] for _, cells in rows]
