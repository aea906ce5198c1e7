"""Reads the beginning of a file: attributes that no `model.json` describes, and sample values.

Only the beginning of a file is read. The delimiter is the common one with which the rows have the same number of
columns; a Parquet file contains the names of its columns. A file that begins with the row of a person has no
header. If no file of a segment has one, the columns are unknown, which is an error: with a guess, the first
person's address would become the name of a column.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from io import StringIO
from itertools import count, dropwhile, islice

from shared.errors import InputError
from shared.model.source import (
    Attribute,
    CsvFormat,
    Partition,
    SegmentSnapshot,
    name_of_column,
)
from shared.segments.container import LandingContainer
from shared.segments.reading.exact_csv import first_rows, rows_of
from shared.segments.reading.layout import (
    USUAL_DELIMITERS,
    has_no_names,
    has_profile_id,
    looks_like_data,
    looks_like_numbers,
    refuse_header_with_people,
)
from shared.segments.reading.parquet import parquet_columns
from shared.segments.reading.text_file import Beginning
from shared.segments.reading.unpack import Parquet, text_pieces
from shared.segments.suggestions import looks_like_addresses, suggest
from shared.workspace import small_workspace

_ENOUGH = 256 * 1024
_SAMPLED = 200
# Rows by which delimiters are compared.
_COMPARED = 20
_COMMENT = re.compile(r"#[^,;|\t]*")
# Files of one segment in which a header is looked for.
_MOST_FILES = 20


def described_by_header(
    source: LandingContainer, partitions: tuple[Partition, ...]
) -> tuple[tuple[Attribute, ...], tuple[Partition, ...]]:
    """Attributes, and the partitions with the delimiter found.

    The first file that has a header decides. InputError (`columnsUnknown`) names the first file
    with rows when none has one; `headerWithPeople` a file whose header has addresses in it.
    """
    without: Partition | None = None
    for partition in [each for each in partitions if each.size][:_MOST_FILES]:
        text = _beginning(source, partition)
        if text is None:
            return _parquet_attributes(source, partition), partitions
        if not text.strip():
            continue
        header = _header_of(text, partition.csv)
        if header is None:
            without = without or partition
            continue
        cells, form = header
        refuse_header_with_people(cells, partition.blob)
        return _attributes(cells), tuple(
            replace(each, csv=replace(form, encoding=each.csv.encoding, names_are_header=True))
            for each in partitions
        )
    if without is not None:
        raise InputError("columnsUnknown", where=without.blob)
    return (), partitions


def sample_values(
    source: LandingContainer, segment: SegmentSnapshot, rows: int = _SAMPLED
) -> dict[str, list[str]]:
    """Values of each attribute in the first `rows` rows of the first file that has any.

    Only the beginning of the file is read, so there may be fewer rows.
    """
    for partition in segment.partitions:
        text = _beginning(source, partition) if partition.size else ""
        if not text:
            continue
        if partition.size > _ENOUGH and "\n" in text:
            text = text[: text.rindex("\n") + 1]  # the last row is incomplete
        rows_in = partial(rows_of, text.encode(), width=len(segment.attributes) or None)
        found = Beginning.of(rows_in, partition, segment.attributes)
        names = found.layout.names
        samples: dict[str, list[str]] = {attribute.name: [] for attribute in segment.attributes}
        for _, cells in islice(
            rows_in(found.form), found.rows_before_people, rows + found.rows_before_people
        ):
            if isinstance(cells, list) and found.layout.fits(cells):
                # An empty cell after a last delimiter has no name.
                for name, value in zip(names, cells, strict=False):
                    if name in samples:
                        samples[name].append(value)
        if any(samples.values()):
            return samples
    return {}


def _header_of(text: str, form: CsvFormat) -> tuple[list[str], CsvFormat] | None:
    """The cells of the header and the format found, or None when the first row is data."""
    form, rows = _divided(_without_lines(text, _is_before_header), form)
    if not rows or len(rows[0]) == 1:
        # The header of one column may look like a comment.
        form, rows = _divided(_without_lines(text, lambda line: has_no_names([line])), form)
    if not rows or not any(cell.strip() for cell in rows[0]):
        return None
    first, following = rows[0], rows[1:]
    return None if _is_data(first, following) else (first, form)


def _divided(text: str, form: CsvFormat) -> tuple[CsvFormat, list[list[str]]]:
    """The format with the delimiter found, and the first rows."""
    form = replace(form, header=True, delimiter=_delimiter(text, form))
    return form, first_rows(text.encode(), form, _SAMPLED)


def _without_lines(text: str, is_left_out: Callable[[str], bool]) -> str:
    """The text without the lines at its beginning that are left out."""
    return "".join(dropwhile(is_left_out, StringIO(text, newline="")))


def _is_before_header(line: str) -> bool:
    return has_no_names([line]) or _COMMENT.fullmatch(line.strip()) is not None


def _attributes(cells: Sequence[str]) -> tuple[Attribute, ...]:
    """An attribute for each cell of a header. A column without a name gets one that no other has."""
    names = [name_of_column(cell).strip() for cell in cells]
    for index, name in enumerate(names):
        if not name:
            unused = (f"column{number}" for number in count(index + 1))
            names[index] = next(each for each in unused if each not in names)
    return tuple(Attribute(name) for name in names)


def _is_data(first: Sequence[str], following: Sequence[Sequence[str]]) -> bool:
    if has_profile_id(first):
        return False
    if looks_like_data(first):
        return True
    if "email" in suggest([Attribute(cell.strip()) for cell in first if cell.strip()]).values():
        return False
    for index, cell in enumerate(first):
        values = [row[index] for row in following if len(row) > index]
        if looks_like_addresses(values):
            # In a header, a column of addresses has a name; in a row, the cell may be empty.
            return not cell.strip()
    return looks_like_numbers(first)


def _beginning(source: LandingContainer, partition: Partition) -> str | None:
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
        # Of a gzip file only the beginning was fetched, so its end is missing.
        if partition.size <= _ENOUGH:
            raise
    return head.decode(errors="replace").lstrip("\r\n")


def _delimiter(text: str, form: CsvFormat) -> str:
    """The usual delimiter that gives most rows the width of the first one, and it several columns.

    The name of a column may hold another delimiter more often than the file has columns. So usual names of columns count
    more than the number of columns.
    """
    first = re.split(r"[\r\n]", re.sub(r'"(?:[^"]|"")*"', "", text), maxsplit=1)[0]
    head = text.encode()
    best, score = form.delimiter, (0.0, 0, 0)
    for delimiter in USUAL_DELIMITERS:
        if delimiter not in first:
            continue
        rows = first_rows(head, replace(form, delimiter=delimiter), _COMPARED)
        widths = [len(row) for row in rows]
        if widths and widths[0] > 1:
            found = (widths.count(widths[0]) / len(widths), _usual_names(rows[0]), widths[0])
            if found > score:
                best, score = delimiter, found
    return best


def _usual_names(cells: Sequence[str]) -> int:
    """How many cells are names that the columns of many files have, such as that of the profile id."""
    names = [cell.strip() for cell in cells if not any(each in cell for each in USUAL_DELIMITERS)]
    return has_profile_id(names) + len(suggest([Attribute(name) for name in names if name]))


def _parquet_attributes(source: LandingContainer, partition: Partition) -> tuple[Attribute, ...]:
    with small_workspace() as (connection, folder):
        path = folder / "file.parquet"
        with path.open("wb") as file:
            file.writelines(source.pieces(partition.blob, partition.etag))
        columns = parquet_columns(connection, Parquet(path), partition.blob)
    return tuple(Attribute(name_of_column(name), kind.casefold()) for name, kind in columns)
