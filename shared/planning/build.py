"""Make the plan of a run: pin the source files, read them, compare, write the chunks, store the plan.

Nothing is written to Mailchimp before the limit, the audience and the tags have been checked.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from duckdb import DuckDBPyConnection

from shared.errors import Conflict, NotFound
from shared.fields.contact import Converter
from shared.fields.definition_findings import definition_findings
from shared.fields.merge_fields import chosen_fields, date_orders
from shared.model.audience import CallCounts, Tag
from shared.model.export import Export, Leavers, SegmentChoice
from shared.model.ledger import LedgerPointer
from shared.model.names import plan_folder
from shared.model.plan import Plan, PlannedTag, form_for
from shared.model.ports import Records, SegmentSource, readable
from shared.model.run import (
    REMOVAL_GUARD,
    AudienceSize,
    CallTotals,
    Counts,
    Finding,
    Mode,
    Reason,
    Run,
    RunStatus,
    Severity,
    Trigger,
)
from shared.model.source import Attribute, Snapshot
from shared.people.erasures import Erasures
from shared.people.exclusion_lists import ExclusionLists
from shared.people.suppression import suppress_erased
from shared.planning.accidents import ask_about_accidents
from shared.planning.audience import (
    PreparedAudience,
    status_for_new,
    with_fields_to_create,
)
from shared.planning.audience_size import new_people, predicted_size
from shared.planning.chunking import write_chunks
from shared.planning.compare import (
    Rules,
    SegmentMembers,
    compare,
    count,
    members_by_segment,
    tagset_segments,
)
from shared.planning.consent import find_do_not_send
from shared.planning.ended import PlanningEnded
from shared.planning.exclusions import Exclusions
from shared.planning.fields_to_send import merge_tags
from shared.planning.findings import (
    DroppedValues,
    no_usable_rows,
    people_findings,
    preview_values,
    rejected_before,
)
from shared.planning.fingerprint import mapping_fingerprint, source_fingerprint
from shared.planning.former_addresses import (
    exceeds_archive_share,
    former_findings,
    plan_former_addresses,
)
from shared.planning.ledger import deleted_tags, forget_tags, load_ledger
from shared.planning.limit import within_budget, within_limit
from shared.planning.people import RowCounts, SourceColumns, read_people
from shared.planning.preparation import AudiencePreparation
from shared.planning.removal_guard import exceeds_removal_share
from shared.planning.report import PlanningReport, ReportedSource
from shared.planning.request import PlanRequest
from shared.planning.retry import load_failed, not_retried
from shared.planning.source_values import SourceValues
from shared.planning.tags import TAG_EXISTS
from shared.planning.undo_plan import plan_undo
from shared.planning.withdrawals import (
    exceeds_unsubscribe_share,
    plan_unsubscribes,
    withdrawal_findings,
)
from shared.runs.plan_store import PlanStore
from shared.runs.start import export_of
from shared.runs.transitions import Transitions
from shared.runs.undo import undoable
from shared.workspace import waiting_for_network, workspace

__all__ = ["PlanBuilder"]

# Mailchimp publishes no response times. Microsoft's connector takes up to three hours for a million
# people, which is 5.4 s for 500 in sequence (docs/cost.md uses 5).
_SECONDS_A_CALL = 5


@dataclass(frozen=True)
class _Source:
    """The source of a run, and the ledger that it is compared with."""

    snapshot: Snapshot
    columns: SourceColumns
    fingerprint: str
    pointer: LedgerPointer | None
    exclusions: Exclusions


@dataclass(frozen=True)
class PlanBuilder:
    """Makes plans. `account_of` gives the Mailchimp account behind a connection."""

    preparation: AudiencePreparation
    plans: PlanStore
    ledgers: Records[LedgerPointer]
    erasures: Erasures
    source: SegmentSource
    account_of: Callable[[str], str]
    max_profiles: int
    connections: int
    transitions: Transitions
    exclusions: ExclusionLists

    def build(self, run: Run) -> Plan:
        """Make and store the plan of a run. PlanningEnded when the run needs no plan or must wait.

        ConfigError, InputError and Refused name what a person must change. Unavailable and Changed
        (a segment was written while it was read) are temporary.
        """
        export = export_of(self.preparation.exports, run.export_id)
        if not export.connection_id:
            raise Conflict("noConnection")
        account_id = self.account_of(export.connection_id)
        request = PlanRequest(run, export, export.connection_id, account_id)
        if run.undo_of is not None:
            return self._make_undo(request, run.undo_of)
        pinned = self.source.snapshot(export.segments_read)
        # The segments to exclude come last.
        snapshot = Snapshot(pinned.segments[: len(export.segments)])
        listed = self.exclusions.read(export.id)
        stored = self.ledgers.read(export.id)
        source = _Source(
            snapshot,
            SourceColumns(
                export.mapping.email,
                tuple(choice.attribute for choice in chosen_fields(export.mapping)),
                export.new_contacts.consent_attribute,
                export.new_contacts.consent_meaning,
            ),
            source_fingerprint(export, pinned, listed.fingerprint),
            stored.value if stored else None,
            Exclusions(pinned.segments[len(export.segments) :], listed),
        )
        if (
            run.trigger is Trigger.REFRESH
            and run.mode is Mode.EXPORT
            and source.pointer is not None
            and source.pointer.source_fingerprint == source.fingerprint
        ):
            raise PlanningEnded(RunStatus.SKIPPED, Reason("noNewData"))
        report = PlanningReport(self.transitions, run.id, len(pinned.segments))
        with workspace() as (db, scratch):
            return self._make(request, source, report, db, scratch)

    def _make_undo(self, request: PlanRequest, undone: str) -> Plan:
        stored = self.ledgers.read(request.export.id)
        pointer = undoable(undone, stored.value if stored else None, self.plans.files)
        plan = self.plans.read(undone)
        if plan is None:
            raise Conflict("undoTooOld")
        with workspace() as (db, scratch):
            return self.plans.write(
                *plan_undo(request, plan, pointer, self.preparation, db, scratch)
            )

    def _make(
        self,
        request: PlanRequest,
        source: _Source,
        report: PlanningReport,
        db: DuckDBPyConnection,
        scratch: Path,
    ) -> Plan:
        run, export = request.run, request.export
        calls = CallCounts()
        values = SourceValues()
        rows, found, excluded = self._read(request, source, report, values, db, scratch, calls)
        report.comparing()
        attributes = values.attributes(_attributes(source.snapshot, source.columns.fields))
        findings = [
            *found.findings,
            *excluded,
            *within_limit(rows, self.max_profiles),
            *values.findings(attributes, date_orders(export.mapping, found.merge_fields)),
        ]
        ledger = source.pointer
        if ledger is not None and not ledger.is_of(request.account_id, export.audience_id):
            findings.append(Finding(Severity.INFO, "audienceMoved"))
            ledger = None
        ledger = self._load_ledger(db, ledger, scratch, findings)
        suppress_erased(db, self.erasures.marker_for_all())
        if found.tags.foreign:
            findings += _ask_about_tags(request, found, rows)
        deleted = deleted_tags(db, found.tags.existing)
        forget_tags(db, deleted)
        files = self.plans.files
        retry = run.retry_of is not None and load_failed(db, files, run.retry_of, scratch)
        status = status_for_new(export, found.audience)
        find_do_not_send(db, status, add_archived=request.adds_archived)
        source.exclusions.apply(db)
        reason = no_usable_rows(db, export, rows.people)
        with waiting_for_network(db):
            findings += ask_about_accidents(
                db,
                request,
                rows,
                found.tags.tags,
                partial(self.preparation.shared_with_audience, request, db, calls),
            )
            if not request.is_preview:
                found = self.preparation.create_missing(request, found, calls)
        compare(
            db,
            Rules(
                tag_ids=[tag.id for tag in found.tags.tags],
                mapping=mapping_fingerprint(export.mapping, found.merge_fields, attributes),
                everything=request.is_full,
                ask_again=request.is_full or run.retry_of is not None,
                remove_tags=export.leavers is Leavers.REMOVE_TAG and reason is None,
                retry=retry,
            ),
        )
        with waiting_for_network(db):
            complete = self.preparation.find_already_subscribed(request, db, calls)
        if retry:
            findings += not_retried(db)
        plan_unsubscribes(db, export)
        plan_former_addresses(db, export)
        with waiting_for_network(db):
            size = self._audience_size(request, found, db, calls, complete=complete)
        findings += within_budget(size, rows, is_preview=request.is_preview)
        findings += source.exclusions.remove_tags(db)
        confirmed = REMOVAL_GUARD in run.confirmed
        hold_removals = not confirmed and exceeds_removal_share(db, export.max_removal_share)
        hold_unsubscribes = not confirmed and exceeds_unsubscribe_share(
            db, export.max_removal_share
        )
        hold_archiving = not confirmed and exceeds_archive_share(db, export.max_removal_share)
        hold_contacts = hold_unsubscribes or hold_archiving
        plan_files, chunks = write_chunks(
            db,
            scratch,
            merge_tags(export.mapping),
            hold_removals=hold_removals,
            hold_contacts=hold_contacts,
        )
        members = members_by_segment(db)
        findings += definition_findings(
            export,
            (stored.value for stored in readable(self.preparation.exports.all())),
            [s.display_name for s in source.snapshot.segments if s.refreshed_at is None],
        )
        findings += people_findings(db, export, status, members)
        findings += withdrawal_findings(db, held=hold_contacts)
        findings += former_findings(db, held=hold_contacts)
        counts = count(db, rows.source_rows)
        before = counts.refused_before + rejected_before(
            db, files, source.pointer.run_id if source.pointer else "", scratch
        )
        if before:
            findings.append(Finding(Severity.INFO, "rejectedBefore", values={"rows": str(before)}))
        if request.is_preview:
            findings.append(_expected(len(chunks), self.connections))
            dropped = DroppedValues(with_fields_to_create(export, found.merge_fields))
            preview_values(db, Converter(export.mapping, attributes, dropped.merge_fields), dropped)
            findings += dropped.findings()
        plan = Plan(
            run_id=run.id,
            export_id=export.id,
            connection_id=request.connection_id,
            account_id=request.account_id,
            audience_id=export.audience_id,
            audience_name=found.audience.name,
            folder=plan_folder(run.id, self.preparation.token()),
            status=status,
            mapping=export.mapping,
            attributes=attributes,
            # A preview converts values for fields that the run creates as well.
            merge_fields=with_fields_to_create(export, found.merge_fields),
            tags=tuple(
                _planned_tag(choice, tag, members.get(number, SegmentMembers()))
                for number, (choice, tag) in enumerate(
                    zip(export.segments, found.tags.tags, strict=True)
                )
            ),
            tagsets=_tagsets(db, export),
            counts=counts.of_run,
            people_to_send=sum(c.people for c in chunks if c.tag_id is None),
            removals=sum(c.people for c in chunks if c.tag_id is not None),
            removals_held=hold_removals or hold_contacts,
            chunks=len(chunks),
            ledger=ledger.blob if ledger else None,
            ledger_run=source.pointer.run_id if source.pointer else "",
            reason=reason,
            rejected_before=before,
            deleted_tags=deleted,
            # The next refresh must still send the rows that a retry omits.
            source_fingerprint="" if retry else source.fingerprint,
            findings=tuple(findings),
            calls=CallTotals(calls.write, calls.read, calls.throttled, calls.retried),
            form=form_for(chunks, export.mapping),
            contacts_before=dict(found.contacts),
            audience_size=size,
        )
        return self.plans.write(plan, plan_files, chunks)

    def _audience_size(
        self,
        request: PlanRequest,
        found: PreparedAudience,
        db: DuckDBPyConnection,
        calls: CallCounts,
        *,
        complete: bool,
    ) -> AudienceSize | None:
        """Predict the size of the audience after the run; None for a run that adds no one.

        `complete`: all new people who are subscribed already are known. Exact in a preview, and where
        the contact budget depends on it.
        """
        if not new_people(db) and not request.is_preview:
            return None
        contacts = found.contacts
        budget = self.preparation.contact_budget(request.export.audience_id)
        size = predicted_size(db, contacts, budget, complete=complete)
        if not size.exact and (request.is_preview or size.is_over_budget):
            subscribed = contacts.get("subscribed", 0)
            self.preparation.find_all_subscribed(request, db, subscribed, calls)
            size = predicted_size(db, contacts, budget, complete=True)
        return size

    def _read(
        self,
        request: PlanRequest,
        source: _Source,
        report: PlanningReport,
        values: SourceValues,
        db: DuckDBPyConnection,
        scratch: Path,
        calls: CallCounts,
    ) -> tuple[RowCounts, PreparedAudience, list[Finding]]:
        """Read the segments and the audience in parallel, because both are slow."""
        with ThreadPoolExecutor(1) as executor, closing(db.cursor()) as cursor:
            audience = executor.submit(self.preparation.inspect, request, cursor, scratch, calls)
            segments = ReportedSource(self.source, report)
            excluded = source.exclusions.read(db, segments, source.columns.email, scratch)
            rows = read_people(db, source.snapshot, segments, source.columns, scratch, values)
            with waiting_for_network(db):
                return rows, audience.result(), excluded

    def _load_ledger(
        self,
        db: DuckDBPyConnection,
        pointer: LedgerPointer | None,
        scratch: Path,
        findings: list[Finding],
    ) -> LedgerPointer | None:
        """Load the ledger; when its file was deleted, add a finding and compare without it."""
        local = scratch / "ledger.parquet"
        if pointer is not None:
            try:
                self.plans.files.download(pointer.blob, local)
            except NotFound:
                findings.append(Finding(Severity.WARNING, "ledgerMissing"))
                pointer = None
        load_ledger(db, local if pointer else None)
        return pointer


def _ask_about_tags(
    request: PlanRequest, found: PreparedAudience, rows: RowCounts
) -> list[Finding]:
    """Raise PlanningEnded (awaiting a confirmation) for tags that others made. A preview continues."""
    values = {"tags": ", ".join(f"“{name}”" for name in found.tags.foreign)}
    if not request.is_preview:
        counts = Counts(source_rows=rows.source_rows, distinct=rows.people)
        reason = Reason(TAG_EXISTS, values=values)
        raise PlanningEnded(RunStatus.AWAITING_CONFIRMATION, reason, counts)
    return [Finding(Severity.WARNING, TAG_EXISTS, values=values)]


def _expected(calls: int, connections: int) -> Finding:
    """Return a finding with the run's write calls and their minutes at Mailchimp's usual response time."""
    minutes = max(1, -(-calls * _SECONDS_A_CALL // (60 * connections)))
    return Finding(Severity.INFO, "expected", values={"calls": str(calls), "minutes": str(minutes)})


def _planned_tag(choice: SegmentChoice, tag: Tag, members: SegmentMembers) -> PlannedTag:
    return PlannedTag(choice.name, choice.tag_name, tag.id, members.people, members.not_subscribed)


def _attributes(snapshot: Snapshot, fields: Sequence[str]) -> tuple[Attribute, ...]:
    known = {a.name: a for segment in reversed(snapshot.segments) for a in segment.attributes}
    return tuple(known[name] for name in dict.fromkeys(fields) if name in known)


def _tagsets(db: DuckDBPyConnection, export: Export) -> tuple[tuple[str, ...], ...]:
    names = [choice.tag_name for choice in export.segments]
    return tuple(tuple(names[number] for number in segments) for segments in tagset_segments(db))
