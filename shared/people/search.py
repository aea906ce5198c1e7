"""Finds out why a person is or is not in Mailchimp, from the data of each export and from Mailchimp.

The result for an export comes from its newest run with outcomes or, if the person is not in them, from the
ledger. A person who is in neither is in no segment.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice
from typing import Any

from shared.capacity.on_demand import OnDemandSessions
from shared.errors import ConfigError, ConnectorError, NotFound
from shared.fields.address import BLANKS
from shared.model.export import Export
from shared.model.ledger import LedgerPointer
from shared.model.names import audience_key, outcomes_table
from shared.model.one_person import ChosenPerson
from shared.model.outcome import Code, Outcome
from shared.model.ports import Files, Records, download_if_exists, exists, readable
from shared.model.run import Mode, Run
from shared.model.tag import TagOwner
from shared.people.erasures import Erasures, address_key
from shared.people.exclusion_lists import ExclusionLists
from shared.people.stored_contacts import StoredContacts
from shared.request_time import RequestThreads
from shared.runs.plan_store import read_plan
from shared.workspace import SqlFile, small_workspace

# In addition to Mailchimp's statuses: not in the audience; Mailchimp was not reached.
_ABSENT = "absent"
_UNKNOWN = "unknown"

_SQL = SqlFile.of(__file__)

_AT_ONCE = 2
_WAIT_FOR_MAILCHIMP = 5.0
# Skipped runs have no outcomes. This many runs are checked before the ledger is used.
_RUNS = 50


@dataclass(frozen=True)
class PersonInExport:
    """What one export has about a person. `in_audience` is Mailchimp's status, `absent` or `unknown`.

    `outcome`, `code` and `at` come from the newest run with outcomes, `tags` and `values` (merge field
    and value) from the ledger: what Mailchimp took last, at `sent_at`.
    """

    export_id: str
    export_name: str
    segments: tuple[str, ...] = ()
    in_audience: str = _UNKNOWN
    outcome: str = ""
    code: str = ""
    at: datetime | None = None
    email: str = ""
    customer_id: str = ""
    tags: tuple[str, ...] = ()
    values: tuple[tuple[str, str], ...] = ()
    sent_at: datetime | None = None

    @property
    def has_person(self) -> bool:
        """Whether the export has the person. What is known of an erased person is only that they were erased."""
        is_erased = self.code == Code.ERASED
        return bool(self.tags or self.segments or (self.outcome and not is_erased))


@dataclass(frozen=True)
class Search:
    """Searches for people. `account_of` returns the Mailchimp account of a connection."""

    exports: Records[Export]
    runs: Records[Run]
    ledgers: Records[LedgerPointer]
    owners: Records[TagOwner]
    files: Files
    sessions: OnDemandSessions
    account_of: Callable[[str], str]
    erasures: Erasures
    exclusions: ExclusionLists
    contacts: StoredContacts

    def find(self, email: str = "", customer_id: str = "") -> list[PersonInExport]:
        """Return one result for each export, sorted by name; exports that have the person come first.

        With `customer_id`, the address is the one that the export has for this profile. A person who changed the address
        in Mailchimp is found by the new one as well; then the result has the address that the export has.
        """
        address = "" if customer_id else address_key(email)
        person = ChosenPerson(address, customer_id)
        exports = sorted(
            (stored.value for stored in readable(self.exports.all())),
            key=lambda export: export.sort_key,
        )
        if not exports:
            return []
        with RequestThreads(_AT_ONCE) as pool:
            stored = list(pool.map(lambda export: self._in_storage(export, person), exports))
            # An export that does not hold the profile has no address for it.
            known = next((found.email for found in stored if found.email), "")
            addresses = [person.address or address_key(found.email or known) for found in stored]
            targets = {
                (export.connection_id, export.audience_id, address)
                for export, address in zip(exports, addresses, strict=True)
                if address
            }
            pending = {target: pool.submit(self._status, *target) for target in targets}
            statuses = {target: future.result() for target, future in pending.items()}
        found = []
        for export, address, result in zip(exports, addresses, stored, strict=True):
            status = statuses.get((export.connection_id, export.audience_id, address), _UNKNOWN)
            erasure = self.erasures.find(address) if address else None
            if erasure is not None:
                result = replace(result, outcome=Outcome.KEPT, code=Code.ERASED, at=erasure.at)
            found.append(replace(result, in_audience=status))
        return sorted(found, key=lambda one: not (one.tags or one.segments or one.outcome))

    def _status(self, connection_id: str | None, audience_id: str, address: str) -> str:
        """Return the current status in Mailchimp. It is unknown if Mailchimp cannot be asked."""
        if not connection_id:
            return _UNKNOWN
        try:
            account_id = self.account_of(connection_id)
            with self.sessions.session(connection_id, account_id, _WAIT_FOR_MAILCHIMP) as session:
                return session.status_of(audience_id, address) or _ABSENT
        except ConnectorError:
            return _UNKNOWN

    def _in_storage(self, export: Export, person: ChosenPerson) -> PersonInExport:
        found = self._in_export(export, person)
        if person.address and not found.email:
            found = self._by_other_address(export, person.address) or found
        addresses = {person.address, address_key(found.email)} - {""}
        customer = person.customer_id or found.customer_id
        try:
            listed = self.exclusions.read(export.id)
        except ConfigError:
            return found  # the other data of the person is still useful
        if not addresses.isdisjoint(listed.addresses) or (
            customer and customer in listed.customers
        ):
            return replace(found, outcome=Outcome.KEPT, code=Code.EXCLUDED)
        return found

    def _by_other_address(self, export: Export, address: str) -> PersonInExport | None:
        """Return what an export has about a person under another address of their contact (record 92)."""
        if not export.connection_id:
            return None
        try:
            key = audience_key(self.account_of(export.connection_id), export.audience_id)
            with self.contacts.keep(key):
                ids = self.contacts.ids(key, [address]).get(address, ())
                others = self.contacts.addresses(key, ids) - {address}
        except ConnectorError:
            return None  # the other data of the person is still useful
        for other in sorted(others):
            found = self._in_export(export, ChosenPerson(other))
            if found.email:
                return found
        return None

    def _in_export(self, export: Export, person: ChosenPerson) -> PersonInExport:
        base = PersonInExport(export.id, export.display_name)
        stored = readable(self.runs.all(where={"export": export.id}, page=_RUNS))
        runs = [one.value for one in islice(stored, _RUNS)]
        found, has_outcomes = self._in_newest_outcomes(runs, base, person)
        sent = self._in_ledger(export, base, person, found.email if found else "")
        if found is not None and sent is not None:
            return replace(
                found,
                tags=sent.tags,
                values=sent.values,
                sent_at=sent.sent_at,
                email=found.email or sent.email,
                customer_id=found.customer_id or sent.customer_id,
            )
        if found is not None or sent is not None:
            return found or sent or base
        if has_outcomes or self.ledgers.read(export.id) is not None:
            return replace(base, code=Code.NOT_IN_SEGMENT)
        return replace(base, code=Code.NOT_COMPLETED if runs else Code.NOT_RUN)

    def _in_newest_outcomes(
        self, runs: Sequence[Run], base: PersonInExport, person: ChosenPerson
    ) -> tuple[PersonInExport | None, bool]:
        """Return the newest outcome of a person in these runs, newest first, and whether any run answers the question.

        Undos, and runs that send one person or archive contacts, have no outcomes of the others, so earlier runs are
        read as well.
        """
        for run in runs:
            if run.is_active or run.mode is Mode.PREVIEW:
                continue
            if not exists(self.files, outcomes_table(run.id)):
                continue
            found = self._in_outcomes(run, base, person)
            if found is not None or run.covers_export:
                return found, True
        return None, False

    def _in_outcomes(
        self, run: Run, base: PersonInExport, person: ChosenPerson
    ) -> PersonInExport | None:
        row = self._row(outcomes_table(run.id), "outcome", person, blanks=BLANKS)
        if row is None:
            return None
        segments, outcome, code, email, customer_id = row
        return replace(
            base,
            email=email or "",
            customer_id=customer_id or "",
            segments=self._segments(run, segments or ()),
            outcome=outcome,
            code=code or "",
            at=run.finished_at or run.moved_at,
        )

    def _segments(self, run: Run, segments: list[int] | tuple[()]) -> tuple[str, ...]:
        if not segments:
            return ()
        try:
            plan = read_plan(self.files, run.id)
        except NotFound:
            return ()
        return tuple(plan.tags[number].segment for number in segments)

    def _in_ledger(
        self, export: Export, base: PersonInExport, person: ChosenPerson, email: str
    ) -> PersonInExport | None:
        """Return what the ledger has about a person; with `email`, about this contact only.

        After a change of address, the ledger has two contacts with the same CustomerId.
        """
        stored = self.ledgers.read(export.id)
        if stored is None:
            return None
        contact_only = address_key(email) if person.customer_id else ""
        row = self._row(stored.value.blob, "ledger", person, email=contact_only)
        if row is None:
            return None
        address, customer_id, tags, sent, refused_code, run_id, names, values = row
        run = self.runs.read(run_id or "none")
        at = run.value.finished_at if run else None
        contact = replace(base, email=address, customer_id=customer_id or "", at=at)
        owned = self._owned_tags(export, tags or [])
        segments = tuple(owned.values())
        if sent:
            tag_of = {choice.name: choice.tag_name for choice in export.segments}
            tag_names = self._tag_names(stored.value.run_id)
            contact = replace(
                contact,
                tags=tuple(
                    tag_names.get(tag, tag_of.get(segment, segment))
                    for tag, segment in owned.items()
                ),
                values=tuple(
                    (name, value)
                    for name, value in zip(names or (), values or (), strict=False)
                    if value
                ),
                sent_at=at,
            )
        if refused_code:
            return replace(contact, outcome=Outcome.REJECTED, code=refused_code)
        if not tags or not sent:
            return replace(contact, code=Code.NOT_IN_SEGMENT)
        return replace(contact, segments=segments, outcome=Outcome.UPDATED)

    def _row(
        self, blob: str, query: str, person: ChosenPerson, **parameters: str
    ) -> tuple[Any, ...] | None:
        """Return the row of a stored table about a person; None if there is none."""
        with small_workspace() as (db, folder):
            local = folder / "table.parquet"
            if not download_if_exists(self.files, blob, local):
                return None
            given = {"address": person.address, "customer": person.customer_id, **parameters}
            rows = _SQL.rows(db, query, file=str(local), **given)
        return rows[0] if rows else None

    def _owned_tags(self, export: Export, tags: list[int]) -> dict[int, str]:
        """Return the segments, by id, of those tags that the export owns."""
        owned = {o.value.tag_id: o.value for o in readable(self.owners.all())}
        ours = [owned[tag] for tag in tags if tag in owned]
        return {owner.tag_id: owner.segment for owner in ours if owner.export_id == export.id}

    def _tag_names(self, run_id: str) -> dict[int, str]:
        """Return the names of tags when a run was planned. The export may have other names for them since."""
        try:
            return read_plan(self.files, run_id).tag_names
        except NotFound:
            return {}
