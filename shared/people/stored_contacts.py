"""Reads the contacts of an audience as the last sweep stored them (consent_updates/sweep.py)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from shared.errors import NotFound, Unavailable
from shared.model.consent import ConsentSweep
from shared.model.ports import Files, Records, readable
from shared.workspace import SqlFile, small_workspace

# A sweep may delete the file while it is downloaded. Then the newer file is tried.
_TRIES = 3
_SQL = SqlFile.of(__file__)


@dataclass(frozen=True)
class StoredContacts:
    """The stored contacts of all audiences. `key` is that of an audience (model/consent.py)."""

    sweeps: Records[ConsentSweep]
    files: Files

    def download(self, key: str, local: Path) -> ConsentSweep | None:
        """Download the contacts of an audience. None before the first sweep."""
        for _ in range(_TRIES):
            stored = self.sweeps.read(key)
            if stored is None or not stored.value.blob:
                return None
            try:
                self.files.download(stored.value.blob, local)
            except NotFound:
                continue
            return stored.value
        raise Unavailable("recordContended")

    def ids(self, key: str, addresses: Sequence[str]) -> Mapping[str, str]:
        """Return the ids of the contacts that have these addresses, or had them last.

        Unknown addresses are left out.
        """
        with small_workspace() as (db, folder):
            local = folder / "contacts.parquet"
            if self.download(key, local) is None:
                return {}
            return dict(_SQL.rows(db, "ids", file=str(local), addresses=list(addresses)))

    def other_addresses(self, address: str) -> list[str]:
        """Return the addresses that contacts with this address have or had, in all audiences."""
        found: set[str] = set()
        for stored in readable(self.sweeps.all()):
            with small_workspace() as (db, folder):
                local = folder / "contacts.parquet"
                if self.download(stored.key, local) is not None:
                    rows = _SQL.rows(db, "other_addresses", file=str(local), address=address)
                    found.update(other for (other,) in rows)
        return sorted(found)
