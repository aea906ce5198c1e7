"""Read the contacts of an audience that are not subscribed, before the first write of every run.

They are sent nothing and never subscribed again. The list is stored per audience, so that later
runs read only the changes. These do not include a contact that left the status (someone signed up
again). So the number of contacts in each status is compared as well; when it differs, all contacts
of that status are read again.
https://mailchimp.com/developer/marketing/api/list-members/list-members-info/
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from shared.errors import Changed, Conflict, NotFound
from shared.mailchimp.session import MailchimpSession
from shared.model.audience import NOT_SUBSCRIBED, ContactStatus, NotSubscribedPointer
from shared.model.names import not_subscribed_blob
from shared.model.ports import Files, Records, Stored
from shared.workspace import SqlFile

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

__all__ = ["NotSubscribedList", "load_not_subscribed"]

# Mailchimp's clock and that of the app may differ, and a change may become visible late.
_OVERLAP = timedelta(minutes=15)
_SQL = SqlFile.of(__file__)


@dataclass(frozen=True)
class NotSubscribedList:
    """The stored list of one audience. `version` names the next blob, `now` is the time of reading."""

    pointers: Records[NotSubscribedPointer]
    files: Files
    account_id: str
    audience_id: str
    version: str
    now: datetime

    def read(
        self, db: DuckDBPyConnection, session: MailchimpSession, scratch: Path, *, whole: bool
    ) -> None:
        """Fill `not_subscribed` and store it for the next run. `whole` reads it without the stored list."""
        _SQL.run(db, "create")
        stored = self.pointers.read(self._key)
        since = None if whole or stored is None else self._load(db, stored.value, scratch)
        for status in NOT_SUBSCRIBED:
            _add(db, session.members_with_status(self.audience_id, status, since))
        if since is not None:
            for status in NOT_SUBSCRIBED:
                counted = session.count(self.audience_id, status)
                if counted != _SQL.number(db, "count", status=status):
                    _SQL.run(db, "delete", status=status)
                    _add(db, session.members_with_status(self.audience_id, status, None))
        self._store(db, stored, scratch)

    def count(self, db: DuckDBPyConnection, session: MailchimpSession) -> dict[str, int]:
        """Count the contacts of the audience by status, once `not_subscribed` is filled."""
        counts = dict.fromkeys(NOT_SUBSCRIBED, 0)
        counts.update(_SQL.rows(db, "counts"))
        return {"subscribed": session.count(self.audience_id, "subscribed"), **counts}

    @property
    def _key(self) -> str:
        return f"{self.account_id}/{self.audience_id}"

    def _load(
        self, db: DuckDBPyConnection, pointer: NotSubscribedPointer, scratch: Path
    ) -> str | None:
        """Load the stored list. Returns the time since which changes must be read; None without a list."""
        local = scratch / "not-subscribed-before.parquet"
        try:
            self.files.download(pointer.blob, local)
        except NotFound:
            return None
        _SQL.run(db, "load", file=str(local))
        return (pointer.read_at - _OVERLAP).isoformat(timespec="seconds")

    def _store(
        self, db: DuckDBPyConnection, stored: Stored[NotSubscribedPointer] | None, scratch: Path
    ) -> None:
        local = scratch / "not-subscribed.parquet"
        blob = not_subscribed_blob(self.account_id, self.audience_id, self.version)
        _SQL.run(db, "save", file=str(local))
        self.files.upload(local, blob)
        pointer = NotSubscribedPointer(blob, self.now)
        try:
            if stored is None:
                self.pointers.create(self._key, pointer)
            else:
                self.pointers.replace(self._key, pointer, stored.etag)
        except (Conflict, Changed):
            self.files.delete(blob)  # another run stored its list first; it is equally valid
            return
        if stored is not None and stored.value.blob != blob:
            self.files.delete(stored.value.blob)


def load_not_subscribed(db: DuckDBPyConnection, file: Path | None) -> None:
    """Fill `not_subscribed` from a local copy of a stored list; without one, leave it empty."""
    _SQL.run(db, "create")
    if file is not None:
        _SQL.run(db, "load", file=str(file))


def _add(db: DuckDBPyConnection, pages: Iterable[list[ContactStatus]]) -> None:
    for page in pages:
        _SQL.run(
            db,
            "add",
            addresses=[contact.address for contact in page],
            statuses=[contact.status for contact in page],
        )
