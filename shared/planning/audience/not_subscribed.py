"""Read the contacts of an audience that are not subscribed, before the first write of every run.

They are sent nothing and never subscribed again. The list is stored per audience, so that later
runs read only the changes. These do not include a contact that left the status (someone signed up
again). So the number of contacts in each status is compared as well; when it differs, all contacts
of that status are read again.
https://mailchimp.com/developer/marketing/api/list-members/list-members-info/
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from shared.errors import Changed
from shared.fields.address import mail_form
from shared.mailchimp.session import MailchimpSession
from shared.model.audience import (
    NOT_SUBSCRIBED,
    NotSubscribedPointer,
    changes_since,
)
from shared.model.clocks import CLOCK_TOLERANCE
from shared.model.names import audience_key, not_subscribed_blob
from shared.model.ports import Files, Records, Stored, create_or_replace, download_if_exists
from shared.workspace import SqlFile

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from shared.capacity.parallel_calls import ParallelCalls


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
        self, db: DuckDBPyConnection, calls: ParallelCalls, scratch: Path, *, whole: bool
    ) -> dict[str, int]:
        """Fill `not_subscribed` and store it for the next run. `whole` reads it without the stored list.

        Returns the number of contacts of the audience by status.
        """
        _SQL.run(db, "create")
        stored = self.pointers.read(self._key)
        since = None if whole or stored is None else self._load(db, stored.value, scratch)
        subscribed = self._count(calls, "subscribed")
        self._add(db, calls, NOT_SUBSCRIBED, since)
        if since is not None:
            counted = {status: self._count(calls, status) for status in NOT_SUBSCRIBED}
            wrong = [
                status
                for status, count in counted.items()
                if count.result() != _SQL.number(db, "count", status=status)
            ]
            for status in wrong:
                _SQL.run(db, "delete", status=status)
            self._add(db, calls, wrong, None)
        # They subscribed again after they were selected for a page. Their own status is the newer one.
        _SQL.run(db, "delete", status="subscribed")
        self._store(db, stored, scratch)
        counts = dict.fromkeys(NOT_SUBSCRIBED, 0)
        counts.update(_SQL.rows(db, "counts"))
        return {"subscribed": subscribed.result(), **counts}

    def _count(self, calls: ParallelCalls, status: str) -> Future[int]:
        return calls.submit(lambda session: session.count(self.audience_id, status))

    def _add(
        self,
        db: DuckDBPyConnection,
        calls: ParallelCalls,
        statuses: Iterable[str],
        since: str | None,
    ) -> None:
        """Read the contacts with these statuses, the statuses at the same time."""
        one_at_a_time = threading.Lock()

        def read(session: MailchimpSession, status: str) -> None:
            for page in session.members_with_status(self.audience_id, status, since):
                with one_at_a_time:
                    _SQL.run(
                        db,
                        "add",
                        addresses=[contact.address for contact in page],
                        statuses=[contact.status for contact in page],
                        contact_ids=[contact.contact_id for contact in page],
                    )

        for reading in [calls.submit(partial(read, status=status)) for status in statuses]:
            reading.result()

    @property
    def _key(self) -> str:
        return audience_key(self.account_id, self.audience_id)

    def _load(
        self, db: DuckDBPyConnection, pointer: NotSubscribedPointer, scratch: Path
    ) -> str | None:
        """Load the stored list. Returns the time since which changes must be read; None without a usable list."""
        if pointer.read_at - self.now > CLOCK_TOLERANCE:
            # The clock was wrong when it was read, so the changes since then would be missed. If it was ahead by less, none
            # is missed, because `changes_since` begins earlier by more than that.
            return None
        local = scratch / "not-subscribed-before.parquet"
        if not download_if_exists(self.files, pointer.blob, local):
            return None
        _SQL.run(db, "load", file=str(local))
        # Earlier versions stored the domains of these addresses as Mailchimp has them.
        for (address,) in _SQL.rows(db, "international"):
            _SQL.run(db, "use_mail_form", address=address, mail=mail_form(address))
        return changes_since(pointer.read_at)

    def _store(
        self, db: DuckDBPyConnection, stored: Stored[NotSubscribedPointer] | None, scratch: Path
    ) -> None:
        local = scratch / "not-subscribed.parquet"
        blob = not_subscribed_blob(self._key, self.version)
        _SQL.write(db, "save", local)
        self.files.upload(local, blob)
        pointer = NotSubscribedPointer(blob, self.now)
        try:
            create_or_replace(self.pointers, self._key, pointer, stored)
        except Changed:
            self.files.delete(blob)  # another run stored its list first; it is equally valid
            return
        if stored is not None and stored.value.blob != blob:
            self.files.delete(stored.value.blob)


def load_not_subscribed(db: DuckDBPyConnection, file: Path | None) -> None:
    """Fill `not_subscribed` from a local copy of a stored list; without one, leave it empty."""
    _SQL.run(db, "create")
    if file is not None:
        _SQL.run(db, "load", file=str(file))
