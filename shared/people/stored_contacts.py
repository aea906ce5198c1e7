"""Reads the contacts of an audience as the last sweep stored them (consent_updates/sweep.py).

Their file has one row for each contact, with the columns of `contacts` in docs/tables.md. All statements that read
such a file use the view `stored_contacts`, because earlier versions stored fewer columns.

The file of a million contacts has 20 MB. While a run sends, each of its chunks may ask for contacts. So the lanes of
a process share one local copy (`keep`). Before each question the record of the audience is read, and the copy is
replaced if the record names another file: a sweep or an erasure has written it. The copy only connects addresses with
contact ids; statuses are asked from Mailchimp. It is deleted when no lane of the process sends to the audience any
more.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from duckdb import DuckDBPyConnection

from shared.errors import Unavailable
from shared.model.consent import ConsentSweep
from shared.model.ports import Files, Records, download_if_exists
from shared.temporary import temporary_folder
from shared.workspace import SqlFile, small_workspace

# A sweep may delete the file while it is downloaded. Then the newer file is tried.
_TRIES = 3
# So many contacts of one address are looked up. Addresses that two contacts had are rare.
MOST_CONTACTS = 10
_SQL = SqlFile.of(__file__)


@dataclass(frozen=True)
class ContactCounts:
    """The numbers of contacts in a file: not archived, archived, and those of both without a contact id."""

    not_archived: int
    archived: int
    unidentified: int


def open_contacts(db: DuckDBPyConnection, file: Path) -> None:
    """Open a local file of contacts as the view `stored_contacts`."""
    _SQL.run(db, "open", file=str(file))


def count_contacts(db: DuckDBPyConnection, file: Path) -> ContactCounts:
    """Count the contacts in a local file, and open it as the view `stored_contacts`."""
    open_contacts(db, file)
    return ContactCounts(*map(int, _SQL.row(db, "count")))


class _Copy:
    """A local copy of the contacts of an audience, and how many lanes need it."""

    def __init__(self) -> None:
        self.users = 0
        self.lock = threading.Lock()
        self.blob = ""
        self._stack = ExitStack()
        self._file: Path | None = None

    @property
    def file(self) -> Path:
        if self._file is None:
            self._file = self._stack.enter_context(temporary_folder("contacts-")) / "contacts"
        return self._file

    def delete(self) -> None:
        self._stack.close()


@dataclass(frozen=True)
class StoredContacts:
    """The stored contacts of all audiences. `key` is that of an audience (`audience_key`)."""

    sweeps: Records[ConsentSweep]
    files: Files
    _copies: dict[str, _Copy] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def download(self, key: str, local: Path) -> ConsentSweep | None:
        """Download the contacts of an audience. None before the first sweep."""
        for _ in range(_TRIES):
            stored = self.sweeps.read(key)
            if stored is None or not stored.value.blob:
                return None
            if download_if_exists(self.files, stored.value.blob, local):
                return stored.value
        raise Unavailable("recordContended")

    @contextmanager
    def keep(self, key: str) -> Iterator[None]:
        """Keep the local copy of an audience until the end of the context, once it has been downloaded."""
        with self._lock:
            copy = self._copies.setdefault(key, _Copy())
            copy.users += 1
        try:
            yield
        finally:
            with self._lock:
                copy.users -= 1
                if not copy.users:
                    del self._copies[key]
                    copy.delete()

    def ids(self, key: str, addresses: Sequence[str]) -> dict[str, tuple[str, ...]]:
        """Return the id of the contact that has each address, or the ids of those that had it.

        An address that several contacts had has at most `MOST_CONTACTS` ids. Unknown addresses are left out.
        """
        with self._open(key) as db:
            if db is None:
                return {}
            rows = _SQL.rows(db, "ids", addresses=list(addresses), most=MOST_CONTACTS)
            return {address: tuple(ids) for address, ids in rows}

    def addresses(self, key: str, ids: Collection[str]) -> set[str]:
        """Return the addresses that these contacts have or had, without those that another contact has."""
        with self._open(key) as db:
            if db is None:
                return set()
            return {one for (one,) in _SQL.rows(db, "addresses_of_ids", ids=list(ids))}

    @contextmanager
    def _open(self, key: str) -> Iterator[DuckDBPyConnection | None]:
        """Open the contacts of an audience as the view `stored_contacts`. None before the first sweep."""
        with self._local(key) as local:
            if local is None:
                yield None
                return
            with small_workspace() as (db, _):
                open_contacts(db, local)
                yield db

    @contextmanager
    def _local(self, key: str) -> Iterator[Path | None]:
        copy = self._copies.get(key)
        if copy is None:
            with temporary_folder("contacts-") as folder:
                local = folder / "contacts"
                yield local if self.download(key, local) else None
            return
        # One lane at a time, because each question needs memory.
        with copy.lock:
            yield copy.file if self._update(key, copy) else None

    def _update(self, key: str, copy: _Copy) -> bool:
        """Download the contacts again if the record names another file. False before the first sweep."""
        stored = self.sweeps.read(key)
        if stored is not None and stored.value.blob and stored.value.blob == copy.blob:
            return True
        copy.blob = ""
        copy.file.unlink(missing_ok=True)
        current = self.download(key, copy.file)
        copy.blob = current.blob if current else ""
        return current is not None
