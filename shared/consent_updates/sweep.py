"""Reads which contacts of an audience changed since the last sweep, and stores their statuses.

The blob of an audience has one row for each contact. A record names the current blob and the time from which the
next sweep reads. Mailchimp lists changes from the oldest to the newest, so a sweep can stop after any page and the
next one continues there. A sweep that is killed before it writes the record is repeated; reading a change twice has
no effect. The next sweep begins some minutes before a complete one (`changes_since`).

A contact keeps its contact id when its address changes. So the stored row of a changed contact is found by this id,
and its former addresses are kept in the row (record 92). Earlier versions stored no ids: after an update of the app,
all contacts are read again.

A contact that was deleted permanently is not listed as a change. So contacts are counted as well. When two sweeps
find the same difference, all contacts are read again, at most once a day, and the stored contacts that were not
found are removed.
https://mailchimp.com/developer/marketing/api/list-members/list-members-info/
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from duckdb import DuckDBPyConnection

from shared.errors import Changed
from shared.mailchimp.session import MailchimpSession
from shared.model.audience import StatusChange, changes_since
from shared.model.clocks import CLOCK_TOLERANCE
from shared.model.consent import ConsentSweep
from shared.model.names import audience_in, audience_key, contacts_blob, contacts_folder
from shared.model.ports import Files, Records, Stored, create_or_replace, download_if_exists
from shared.people.erasures import Erasures
from shared.people.stored_contacts import count_contacts, open_contacts
from shared.workspace import SqlFile, small_workspace

# The limit for one sweep. The next one reads the rest.
MOST_PAGES = 100
_REREAD_EVERY = timedelta(days=1)
# The limit for one sweep. When more people unsubscribe at once, the campaigns of the others stay unknown.
MOST_CAMPAIGNS = 50
_WITHDRAWN = ("unsubscribed", "cleaned")
_SQL = SqlFile.of(__file__)


@dataclass(frozen=True)
class Sweep:
    """Sweeps audiences, one process at a time for each. Erased people are not stored."""

    records: Records[ConsentSweep]
    files: Files
    erasures: Erasures
    now: Callable[[], datetime]
    token: Callable[[], str]

    def sweep(self, session: MailchimpSession, account_id: str, audience_id: str) -> ConsentSweep:
        """Read the changes of an audience and store them. Returns the new state.

        Changed when another process stored a sweep of the audience meanwhile.
        """
        key = audience_key(account_id, audience_id)
        stored = self.records.read(key)
        started = self.now()
        before = _without_wrong_clock(stored.value if stored else ConsentSweep(), started)
        found, since, all_read = _read(session, audience_id, None, before.since, started)
        archived, archived_since, all_archived = _read(
            session, audience_id, "archived", before.archived_since, started
        )
        after = replace(
            before,
            since=since,
            archived_since=archived_since,
            swept_at=started,
            complete=all_read and all_archived,
            problem=None,
        )
        if found or archived or (after.complete and before.rereading):
            after = self._merge(session, key, after, [*found, *archived])
        if after.complete:
            after = self._compare_counts(session, audience_id, after)
        return self._store(key, after, stored)

    def sweep_withdrawals(
        self, session: MailchimpSession, account_id: str, audience_id: str
    ) -> ConsentSweep:
        """Read and store only who unsubscribed or bounced since the last sweep. Returns the new state.

        The next sweep reads these changes again, with all others. Nothing is read before the first sweep.
        Changed when another process stored a sweep of the audience meanwhile.
        """
        key = audience_key(account_id, audience_id)
        stored = self.records.read(key)
        if stored is None or not stored.value.blob:
            return ConsentSweep()
        before = stored.value
        found = [
            change
            for status in _WITHDRAWN
            for page in session.status_changes(audience_id, before.since, status)
            for change in page
        ]
        after = replace(before, complete=False, problem=None)
        if found:
            after = self._merge(session, key, after, found)
        return self._store(key, after, stored)

    def _store(
        self, key: str, after: ConsentSweep, stored: Stored[ConsentSweep] | None
    ) -> ConsentSweep:
        before = stored.value if stored else ConsentSweep()
        # Also the blobs of sweeps and erasures that were killed. An erasure may upload one after the next write.
        names = list(self.files.names(contacts_folder(key)))
        try:
            create_or_replace(self.records, key, after, stored)
        except Changed:
            if after.blob != before.blob:
                self.files.delete(after.blob)
            raise
        for name in names:
            if name != after.blob:
                self.files.delete(name)
        return after

    def _compare_counts(
        self, session: MailchimpSession, audience_id: str, state: ConsentSweep
    ) -> ConsentSweep:
        """Start to read all contacts again when the blob has another number of them, or lacks contact ids."""
        surplus = state.stored - session.count(audience_id, None)
        surplus += state.stored_archived - session.count(audience_id, "archived")
        # A single difference may be a change between the pages and the count.
        is_repeated = surplus == state.surplus
        explained = is_repeated and self._is_explained(surplus, state)
        differs = is_repeated and not explained
        lacks_ids = state.blob != "" and state.unidentified != 0
        recently = state.reread_at is not None and self.now() - state.reread_at < _REREAD_EVERY
        if recently or not (differs or lacks_ids):
            missing = surplus if state.rereading or explained else state.erased_missing
            return replace(state, surplus=surplus, erased_missing=missing, rereading=False)
        return replace(
            state,
            since="",
            archived_since="",
            complete=False,
            surplus=surplus,
            generation=state.generation + 1,
            rereading=True,
            reread_at=self.now(),
        )

    def _is_explained(self, surplus: int, state: ConsentSweep) -> bool:
        """Whether erased people, who may still be in the audience, explain a difference.

        They explain only contacts of the audience that are not stored. If they explained more of these before, a stored
        contact has left the audience since.
        """
        if surplus > min(0, state.erased_missing):
            return False
        return sum(1 for _ in self.erasures.records.all()) >= -surplus

    def _merge(
        self, session: MailchimpSession, key: str, state: ConsentSweep, found: list[StatusChange]
    ) -> ConsentSweep:
        """Merge changes into the stored contacts, and upload them if they changed. Returns the new state."""
        with small_workspace() as (db, folder):
            self._load(db, folder, state.blob)
            _load_changed_contacts(db, found)
            erased = self._delete_erased(db)
            _SQL.run(db, "pair")
            changes = _SQL.number(db, "count_changes")
            identified = _SQL.number(db, "count_identified")
            if not (changes or identified or erased or state.rereading):
                return state
            _add_campaigns(db, session, audience_in(key))
            _SQL.run(db, "merge", generation=state.generation)
            if state.complete and state.rereading:
                _SQL.run(db, "drop_missing", generation=state.generation)
            merged = folder / "merged.parquet"
            _SQL.write(db, "save", merged)
            counts = count_contacts(db, merged)
            blob = contacts_blob(key, self.token())
            self.files.upload(merged, blob)
            return replace(
                state,
                blob=blob,
                changes=state.changes + changes,
                stored=counts.not_archived,
                stored_archived=counts.archived,
                unidentified=counts.unidentified,
            )

    def _load(self, db: DuckDBPyConnection, folder: Path, blob: str) -> None:
        _SQL.run(db, "create")
        before = folder / "before.parquet"
        if blob and download_if_exists(self.files, blob, before):
            open_contacts(db, before)
            _SQL.run(db, "load")

    def _delete_erased(self, db: DuckDBPyConnection) -> int:
        """Delete erased people from the changes and from the stored contacts. Returns the number of the latter.

        An erasure may have ended while these contacts were being stored.
        """
        mark = self.erasures.marker_for_all()
        if mark is None:
            return 0
        _SQL.run(db, "candidates")
        mark(db)
        erased = _SQL.number(db, "erased")
        _SQL.run(db, "delete_erased")
        return erased


def _without_wrong_clock(before: ConsentSweep, now: datetime) -> ConsentSweep:
    """The state from which a sweep continues: from the beginning if the clock of the last one was ahead.

    The time from which it would read is ahead as well, and the changes until then would never be read. If it was
    ahead by less, no change is missed, because `changes_since` begins earlier by more than that.
    """
    if before.swept_at is None or before.swept_at - now <= CLOCK_TOLERANCE:
        return before
    return replace(before, since="", archived_since="")


def _load_changed_contacts(db: DuckDBPyConnection, found: Sequence[StatusChange]) -> None:
    _SQL.run(
        db,
        "changed_contacts",
        addresses=[one.address for one in found],
        statuses=[one.status for one in found],
        changed=[one.changed for one in found],
        opted_in=[one.opted_in for one in found],
        reasons=[one.reason for one in found],
        contact_ids=[one.contact_id for one in found],
    )


def _add_campaigns(db: DuckDBPyConnection, session: MailchimpSession, audience_id: str) -> None:
    """Read the campaigns by which people unsubscribed.

    The list of members does not have them. Reading one takes a call.
    """
    for (address,) in _SQL.rows(db, "unsubscribed", most=MOST_CAMPAIGNS):
        campaign = session.unsubscribe_campaign(audience_id, address)
        _SQL.run(db, "campaign", address=address, campaign=campaign)


def _read(
    session: MailchimpSession, audience_id: str, status: str | None, since: str, started: datetime
) -> tuple[list[StatusChange], str, bool]:
    """Return the changes, the time from which the next sweep reads, and whether all were read."""
    found: list[StatusChange] = []
    for number, page in enumerate(session.status_changes(audience_id, since, status), start=1):
        found += page
        # Several contacts may have changed in the second of the last one.
        reached = _second_before(page[-1].changed)
        if number >= MOST_PAGES and reached > since:
            return found, reached, False
    return found, max(since, changes_since(started)), True


def _second_before(text: str) -> str:
    try:
        moment = datetime.fromisoformat(text) - timedelta(seconds=1)
    except ValueError:
        return ""
    return moment.astimezone(UTC).isoformat(timespec="seconds")
