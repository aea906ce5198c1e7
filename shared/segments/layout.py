"""Which column of a file is which attribute, and whether its first row is a header.

`model.json` orders the columns. A header that holds the same names beats that order, because a
value in the wrong column is worse than a refused file. Whether there is a header is told by
`columnHeaders`; but where it says false or nothing (false is the format's default, and writers
forget), a first row that repeats the attribute names is a header all the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from shared.errors import InputError
from shared.model.source import Attribute

__all__ = ["Layout", "lay_out"]


@dataclass(frozen=True)
class Layout:
    """The number of columns, whether row 1 is a header, and the names by position."""

    header: bool
    names: tuple[str, ...]

    @property
    def width(self) -> int:
        """The number of cells that a row must have."""
        return len(self.names)

    def positions(self, columns: Sequence[str]) -> list[int | None]:
        """Where each column stands (0-based), None where the file does not have it."""
        places: dict[str, int] = {}
        for place, name in enumerate(self.names):
            places.setdefault(name, place)
        return [places.get(column) for column in columns]


def lay_out(
    attributes: Sequence[Attribute], header: bool | None, first: Sequence[str] | None, where: str
) -> Layout:
    """Decide from the model's attributes, its `columnHeaders` and the file's first row.

    `first` is None when the file has no rows or its first row cannot be read. InputError when
    the header contradicts the attributes, or when there is neither.
    """
    names = tuple(attribute.name for attribute in attributes)
    if first is None:
        if not names and header is not None:
            msg = f"The header of {where} cannot be read."
            raise InputError(msg, code="headerUnreadable", where=where)
        return Layout(header is True, names)
    if not names:
        return Layout(True, tuple(cell.strip() for cell in first))
    if not _is_header(names, header, first):
        return Layout(False, names)
    found = {_plain(cell): place for place, cell in reversed(list(enumerate(first)))}
    if all(_plain(name) in found for name in names):
        laid = [""] * len(first)
        for name in reversed(names):
            laid[found[_plain(name)]] = name
        return Layout(True, tuple(laid))
    if len(first) == len(names):
        return Layout(True, names)
    msg = f"The header of {where} has {len(first)} columns; model.json lists {len(names)}."
    raise InputError(msg, code="columnsDiffer", where=where)


def _is_header(names: Sequence[str], header: bool | None, first: Sequence[str]) -> bool:
    if header:
        return True
    cells = {_plain(cell) for cell in first}
    wanted = {_plain(name) for name in names}
    if len(first) == len(names) == 1:
        # One column: a value may well be the column's name, so only "unknown" may decide.
        return header is None and cells == wanted
    return wanted <= cells


def _plain(name: str) -> str:
    return name.strip().casefold()
