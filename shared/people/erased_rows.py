"""The rows of erased people in a stored Parquet file, and a copy of the file without these people."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from duckdb import DuckDBPyConnection

from shared.model.ports import Files, download_if_exists
from shared.people.erasures import MarkErased
from shared.people.stored_contacts import open_contacts
from shared.workspace import SqlFile, small_workspace

_SQL = SqlFile.of(__file__)


@dataclass(frozen=True)
class FileKind:
    """A kind of Parquet file: the statements that open it as `candidates`, count the rows of erased people, and
    write a copy without these people.
    """

    open: str
    count: str
    write: str


WITH_ADDRESS = FileKind("open", "count", "write")
"""Files with the column `address`."""

WITH_EMAIL = FileKind("open_outcomes", "count", "write_outcomes")
"""Files with the column `email`. Outcomes keep their rows, in which the identifying columns are emptied."""

CONTACTS = FileKind("open_contacts", "count_contacts", "write_contacts")
"""The contacts of an audience, which have former addresses as well (stored_contacts.py)."""


@dataclass(frozen=True)
class ErasedRows:
    """The rows of a file whose address is in `erased_addresses`. `etag` is that of the blob."""

    db: DuckDBPyConnection
    etag: str
    count: int
    target: Path
    kind: FileKind

    def customers(self) -> list[str]:
        """Return the profile ids in these rows."""
        return [customer for (customer,) in _SQL.rows(self.db, "customers")]

    def write_without(self) -> Path:
        """Write a copy of the file without these people."""
        _SQL.write(self.db, self.kind.write, self.target)
        return self.target


@contextmanager
def open_erased_rows(
    files: Files, blob: str, mark: MarkErased, kind: FileKind
) -> Iterator[ErasedRows | None]:
    """Download a blob and yield its rows of erased people, or None when it has none."""
    if not blob:
        yield None
        return
    with small_workspace() as (db, folder):
        local = folder / "found.parquet"
        etag = download_if_exists(files, blob, local)
        if etag is None:
            yield None
            return
        if kind is CONTACTS:
            open_contacts(db, local)
        _SQL.run(db, kind.open, file=str(local))
        mark(db)
        rows = ErasedRows(db, etag, _SQL.number(db, kind.count), folder / "without.parquet", kind)
        yield rows if rows.count else None
