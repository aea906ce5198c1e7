"""Stores the list of excluded people of each export, and removes erased people from the lists."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

from shared.errors import Changed, ConfigError, Conflict, NotFound
from shared.fields.address import normal_address
from shared.model.exclusions import EXCLUSIONS_JSON, ExclusionList
from shared.model.names import ALL_EXCLUSIONS, exclusions_blob
from shared.model.ports import Files
from shared.people.erasures import MarkErased
from shared.workspace import SqlFile, small_workspace

_MOST_EXCLUDED = 100_000
EXCLUSIONS_CHANGED = "exclusionsChanged"
_SQL = SqlFile.of(__file__)
_LONGEST_ID = 500
# Characters that no CustomerId has: such a cell is a whole row.
_NO_ID = re.compile(r"[,;|\s]")
# The apostrophe that a download puts before a cell that looks like a formula.
_NEUTRALIZED = re.compile(r"^'(?=\s*[=+\-@])")
_HEADERS = frozenset(
    {
        "address",
        "customer_id",
        "customerid",
        "e-mail",
        "email",
        "email address",
        "email_address",
        "emailaddress",
        "excluded",
    }
)


@dataclass(frozen=True)
class Parsed:
    """An uploaded list, and the numbers (from 1) of lines with an invalid entry."""

    listed: ExclusionList
    invalid: tuple[int, ...]


def parse_exclusions(cells: Iterable[tuple[int, str]]) -> Parsed:
    """Read cells with their line numbers: an address, a CustomerId, or a header, which is ignored.

    ConfigError when there are too many.
    """
    addresses: set[str] = set()
    customers: set[str] = set()
    invalid: list[int] = []
    for line, cell in cells:
        text = _NEUTRALIZED.sub("", cell.strip().strip("\ufeff"))
        if not text or text.casefold() in _HEADERS:
            continue
        if "@" in text:
            address = normal_address(text)
            if address is None:
                invalid.append(line)
            else:
                addresses.add(address)
        elif len(text.encode()) <= _LONGEST_ID and not _NO_ID.search(text):
            customers.add(text)
        else:
            invalid.append(line)
        if len(addresses) + len(customers) > _MOST_EXCLUDED:
            raise ConfigError("tooManyExcluded", most=_MOST_EXCLUDED)
    listed = ExclusionList(tuple(sorted(addresses)), tuple(sorted(customers)))
    return Parsed(listed, tuple(invalid))


@dataclass(frozen=True)
class PurgedLists:
    """The number of removed entries by export, and the error if a list is damaged."""

    removed: dict[str, int]
    damaged: ConfigError | None = None


@dataclass(frozen=True)
class ExclusionLists:
    """The lists by export. A list is replaced as a whole."""

    files: Files

    def read(self, export_id: str) -> ExclusionList:
        """Read the list of an export; an empty one if there is none. ConfigError when it is damaged."""
        try:
            return EXCLUSIONS_JSON.validate_json(self.files.read(exclusions_blob(export_id)))
        except NotFound:
            return ExclusionList()
        except ValueError:
            # It is worse to send excluded people than to let the run fail.
            raise ConfigError("exclusionsDamaged") from None

    def write(self, export_id: str, listed: ExclusionList) -> None:
        """Replace the list of an export, whatever it is."""
        self.files.write(exclusions_blob(export_id), EXCLUSIONS_JSON.dump_json(listed))

    def replace_if(self, export_id: str, listed: ExclusionList, state: str) -> None:
        """Replace the list of an export. Changed if `state` is not that of the present list."""
        name, written = exclusions_blob(export_id), EXCLUSIONS_JSON.dump_json(listed)

        def replaced(data: bytes) -> bytes:
            if EXCLUSIONS_JSON.validate_json(data).state != state:
                raise Changed(EXCLUSIONS_CHANGED)
            return written

        try:
            self.files.update(name, replaced)
        except NotFound:
            if state != ExclusionList().state:
                raise Changed(EXCLUSIONS_CHANGED) from None
            try:
                self.files.write(name, written, once=True)
            except Conflict:
                raise Changed(EXCLUSIONS_CHANGED) from None

    def delete(self, export_id: str) -> None:
        """Delete the list of an export, if it has one."""
        self.files.delete(exclusions_blob(export_id))

    def purge(self, mark: MarkErased) -> PurgedLists:
        """Remove erased people from all lists that can be read.

        The CustomerId of an erased person is not known here. It stays until the list is replaced.
        """
        removed: dict[str, int] = {}
        damaged: ConfigError | None = None
        count = 0

        def without(data: bytes) -> bytes | None:
            nonlocal count
            listed = EXCLUSIONS_JSON.validate_json(data)
            erased = _erased(listed.addresses, mark)
            count = len(erased)
            kept = tuple(address for address in listed.addresses if address not in erased)
            return EXCLUSIONS_JSON.dump_json(replace(listed, addresses=kept)) if erased else None

        for name in list(self.files.names(ALL_EXCLUSIONS)):
            try:
                # A list that is uploaded at the same time must not be replaced by the old one.
                self.files.update(name, without)
            except NotFound:
                continue  # deleted since it was listed
            except ValueError:
                damaged = ConfigError("exclusionsDamaged")
                continue
            if count:
                removed[name.removeprefix(ALL_EXCLUSIONS).removesuffix(".json")] = count
        return PurgedLists(removed, damaged)


def _erased(addresses: tuple[str, ...], mark: MarkErased) -> set[str]:
    with small_workspace() as (db, _):
        _SQL.run(db, "candidates", addresses=list(addresses))
        mark(db)
        return {address for (address,) in _SQL.rows(db, "erased")}
