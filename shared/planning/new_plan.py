"""Make a plan, step by step: read, find who may be sent, check, compare, hold back, write.

Nothing is written to Mailchimp before the limit, the audience, the tags and the guards have
been checked. Missing merge fields and tags are created before the contact budget is checked, which
needs the comparison. docs/tables.md describes the tables that pass from step to step.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

from duckdb import DuckDBPyConnection

from shared.errors import NotFound
from shared.fields.definition_findings import definition_findings
from shared.fields.merge_fields import date_orders, decimal_marks
from shared.model.audience import Tag
from shared.model.chunk import Chunk
from shared.model.export import Export, Leavers, OnAddressChange
from shared.model.ledger import LedgerPointer
from shared.model.names import plan_folder
from shared.model.plan import Plan, PlanFiles, PlannedTag
from shared.model.ports import SegmentSource, readable
from shared.model.run import (
    REMOVAL_GUARD,
    AudienceSize,
    Counts,
    Finding,
    Reason,
    RunStatus,
    Severity,
)
from shared.model.source import Attribute, Snapshot, find_name
from shared.people.erasures import Erasures
from shared.people.suppression import suppress_erased
from shared.planning.audience import PreparedAudience, status_for_new, with_fields_to_create
from shared.planning.audience_size import (
    MOST_CALLS_OF_PREVIEW,
    calls_to_be_exact,
    new_people,
    predicted_size,
)
from shared.planning.automations import automation_findings
from shared.planning.changed_addresses import STORED_CONTACTS, changed_address_findings
from shared.planning.chunking import NOTHING_HELD, Held, write_chunks
from shared.planning.compare import (
    Rules,
    SegmentMembers,
    compare,
    count,
    members_by_segment,
    tagset_segments,
)
from shared.planning.consent import find_do_not_send
from shared.planning.exclusions import Exclusions
from shared.planning.fields_to_send import merge_tags
from shared.planning.findings import (
    no_usable_rows,
    people_findings,
    rejected_before,
    unreadable_rows,
)
from shared.planning.fingerprint import field_rules, mapping_fingerprint
from shared.planning.forecast import forecast
from shared.planning.former_addresses import (
    former_findings,
    plan_former_addresses,
)
from shared.planning.guards import apply_guards, guard_tags
from shared.planning.ledger import VALUES, deleted_tags, forget_tags, load_ledger
from shared.planning.limit import within_budget, within_limit
from shared.planning.one_person import find_person, keep_only_person, rows_of_person
from shared.planning.people import RowCounts, SourceColumns, read_people
from shared.planning.preparation import AudiencePreparation
from shared.planning.removal_guard import find_held
from shared.planning.report import PlanningReport, ReportedSource
from shared.planning.request import PlanRequest
from shared.planning.retry import load_failed, not_retried
from shared.planning.source_values import SourceValues
from shared.planning.subscribed_again import forget_refusals
from shared.planning.withdrawals import (
    any_withdrawals,
    keep_only_withdrawals,
    plan_unsubscribes,
    send_no_one,
    withdrawal_findings,
)
from shared.runs.planning_ended import PlanningEnded
from shared.workspace import check_disk, waiting_for_network

_LEDGER = "ledger.parquet"


@dataclass(frozen=True)
class PlanSource:
    """The source of a run, and the ledger that it is compared with."""

    snapshot: Snapshot
    columns: SourceColumns
    fingerprint: str
    pointer: LedgerPointer | None
    exclusions: Exclusions


@dataclass(frozen=True)
class _Inputs:
    """What was read: rows, the audience, the attributes with what their values show.

    `ledger` is the pointer to the file that was downloaded, or None.
    """

    rows: RowCounts
    audience: PreparedAudience
    attributes: tuple[Attribute, ...]
    ledger: LedgerPointer | None


@dataclass(frozen=True)
class _BeforeComparing:
    """What is known about the run before people are compared with the ledger.

    `status` is the status of new contacts. `deleted_tags` are tags of the ledger that the audience does not have any
    more. `only_failed`: a retry, which sends only the people of `failed`. `nothing_to_send` is why no row can be sent, or None.
    """

    status: str
    deleted_tags: tuple[int, ...]
    only_failed: bool
    nothing_to_send: Reason | None


@dataclass(frozen=True)
class _Compared:
    """The audience with its new fields and tags, and its predicted size after the run.

    `ended` is why the run only carries out withdrawals of consent; None for all other runs.
    """

    audience: PreparedAudience
    size: AudienceSize | None
    ended: PlanningEnded | None = None


@dataclass(frozen=True)
class _Counted:
    """The members of each segment, by its number, the counts of the run, and its rejected rows that the run before
    rejected as well.
    """

    members: Mapping[int, SegmentMembers]
    counts: Counts
    rejected_before: int = 0


class NewPlan:
    """Makes one plan. `findings` grows with every step.

    `settle` is called before the plan writes to Mailchimp (see settled_source.py).
    """

    def __init__(
        self,
        request: PlanRequest,
        source: PlanSource,
        preparation: AudiencePreparation,
        db: DuckDBPyConnection,
        scratch: Path,
        settle: Callable[[], None],
    ) -> None:
        self.findings: list[Finding] = []
        self._request = request
        self._run = request.run
        self._export = request.export
        self._source = source
        self._preparation = preparation
        self._audience = preparation.of(request)
        self._db = db
        self._scratch = scratch
        self._settle = settle

    def make(
        self,
        segments: SegmentSource,
        report: PlanningReport,
        erasures: Erasures,
        max_profiles: int,
        people_per_second: float | None,
    ) -> tuple[Plan, PlanFiles, list[Chunk]]:
        """Make the plan, with its files and chunks. PlanningEnded when the run ends, or waits, without one.

        `people_per_second` is the measured speed of the account, for the forecast of a preview.
        """
        read = self._read(ReportedSource(segments, report), max_profiles)
        report.comparing()
        prepared = self._prepare_comparison(read, erasures)
        compared = self._compare_or_withdraw(read, prepared)
        held = self._find_held()
        files, chunks = write_chunks(
            self._db, self._scratch, merge_tags(self._export.mapping), held
        )
        counted = self._count(read.rows, prepared, compared, held)
        if self._request.is_preview:
            self.findings.append(forecast(chunks, people_per_second))
        return self._plan(read, prepared, compared, held, counted), files, chunks

    def _plan(
        self,
        read: _Inputs,
        prepared: _BeforeComparing,
        compared: _Compared,
        held: Held,
        counted: _Counted,
    ) -> Plan:
        request, export = self._request, self._export
        audience, ended = compared.audience, compared.ended
        return Plan(
            run_id=self._run.id,
            export_id=export.id,
            connection_id=request.connection_id,
            account_id=request.account_id,
            audience_id=export.audience_id,
            audience_name=audience.audience.name,
            folder=plan_folder(self._run.id, self._preparation.token()),
            status=prepared.status,
            mapping=export.mapping,
            attributes=read.attributes,
            # A preview converts values for fields that the run creates as well.
            merge_fields=with_fields_to_create(export, audience.merge_fields),
            tags=_planned_tags(export, audience.tags.tags, counted.members),
            tagsets=_tagsets(self._db, export, audience.tags.tags),
            counts=counted.counts,
            removals_held=held != NOTHING_HELD,
            ledger=read.ledger.blob if read.ledger else None,
            ledger_run=self._source.pointer.run_id if self._source.pointer else "",
            reason=ended.reason if ended else prepared.nothing_to_send,
            rejected_before=counted.rejected_before,
            deleted_tags=prepared.deleted_tags,
            source_fingerprint=self._fingerprint_for_next(
                read.ledger, all_sent=not (prepared.only_failed or ended)
            ),
            findings=tuple(self.findings),
            calls=self._audience.calls,
            contacts_before=dict(audience.contacts),
            audience_size=compared.size,
            definition=request.definition,
            ends_as=ended.status if ended else RunStatus.FAILED,
        )

    def _fingerprint_for_next(self, ledger: LedgerPointer | None, *, all_sent: bool) -> str:
        """The fingerprint of the source that was sent completely once this run has ended."""
        if self._request.person is not None:
            return ledger.source_fingerprint if ledger else ""
        # The next refresh must still send the rows that a retry omits.
        return self._source.fingerprint if all_sent else ""

    @property
    def _is_comparable(self) -> bool:
        """Whether the ledger shows how large the export is."""
        return self._source.pointer is not None and self._source.pointer.is_whole

    def _read(self, segments: SegmentSource, max_profiles: int) -> _Inputs:
        """Read the segments and the audience and download the ledger in parallel, because all are slow."""
        source, values, db = self._source, SourceValues(), self._db
        with ThreadPoolExecutor(2) as executor, closing(db.cursor()) as cursor:
            audience = executor.submit(self._audience.inspect, cursor, self._scratch)
            ledger = executor.submit(self._download_ledger)
            excluded = source.exclusions.read(db, segments, source.columns.email, self._scratch)
            rows = read_people(db, source.snapshot, segments, source.columns, self._scratch, values)
            with waiting_for_network(db):
                found, pointer = audience.result(), ledger.result()
        attributes = values.attributes(_attributes(source.snapshot, source.columns.fields))
        mapping = self._export.mapping
        fields = with_fields_to_create(self._export, found.merge_fields)
        orders, marks = date_orders(mapping, fields), decimal_marks(mapping, fields)
        self.findings += [
            *found.findings,
            *excluded,
            *within_limit(rows, max_profiles),
            *values.findings(attributes, orders, marks),
        ]
        check_disk(self._scratch, rows.people)
        return _Inputs(rows, found, attributes, pointer)

    def _download_ledger(self) -> LedgerPointer | None:
        """Download the ledger of this audience. Returns None if there is none or its file was deleted."""
        pointer = self._source.pointer
        if pointer is None or not self._is_of_audience(pointer):
            return None
        try:
            self._preparation.files.download(pointer.blob, self._scratch / _LEDGER)
        except NotFound:
            return None
        return pointer

    def _load_ledger(self, pointer: LedgerPointer | None) -> None:
        """Load the ledger that was downloaded; without it, everyone is compared with an empty one."""
        before = self._source.pointer
        if before is not None and not self._is_of_audience(before):
            self.findings.append(Finding(Severity.INFO, "audienceMoved"))
        elif before is not None and pointer is None:
            self.findings.append(Finding(Severity.WARNING, "ledgerMissing"))
        local = self._scratch / _LEDGER if pointer else None
        load_ledger(self._db, local, without=self._unused_columns())
        if local is not None:
            forget_refusals(self._db, local, self._scratch / STORED_CONTACTS)

    def _is_of_audience(self, pointer: LedgerPointer) -> bool:
        return pointer.is_of(self._request.account_id, self._export.audience_id)

    def _unused_columns(self) -> set[str]:
        """The columns of the ledger that this plan does not need in a table."""
        unused = set(VALUES)
        if self._run.retry_of is None:
            unused.add("run_id")
        if self._export.on_address_change is not OnAddressChange.ARCHIVE:
            unused.add("created_by")
        return unused

    def _prepare_comparison(self, read: _Inputs, erasures: Erasures) -> _BeforeComparing:
        """Load the ledger, and find the people who may be sent: fill `do_not_send` and, for a retry, `failed`."""
        db = self._db
        self._load_ledger(read.ledger)
        if self._request.person is not None:
            find_person(db, self._request.person, erasures)
        suppress_erased(db, erasures.marker_for_all())
        deleted = deleted_tags(db, read.audience.tags.existing)
        forget_tags(db, deleted)
        status = status_for_new(self._export, read.audience.audience)
        only_failed = self._loads_failed()
        reason = no_usable_rows(db, self._export, read.rows.people)
        self.findings += unreadable_rows(db)
        find_do_not_send(db, status, add_archived=self._request.adds_archived)
        self._source.exclusions.apply(db)
        return _BeforeComparing(status, deleted, only_failed, reason)

    def _loads_failed(self) -> bool:
        """Whether only the people of `failed` are sent: those that failed in the run to retry."""
        retried = self._run.retry_of
        return retried is not None and load_failed(
            self._db, self._preparation.files, retried, self._scratch
        )

    def _compare_or_withdraw(self, read: _Inputs, prepared: _BeforeComparing) -> _Compared:
        """Fill `changes`. When the run ends or waits, it still carries out withdrawals of consent.

        PlanningEnded if there are none.
        """
        only_failed = prepared.only_failed
        try:
            audience = self._check_and_create(read, only_failed=only_failed)
            size = self._compare(
                read,
                audience,
                only_failed=only_failed,
                removes_tags=prepared.nothing_to_send is None,
            )
        except PlanningEnded as end:
            if self._request.person is not None or not any_withdrawals(self._db):
                raise
            self._compare_withdrawals(read, end)
            return _Compared(read.audience, end.audience_size, end)
        return _Compared(audience, size)

    def _check_and_create(self, read: _Inputs, *, only_failed: bool) -> PreparedAudience:
        """Apply the guards, then create missing fields and tags."""
        request, found, db = self._request, read.audience, self._db
        self.findings += guard_tags(request, found.tags.foreign, read.rows)

        def overlap() -> tuple[int, int]:
            if not found.contacts.get("subscribed"):
                return 0, 0
            with waiting_for_network(db):
                return self._audience.shared_with_people(db)

        self.findings += apply_guards(
            db,
            request,
            read.rows,
            found.tags.tags,
            overlap,
            partial=only_failed or request.person is not None,
            comparable=self._is_comparable,
        )
        if request.is_preview or found.is_ready:
            return found
        self._settle()
        with waiting_for_network(db):
            return self._audience.create_missing(found)

    def _compare_withdrawals(self, read: _Inputs, ended: PlanningEnded) -> None:
        """Plan only what withdrawals of consent change, for a run that waits or sends nothing."""
        send_no_one(self._db)
        self._find_changes(read, read.audience, only_failed=True, removes_tags=False)
        keep_only_withdrawals(self._db)
        plan_unsubscribes(self._db, self._export)
        self.findings += [*ended.findings, Finding(Severity.INFO, "withdrawalsOnly")]

    def _compare(
        self, read: _Inputs, audience: PreparedAudience, *, only_failed: bool, removes_tags: bool
    ) -> AudienceSize | None:
        """Compare people with the ledger, and plan what happens to contacts beyond their tags.

        Returns the predicted size of the audience.
        """
        export, db = self._export, self._db
        removes_tags = removes_tags and export.leavers is Leavers.REMOVE_TAG
        self._find_changes(read, audience, only_failed=only_failed, removes_tags=removes_tags)
        if only_failed:
            self.findings += not_retried(db)
        plan_unsubscribes(db, export)
        plan_former_addresses(db, export)
        self.findings += self._source.exclusions.remove_tags(db)
        if self._request.person is not None:
            keep_only_person(db, self._request.person)
        with waiting_for_network(db):
            complete = self._audience.find_already_subscribed(
                db, audience.contacts.get("subscribed", 0)
            )
            size = self._audience_size(audience.contacts, complete=complete)
            automations = automation_findings(db, self._request, self._audience.automations)
        self.findings += within_budget(size, read.rows, is_preview=self._request.is_preview)
        self.findings += automations
        return size

    def _find_changes(
        self, read: _Inputs, audience: PreparedAudience, *, only_failed: bool, removes_tags: bool
    ) -> None:
        """Compare people with the ledger."""
        mapping, sends_unchanged = self._export.mapping, self._request.sends_unchanged
        # A field that was deleted and created again has no values, and may have its former id.
        creates_field = any(found.code == "mergeFieldToCreate" for found in audience.findings)
        compare(
            self._db,
            Rules(
                tag_ids=[tag.id for tag in audience.tags.tags],
                mapping=mapping_fingerprint(mapping, audience.merge_fields, read.attributes),
                field_rules=field_rules(mapping, audience.merge_fields),
                everything=sends_unchanged or creates_field,
                ask_again=sends_unchanged or self._run.retry_of is not None,
                remove_tags=removes_tags,
                retry=only_failed,
            ),
        )

    def _audience_size(self, contacts: Mapping[str, int], *, complete: bool) -> AudienceSize | None:
        """Predict the size of the audience after the run; None for a run that adds no one.

        `complete`: all new people who are subscribed already are known. Exact where the contact budget
        depends on it, and in a preview unless that takes many calls.
        """
        if not new_people(self._db) and not self._request.is_preview:
            return None
        budget = self._audience.contact_budget()
        size = predicted_size(self._db, contacts, budget, complete=complete)
        if size.exact:
            return size
        subscribed = contacts.get("subscribed", 0)
        few = calls_to_be_exact(self._db, subscribed) <= MOST_CALLS_OF_PREVIEW
        if size.is_over_budget or (self._request.is_preview and few):
            self._audience.find_all_subscribed(self._db, subscribed)
            return predicted_size(self._db, contacts, budget, complete=True)
        if self._request.is_preview and not complete:
            values = {"people": str(size.added)}
            self.findings.append(Finding(Severity.INFO, "newMayBeThere", values=values))
        return size

    def _find_held(self) -> Held:
        """Decide what waits for a confirmation, because it concerns unusually many people."""
        if REMOVAL_GUARD in self._run.confirmed or self._request.person is not None:
            return NOTHING_HELD
        return find_held(self._db, self._export.max_removal_share)

    def _count(
        self, rows: RowCounts, prepared: _BeforeComparing, compared: _Compared, held: Held
    ) -> _Counted:
        """Count the changes and add the findings about them."""
        members = members_by_segment(self._db)
        if compared.ended is None:
            self.findings += former_findings(self._db, held=held.archiving)
        person = self._request.person
        if person is not None:
            return _Counted(members, count(self._db, rows_of_person(self._db, person)).of_run)
        self._add_findings(members, prepared, held)
        planned = count(self._db, rows.source_rows)
        before = planned.refused_before + self._rejected_before()
        if before:
            values = {"rows": str(before)}
            self.findings.append(Finding(Severity.INFO, "rejectedBefore", values=values))
        counts = planned.of_run
        if compared.ended is not None:
            counts = replace(counts, new=compared.ended.counts.new)
        return _Counted(members, counts, before)

    def _add_findings(
        self, members: Mapping[int, SegmentMembers], prepared: _BeforeComparing, held: Held
    ) -> None:
        """Add findings about the definition of the export and about the people of the plan."""
        self.findings += definition_findings(
            self._export,
            (stored.value for stored in readable(self._preparation.exports.all())),
            [s.display_name for s in self._source.snapshot.segments if s.refreshed_at is None],
        )
        self.findings += people_findings(self._db, self._export, prepared.status, members)
        self.findings += changed_address_findings(self._db)
        self.findings += withdrawal_findings(self._db, held=held.unsubscribes)

    def _rejected_before(self) -> int:
        """How many rows of `rejects` the run before rejected as well."""
        pointer = self._source.pointer
        if pointer is None:
            return 0
        return rejected_before(
            self._db, self._preparation.files, pointer.run_of_all_rows, self._scratch
        )


def _planned_tags(
    export: Export, tags: Sequence[Tag], members: Mapping[int, SegmentMembers]
) -> tuple[PlannedTag, ...]:
    planned = []
    for number, (choice, tag) in enumerate(zip(export.segments, tags, strict=True)):
        found = members.get(number, SegmentMembers())
        planned.append(
            PlannedTag(choice.name, choice.tag_name, tag.id, found.people, found.not_subscribed)
        )
    return tuple(planned)


def _attributes(snapshot: Snapshot, fields: Sequence[str]) -> tuple[Attribute, ...]:
    """The mapped attributes. If segments have one with different formats, its format is unknown."""
    known: dict[str, Attribute] = {}
    for segment in snapshot.segments:
        for each in segment.attributes:
            first = known.setdefault(each.name, each)
            if first.date_order != each.date_order:
                known[each.name] = first = replace(first, date_order="")
            if first.decimal_mark != each.decimal_mark:
                known[each.name] = replace(first, decimal_mark="")
    found = ((name, find_name(name, list(known))) for name in dict.fromkeys(fields))
    return tuple(replace(known[own], name=name) for name, own in found if own is not None)


def _tagsets(
    db: DuckDBPyConnection, export: Export, tags: Sequence[Tag]
) -> tuple[tuple[str, ...], ...]:
    # A call with another spelling of the name could create a second tag.
    names = [tag.name or choice.tag_name for choice, tag in zip(export.segments, tags, strict=True)]
    return tuple(tuple(names[number] for number in segments) for segments in tagset_segments(db))
