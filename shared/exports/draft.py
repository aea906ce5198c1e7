"""A definition of an export that was not checked yet."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

from shared.errors import Fault, without_unread
from shared.model.export import Export


@dataclass(frozen=True)
class Draft:
    """A definition as a person wrote it.

    `unread` are the paths of the values that could not be read, such as `schedule.repeat`. `export` has placeholders
    for them. `faults` are the faults that were found so far, also those of the values that could not be read.
    """

    export: Export
    unread: Collection[str] = ()
    faults: tuple[Fault, ...] = ()

    def with_faults(self, found: Collection[Fault]) -> Draft:
        """The draft with more faults, without those of values that could not be read: these are placeholders."""
        return replace(self, faults=(*self.faults, *without_unread(found, self.unread)))
