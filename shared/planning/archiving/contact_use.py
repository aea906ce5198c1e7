"""Counts the contacts that an audience could do without: unused, long unsubscribed and long cleaned ones.

Unused contacts come from the ledgers of all exports to the audience, the other numbers from Mailchimp. Only
unused contacts are archived by the app (record 86): archiving an unsubscribed contact would lose
its status, and Mailchimp does not bill cleaned ones.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from duckdb import DuckDBPyConnection

from shared.capacity.on_demand import REQUEST_PATIENCE, OnDemandSessions
from shared.capacity.parallel_calls import ParallelCalls
from shared.errors import NotFound, Unavailable
from shared.model.audience import BILLED, STATUSES, NotSubscribedPointer
from shared.model.export import Export
from shared.model.ledger import LedgerPointer
from shared.model.names import audience_key
from shared.model.ports import Files, Records, download_if_exists
from shared.model.run import Mode, Run
from shared.planning.archiving.unused import AudienceLedgers, find_unused
from shared.planning.audience.not_subscribed import load_not_subscribed
from shared.request_time import OTHER_SERVICES, is_time_up
from shared.runs.start import RunOptions, Starter
from shared.workspace import small_workspace

LONG = timedelta(days=365)
"""Since when a contact that counts as long unsubscribed or long cleaned has not changed."""


@dataclass(frozen=True)
class UnusedOfExport:
    """How many contacts an export created that no export targets any more."""

    export_id: str
    export_name: str
    people: int


@dataclass(frozen=True)
class ContactUse:
    """The contacts of an audience by status, and those that it could do without.

    `long_unsubscribed` and `long_cleaned` did not change since `since`. `incomplete` names exports
    that have not sent everyone yet: while there are any, `unused` is empty.
    """

    audience_id: str
    audience_name: str
    contacts: Mapping[str, int]
    unused: tuple[UnusedOfExport, ...]
    incomplete: tuple[str, ...]
    long_unsubscribed: int
    long_cleaned: int
    since: datetime

    @property
    def billed(self) -> int:
        """The contacts that Mailchimp bills."""
        return sum(self.contacts.get(status, 0) for status in BILLED)

    @property
    def unused_people(self) -> int:
        """The unused contacts of all exports."""
        return sum(one.people for one in self.unused)

    def share(self, people: int) -> float:
        """The share of the billed contacts, from 0 to 1."""
        return people / self.billed if self.billed else 0.0


@dataclass(frozen=True)
class UnusedContacts:
    """Counts these contacts, and starts runs that archive unused ones."""

    exports: Records[Export]
    ledgers: Records[LedgerPointer]
    not_subscribed: Records[NotSubscribedPointer]
    files: Files
    sessions: OnDemandSessions
    account_of: Callable[[str], str]
    starter: Starter
    now: Callable[[], datetime]

    def read(self, connection_id: str, audience_id: str) -> ContactUse:
        """Read the ledgers of the exports to an audience, and Mailchimp's counts. NotFound, Unavailable."""
        account_id = self.account_of(connection_id)
        since = self.now() - LONG
        wanted: list[tuple[str, datetime | None]] = [(status, None) for status in STATUSES]
        wanted += [("unsubscribed", since), ("cleaned", since)]
        with self.sessions.parallel(connection_id, account_id, REQUEST_PATIENCE) as calls:
            audience = calls.submit(lambda session: session.audience(audience_id)).result()
            counts = _read_counts(calls, audience_id, wanted)
        contacts = dict(zip(STATUSES, counts, strict=False))
        unsubscribed, cleaned = counts[-2:]
        ledgers = AudienceLedgers.read(self.exports, self.ledgers, account_id, audience_id)
        unused = () if ledgers.incomplete else self._unused(ledgers, account_id, audience_id)
        return ContactUse(
            audience_id,
            audience.name,
            contacts,
            unused,
            tuple(ledgers.incomplete),
            unsubscribed,
            cleaned,
            since,
        )

    def archive(self, export_id: str, by: str, agreed: int) -> Run:
        """Start a run that archives the unused contacts of an export, at most `agreed`. Conflict."""
        return self.starter.start_partial(export_id, Mode.ARCHIVE, by, RunOptions(agreed=agreed))

    def _unused(
        self, ledgers: AudienceLedgers, account_id: str, audience_id: str
    ) -> tuple[UnusedOfExport, ...]:
        with small_workspace() as (db, folder):
            self._load_not_subscribed(db, audience_key(account_id, audience_id), folder)
            try:
                files = dict(ledgers.download(self.files, folder))
            except NotFound:
                return ()  # a run replaced a ledger at this moment, or someone deleted it
            people = find_unused(db, files)
        return tuple(
            UnusedOfExport(export.id, export.display_name, people[export.id])
            for export, _ in ledgers.exports
            if export.id in people
        )

    def _load_not_subscribed(self, db: DuckDBPyConnection, key: str, folder: Path) -> None:
        """Load the list that the last run stored. A run that archives reads it again."""
        stored = self.not_subscribed.read(key)
        local = folder / "not-subscribed.parquet"
        is_found = stored is not None and download_if_exists(self.files, stored.value.blob, local)
        load_not_subscribed(db, local if is_found else None)


def _read_counts(
    calls: ParallelCalls, audience_id: str, wanted: Sequence[tuple[str, datetime | None]]
) -> list[int]:
    """Count the contacts with each status, changed before a time. Unavailable says how many counts arrived in time."""
    pending = [
        calls.submit(lambda session, one=one: session.count(audience_id, *one))  # type: ignore[misc]
        for one in wanted
    ]
    counts: list[int] = []
    failed: Unavailable | None = None
    for one in pending:
        try:
            counts.append(one.result())
        except Unavailable as error:
            failed = failed or error
    if failed is None:
        return counts
    if counts and is_time_up(OTHER_SERVICES):
        raise Unavailable("countsIncomplete", read=len(counts), total=len(wanted)) from failed
    raise failed
