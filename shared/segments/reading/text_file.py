"""A CSV file as fast_csv.py and exact_csv.py need it: unpacked, with its delimiter, its header and its columns."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, partial
from itertools import islice

from shared.model.outcome import Code
from shared.model.source import Attribute, CsvFormat, Partition
from shared.segments.reading.exact_csv import Row, read_rows
from shared.segments.reading.layout import (
    MOST_BEFORE_HEADER,
    Layout,
    header_index,
    is_without_value,
    lay_out,
    position_of,
    with_delimiter,
)
from shared.segments.reading.unpack import Text


@dataclass(frozen=True)
class Beginning:
    """What the first rows of a file show: its delimiter, its header and its columns.

    `header_line` and `header_cells` are the line and the cells of the header, or of the first row when there is none; no
    cells when it cannot be read. `rows_before_people` is the number of rows before the first row of a person, the header
    included.
    """

    form: CsvFormat
    layout: Layout
    header_line: int
    header_cells: Sequence[str]
    rows_before_people: int

    @classmethod
    def of(
        cls,
        rows_in: Callable[[CsvFormat], Iterator[Row]],
        partition: Partition,
        attributes: Sequence[Attribute],
    ) -> Beginning:
        """Find the format and the columns of a file that has at least one row (see layout.py for the errors).

        `rows_in` returns the rows as a format divides them.
        """
        names = [attribute.name for attribute in attributes]

        @cache
        def beginning(form: CsvFormat) -> list[Row]:
            rows = list(islice(rows_in(form), MOST_BEFORE_HEADER + 1))
            return rows or [(1, Code.ROW_UNREADABLE)]

        form = with_delimiter(partition.csv, names, lambda each: _cells_of(beginning(each)))
        rows = beginning(form)
        index = header_index(names, _cells_of(rows))
        first = _cells_of(rows)[index]
        layout = lay_out(attributes, form, first or None, partition.blob)
        before_people = index + layout.header
        layout = layout.with_last_delimiter(_cells_of(rows[before_people:]))
        return cls(form, layout, rows[index][0], first, before_people)


@dataclass(frozen=True)
class TextFile:
    """An unpacked CSV file. `form` has the delimiter that the file has, `layout` its header and columns.

    `starts_with_line` is whether the first row is exactly the first line of the file. `rows_before_people` is the
    number of rows before the first row of a person, the header included. `blob` names the file in rows and errors.
    """

    text: Text
    form: CsvFormat
    layout: Layout
    starts_with_line: bool
    rows_before_people: int
    blob: str

    @classmethod
    def of(cls, text: Text, partition: Partition, attributes: Sequence[Attribute]) -> TextFile:
        """Find the format and the columns of a file that has at least one row (see layout.py for the errors)."""
        rows_in = partial(read_rows, text, width=len(attributes) or None)
        found = Beginning.of(rows_in, partition, attributes)
        starts_with_line = found.header_line == 1 and not any(
            "\n" in cell for cell in found.header_cells
        )
        return cls(
            text,
            found.form,
            found.layout,
            starts_with_line,
            found.rows_before_people,
            partition.blob,
        )

    def rows(self) -> Iterator[Row]:
        """All rows in their order, without the header and what comes before it.

        Lines without a value are not rows, such as the Ctrl+Z at the end of some files, except in a file of one column.
        """
        rows = islice(
            read_rows(self.text, self.form, self.layout.width), self.rows_before_people, None
        )
        if self.layout.width == 1:
            return rows
        return (row for row in rows if isinstance(row[1], Code) or not is_without_value(row[1]))

    def positions(self, columns: Sequence[str]) -> list[int]:
        """The position of each column in the rows, from 0. InputError when one is missing or occurs twice."""
        return [position_of(column, column, self.layout.names, self.blob) for column in columns]


def _cells_of(rows: Iterable[Row]) -> list[list[str]]:
    """The cells of each row; of one that cannot be read, an empty list."""
    return [cells if isinstance(cells, list) else [] for _, cells in rows]
