"""Decides which column of a file is which attribute, and whether its first row is a header.

`model.json` defines the order of the columns. A header with the same names overrides it, because a value in the
wrong column is worse than a refused file. The content of the first row decides for each file; `columnHeaders` is
only a hint. A row with the names of the columns is a header even if `columnHeaders` is false (the default of the
format, which writers often leave unchanged), and a row with an address or an id is data even if it is true.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from shared.errors import InputError
from shared.model.source import PROFILE_ID, Attribute, CsvFormat, find_name, plain_name
from shared.segments.suggestions import LIKE_ADDRESS

USUAL_DELIMITERS = ",;\t|"
# Rows that may come before a header, such as a title.
MOST_BEFORE_HEADER = 10

# Values that occur in a person's row and not as names of columns: an address, an id of Customer Insights, a
# GUID, a date, a telephone number, a web address.
_DATA = re.compile(
    LIKE_ADDRESS.pattern + r"|[0-9a-f]{32}|\{?[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\}?"
    r"|\d{4}-\d{2}-\d{2}(?:[T ]\d{1,2}:\d{2}.*)?|\d{1,2}[/.]\d{1,2}[/.]\d{2,4}(?: \d{1,2}:\d{2}.*)?"
    r"|\+?\(?\d[\d ().-]{7,}\d|https?://\S+",
    re.IGNORECASE | re.ASCII,
)
# Blanks and delimiters, and `sep=;`, with which spreadsheets are told the delimiter.
_NOTHING = re.compile(r"[\s,;|]*(?:sep=.?[\s,;|]*)?", re.IGNORECASE)
# A line break is inside quotes, so such a cell is a value. count_rows.py has the same characters in UTF-8.
_WITHOUT_VALUE = re.compile(r"(?:[^\S\n]|[\x00-\x09\x0b-\x1f\x7f\ufeff])+")
# Blanks, hyphens, underscores and invisible characters in the name of a column.
_SEPARATORS = re.compile(r"[\W_]+")
# The ends of lines in all systems, of which a file has only one.
_LINE_END = re.compile("[\r\n\x0b\x0c\x1c-\x1e\x85\u2028\u2029]")
_NUMBER = re.compile(r"[+-]?(?:\d+(?:[.,]\d+)?|[.,]\d+)|true|false", re.IGNORECASE | re.ASCII)


@dataclass(frozen=True)
class Layout:
    """Whether row 1 is a header, and the names of the columns by position.

    `has_last_delimiter` is whether every row, but not the header, has a delimiter at its end, and nothing after it.
    """

    header: bool
    names: tuple[str, ...]
    has_last_delimiter: bool = False

    @property
    def width(self) -> int:
        """The number of cells that a row must have. After a last delimiter comes an empty cell."""
        return len(self.names) + self.has_last_delimiter

    def fits(self, cells: Sequence[str]) -> bool:
        """Whether a row has a cell for each column, and nothing else."""
        if len(cells) != self.width:
            return False
        return not (self.has_last_delimiter and cells[-1].strip())

    def with_last_delimiter(self, rows: Sequence[Sequence[str]]) -> Layout:
        """The layout with a last delimiter, if all these rows have one.

        Unreadable rows, which are empty, and lines without a value do not count. One row is not enough: a delimiter
        inside a cell without quotes looks the same if the last cell is empty.
        """
        other = replace(self, has_last_delimiter=True)
        readable = [row for row in rows if row and not is_without_value(row)]
        return other if len(readable) > 1 and all(map(other.fits, readable)) else self


def with_delimiter(
    form: CsvFormat,
    names: Sequence[str],
    rows_with: Callable[[CsvFormat], Sequence[Sequence[str]]],
) -> CsvFormat:
    """Return the format with the delimiter that the file has.

    `rows_with` returns the first rows, at least one, as a format divides them; an unreadable row is empty. Writers may leave
    out a delimiter that is not the comma. Another one is used only if the declared one does not give the first row the
    right width, and the other does and finds names of columns or a person's data in it. Of several, the one that gives
    the most rows the right width is used. If none does, a header with other columns may show the delimiter.
    """
    width = len(names)
    declared = rows_with(form)
    first = _from_header(names, declared)[0]
    if width < 2 or len(first) == width:
        return form
    is_divided = len(first) > 1
    # If so, the declared delimiter is the right one, and the rows are broken.
    has_enough_cells = bool(first) and all(
        len(row) >= width for row in declared if row and not is_without_value(row)
    )
    found, most = form, 0
    for delimiter in USUAL_DELIMITERS:
        other = replace(form, delimiter=delimiter)
        rows = _from_header(names, rows_with(other))
        fitting = sum(len(row) == width for row in rows)
        if len(rows[0]) != width or fitting <= most:
            continue
        matching = len(_indexes_of(names, rows[0]))
        has_names = matching == len(set(names)) or (matching > 0 and not is_divided)
        # A cell with the declared delimiter may be several values; with a quote as well, it is a part of a broken row.
        undivided = [cell for cell in rows[0] if form.delimiter not in cell]
        is_broken = any('"' in cell and form.delimiter in cell for cell in rows[0])
        all_fit = fitting == sum(bool(row) for row in rows)
        may_be_data = not has_enough_cells and not is_broken and (all_fit or not is_divided)
        if has_names or (may_be_data and looks_like_data(undivided)):
            found, most = other, fitting
    return found if most else _with_names(form, names, first, rows_with)


def _with_names(
    form: CsvFormat,
    names: Sequence[str],
    first: Sequence[str],
    rows_with: Callable[[CsvFormat], Sequence[Sequence[str]]],
) -> CsvFormat:
    """Return the format with the delimiter that finds most of `names` in a header, which may have more or fewer columns.

    At least two names, and half of the cells, must be names of the model. `first` is the first row as `form` divides it.
    """
    found, most = form, max(1, len(_indexes_of(names, first)))
    for delimiter in USUAL_DELIMITERS:
        other = replace(form, delimiter=delimiter)
        row = _from_header(names, rows_with(other))[0]
        matching = len(_indexes_of(names, row))
        is_divided_before = any(form.delimiter in cell for cell in row)
        if matching > most and matching * 2 >= len(row) and not is_divided_before:
            found, most = other, matching
    return found


def lay_out(
    attributes: Sequence[Attribute], form: CsvFormat, first: Sequence[str] | None, where: str
) -> Layout:
    """Decide from the attributes, the format and the file's first row.

    `first` is None when the file has no rows or its first row cannot be read. InputError when
    the header contradicts the attributes or contains people, or when there is neither.
    """
    names, header = tuple(attribute.name for attribute in attributes), form.header
    if first is None:
        if not names and header is not None:
            raise InputError("headerUnreadable", where=where)
        return Layout(header is True, names)
    if not names:
        return Layout(True, tuple(cell.strip() for cell in first))
    indexes = _indexes_of(names, first)
    in_place = all(index == names.index(name) for name, index in indexes.items())
    if not _is_header(names, header, first, len(indexes), in_place=in_place):
        return Layout(False, names)
    refuse_header_with_people(
        [cell for index, cell in enumerate(first) if index not in indexes.values()], where
    )
    others = [
        cell
        for index, cell in enumerate(first)
        if index not in indexes.values() and cell.strip() not in names[index : index + 1]
    ]
    has_other_names = form.names_are_header and any(cell.strip() for cell in others)
    if len(first) == len(names) and in_place and not has_other_names:
        # Other names, as friendly names are, are those of the columns that the model lists.
        return Layout(True, names)
    if not indexes:
        raise InputError("columnsDiffer", where=where, found=len(first), listed=len(names))
    return Layout(True, _names_of_columns(indexes, first))


def _names_of_columns(indexes: Mapping[str, int], first: Sequence[str]) -> tuple[str, ...]:
    """The name of each column, "" for columns without one.

    If two columns match a name equally well, both get it, so that `position_of` refuses the file if this column is read.
    """
    found: dict[object, str] = {}
    for name, index in indexes.items():
        alike = next(one for one in _ALIKE if one(first[index]) == one(name))
        found.setdefault((alike, alike(name)), name)
    names = []
    for cell in first:
        keys = ((alike, alike(cell)) for alike in _ALIKE)
        names.append(next((found[key] for key in keys if key in found), ""))
    for name, index in indexes.items():
        names[index] = name
    return tuple(names)


def looks_like_data(row: Sequence[str]) -> bool:
    """Whether a row contains values that no column has as its name, such as an address, an id or a date."""
    return any(_DATA.fullmatch(cell.strip()) for cell in row)


def looks_like_numbers(row: Sequence[str]) -> bool:
    """Whether a row holds plain numbers or truth values, which are rarely names of columns."""
    return any(_NUMBER.fullmatch(cell.strip()) for cell in row)


def refuse_header_with_people(cells: Sequence[str], where: str) -> None:
    """Raise InputError if one of these cells of a header is an address, or has one beside a line end.

    Then the line with the header also has people, who would be lost: it ends in another way than the lines after it, or
    the whole file is one line, because its line ends are not supported.
    """
    parts = (part.strip() for cell in cells for part in _LINE_END.split(cell))
    if any(LIKE_ADDRESS.fullmatch(part) for part in parts):
        raise InputError("headerWithPeople", where=where)


def has_profile_id(row: Sequence[str]) -> bool:
    """Whether a cell is the name of the profile id, which no person has as a value."""
    return any(plain_name(cell) == plain_name(PROFILE_ID) for cell in row)


def is_without_value(row: Sequence[str]) -> bool:
    """Whether a line has only blanks or control characters, such as the Ctrl+Z at the end of some files."""
    return len(row) == 1 and _WITHOUT_VALUE.fullmatch(row[0]) is not None


def has_no_names(row: Sequence[str]) -> bool:
    """Whether a row has neither names nor values: it is blank, or `sep=;`."""
    return _NOTHING.fullmatch("".join(row)) is not None


def position_of(name: str, attribute: str, names: Sequence[str], where: str) -> int:
    """The position of the column with this name, which an export needs for an attribute.

    InputError when there is no such column, or several. Only the profile id may be there several times, as joined
    tables have it; the first one is used.
    """
    count = names.count(name)
    if count == 0:
        raise InputError("columnMissing", where=where, attribute=attribute)
    if count > 1 and not has_profile_id([name]):
        raise InputError("columnTwice", where=where, attribute=attribute)
    return names.index(name)


def header_index(names: Sequence[str], rows: Sequence[Sequence[str]]) -> int:
    """The position of the header among the first rows of a file.

    It is 0 unless other rows come before the header: a title, a comment, or rows without names. Only the first row that has
    a cell for each name, or whose cells are all names, can be such a header. A row that cannot be read, or has an address,
    may be a person's, and must be reported.
    """
    for index, row in enumerate(rows):
        if not row:
            return 0
        if has_no_names(row):
            continue
        found = _indexes_of(names, row)
        if len(found) == len(row) > 1:
            return index  # it may have fewer columns than the model
        if len(row) >= len(names) > 0:
            # A column without a name has one in `names` (see header.py).
            missing = [cell for name, cell in zip(names, row, strict=False) if name not in found]
            return index if found and not any(cell.strip() for cell in missing) else 0
        if any(LIKE_ADDRESS.fullmatch(cell.strip()) for cell in row):
            return 0
    return 0


def _from_header(names: Sequence[str], rows: Sequence[Sequence[str]]) -> Sequence[Sequence[str]]:
    """The rows without those before the header, and without the lines after it that have no value."""
    first, *others = rows[header_index(names, rows) :]
    return [first, *(row for row in others if not is_without_value(row))]


def _indexes_of(names: Sequence[str], first: Sequence[str]) -> dict[str, int]:
    """The position of each name in the row: exact matches first, then without case, then letters and digits only."""
    indexes: dict[str, int] = {}
    free = dict(enumerate(first))
    for alike in _ALIKE:
        cells: dict[str, list[int]] = {}
        for index in sorted(free, reverse=True):
            cells.setdefault(alike(free[index]), []).append(index)
        for name in names:
            found = cells.get(alike(name)) if name not in indexes and alike(name) else None
            if found:
                indexes[name] = found.pop()
                del free[indexes[name]]
    return indexes


def find_column(wanted: str, names: Sequence[str]) -> str | None:
    """Return the column that has a name: the same, a similar one, or the only one with the same letters and digits."""
    found = find_name(wanted, names)
    if found is None and _letters_and_digits(wanted):
        found = find_name(wanted, names, _letters_and_digits)
    return found


def _letters_and_digits(name: str) -> str:
    """A name for comparison: `first_name` is `FirstName`, and an invisible character is no difference."""
    return _SEPARATORS.sub("", plain_name(name))


# How a name and a cell of a header are compared, in this order.
_ALIKE = (str.strip, plain_name, _letters_and_digits)


def _is_header(
    names: Sequence[str],
    header: bool | None,
    first: Sequence[str],
    matching: int,
    *,
    in_place: bool,
) -> bool:
    """Whether the first row is a header. It has `matching` names of the model; `in_place`: all in the positions of the model."""
    distinct = len(set(names))
    if len(first) == len(names) == 1 and matching:
        # One column: a value may well be the column's name, so only a "no" may decide.
        return header is not False
    if matching == distinct:
        return True
    if has_profile_id(first) and find_name(PROFILE_ID, names) is not None:
        return True
    if looks_like_data(first):
        return False
    if header is False:
        return False
    # A header with other names has no gaps and no numbers in it.
    has_gaps = not all(cell.strip() for cell in first) or is_without_value(first)
    may_be_names = not has_gaps and not looks_like_numbers(first)
    if header is None:
        # If the columns are in another order than the model's, values read by position would be in wrong fields.
        is_in_other_order = may_be_names and not in_place
        return is_in_other_order or (matching >= 2 and matching * 2 >= min(distinct, len(first)))
    return matching > 0 or may_be_names
