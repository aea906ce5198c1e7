"""A definition of an export that was not checked yet."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

from shared.errors import Fault, faults_of_read
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
        """The draft with more faults. Faults about values that could not be read are left out: these are placeholders."""
        return replace(self, faults=(*self.faults, *faults_of_read(found, self.unread)))
