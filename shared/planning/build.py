"""Make a plan: freeze the source, read it, compare, cut - and write it down once.

Nothing is written to Mailchimp before the limit, the audience and the tags have been checked.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from duckdb import DuckDBPyConnection

from shared.errors import Conflict, NotFound
from shared.fields.merge_fields import chosen_fields, date_orders
from shared.model.audience import CallCounts
from shared.model.export import Export, Leavers
from shared.model.ledger import LedgerPointer
from shared.model.names import plan_folder
from shared.model.plan import Plan, PlannedTag
from shared.model.ports import Records, SegmentSource
from shared.model.run import (
    REMOVAL_GUARD,
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
from shared.people.suppression import suppress_erased
from shared.planning.audience import PreparedAudience, status_for_new
from shared.planning.chunking import write_chunks
from shared.planning.compare import (
    Rules,
    compare,
    count,
    forget_tags,
    gone_tags,
    load_ledger,
    members_by_segment,
)
from shared.planning.ended import PlanningEnded
from shared.planning.fingerprint import mapping_fingerprint, source_fingerprint
from shared.planning.limit import within_limit
from shared.planning.people import RowCounts, gather
from shared.planning.preparation import AudiencePreparation
from shared.planning.removal_guard import stopped_by_guard
from shared.planning.request import PlanRequest
from shared.planning.retry import load_failed, not_retried
from shared.planning.source_values import SourceValues
from shared.planning.tags import TAG_EXISTS
from shared.planning.undo_plan import plan_undo
from shared.runs.plan_store import PlanStore
from shared.runs.start import export_of
from shared.runs.undo import undoable
from shared.workspace import workspace

__all__ = ["PlanBuilder"]

# Mailchimp publishes no such number. Microsoft's connector takes up to three hours for a million
# people, which is 5.4 s for 500 in sequence (docs/cost.md reckons with 5).
_SECONDS_A_CALL = 5


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

    def build(self, run: Run) -> Plan:
        """The plan of a run, written down. Ended when the run needs none, or must wait.

        ConfigError, InputError and Refused say what a person must change; Unavailable and Changed
        (the segments were written anew meanwhile) may pass.
        """
        export = export_of(self.preparation.exports, run.export_id)
        if not export.connection_id:
            msg = "The export has no connection."
            raise Conflict(msg, code="noConnection")
        account_id = self.account_of(export.connection_id)
        order = PlanRequest(run, export, export.connection_id, account_id)
        if run.undo_of is not None:
            return self._take_back(order, run.undo_of)
        snapshot = self.source.snapshot([choice.name for choice in export.segments])
        stored = self.ledgers.read(export.id)
        pointer = stored.value if stored else None
        settled = source_fingerprint(export, snapshot)
        if (
            run.trigger is Trigger.REFRESH
            and run.mode is Mode.EXPORT
            and pointer is not None
            and pointer.settled == settled
        ):
            raise PlanningEnded(
                RunStatus.SKIPPED,
                Reason("noNewData", "The segments have not changed since the last run."),
            )
        with workspace() as (db, scratch):
            return self._work_out(order, snapshot, pointer, settled, db, scratch)

    def _take_back(self, order: PlanRequest, undone: str) -> Plan:
        stored = self.ledgers.read(order.export.id)
        pointer = undoable(undone, stored.value if stored else None, self.plans.files)
        plan = self.plans.read(undone)
        if plan is None:
            msg = "The plan of the run is not kept any more."
            raise Conflict(msg, code="undoTooOld")
        with workspace() as (db, scratch):
            return self.plans.write(*plan_undo(order, plan, pointer, self.preparation, db, scratch))

    def _work_out(
        self,
        order: PlanRequest,
        snapshot: Snapshot,
        ledger: LedgerPointer | None,
        settled: str,
        db: DuckDBPyConnection,
        scratch: Path,
    ) -> Plan:
        run, export = order.run, order.export
        fields = [choice.attribute for choice in chosen_fields(export.mapping)]
        calls = CallCounts()
        values = SourceValues()
        rows, found = self._read(order, snapshot, fields, values, db, scratch, calls)
        attributes = values.attributes(_attributes(snapshot, fields))
        findings = [
            *found.findings,
            *within_limit(rows, self.max_profiles),
            *values.findings(attributes, date_orders(export.mapping, found.merge_fields)),
        ]
        if ledger is not None and not ledger.speaks_of(order.account_id, export.audience_id):
            findings.append(_audience_moved())
            ledger = None
        ledger = self._ledger(db, ledger, scratch, findings)
        suppress_erased(db, self.erasures.everybody())
        if found.tags.foreign:
            findings += _ask_about_tags(order, found, rows)
        if not order.only_looks:
            found = self.preparation.make_ready(order, found, calls)
        gone = gone_tags(db, found.tags.existing)
        forget_tags(db, gone)
        files = self.plans.files
        retry = run.retry_of is not None and load_failed(db, files, run.retry_of, scratch)
        compare(
            db,
            Rules(
                tag_ids=[tag.id for tag in found.tags.tags],
                config=mapping_fingerprint(export.mapping, found.merge_fields, attributes),
                everything=order.everything,
                again=order.everything or run.retry_of is not None,
                remove=export.leavers is Leavers.REMOVE_TAG,
                only_failed=retry,
            ),
        )
        self.preparation.find_already_subscribed(order, db, calls)
        if retry:
            findings += not_retried(db)
        held_back = REMOVAL_GUARD not in run.confirmed and stopped_by_guard(
            db, export.max_removal_share
        )
        cut_files, chunks = write_chunks(db, scratch, held_back)
        if order.only_looks:
            findings.append(_expected(len(chunks), self.connections))
        per_segment = members_by_segment(db)
        plan = Plan(
            run_id=run.id,
            export_id=export.id,
            connection_id=order.connection_id,
            account_id=order.account_id,
            audience_id=export.audience_id,
            folder=plan_folder(run.id, self.preparation.token()),
            status=status_for_new(export, found.audience),
            mapping=export.mapping,
            attributes=attributes,
            merge_fields=found.merge_fields,
            tags=tuple(
                PlannedTag(choice.name, choice.tag_name, tag.id, *per_segment.get(index, (0, 0)))
                for index, (choice, tag) in enumerate(
                    zip(export.segments, found.tags.tags, strict=True)
                )
            ),
            tagsets=_tagsets(db, export),
            counts=count(db, rows.source_rows),
            people_to_send=sum(c.people for c in chunks if c.tag_id is None),
            removals=sum(c.people for c in chunks if c.tag_id is not None),
            removals_held=held_back,
            chunks=len(chunks),
            ledger=ledger.blob if ledger else None,
            gone_tags=gone,
            # What a retry leaves out is still to be sent by the next refresh.
            settled="" if retry else settled,
            findings=tuple(findings),
            calls=CallTotals(calls.write, calls.read, calls.throttled, calls.retried),
        )
        return self.plans.write(plan, cut_files, chunks)

    def _read(
        self,
        order: PlanRequest,
        snapshot: Snapshot,
        fields: list[str],
        values: SourceValues,
        db: DuckDBPyConnection,
        scratch: Path,
        calls: CallCounts,
    ) -> tuple[RowCounts, PreparedAudience]:
        """Read the segments and look at the audience: both take their time, so side by side."""
        export = order.export
        with ThreadPoolExecutor(1) as aside, closing(db.cursor()) as cursor:
            looking = aside.submit(self.preparation.look, order, cursor, scratch, calls)
            rows = gather(
                db,
                snapshot,
                self.source,
                export.mapping.email,
                fields,
                export.new_contacts.consent_attribute,
                scratch,
                values,
            )
            return rows, looking.result()

    def _ledger(
        self,
        db: DuckDBPyConnection,
        pointer: LedgerPointer | None,
        scratch: Path,
        findings: list[Finding],
    ) -> LedgerPointer | None:
        """Load the ledger; one that someone deleted is said, and everybody is sent again."""
        local = scratch / "ledger.parquet"
        if pointer is not None:
            try:
                self.plans.files.download(pointer.blob, local)
            except NotFound:
                findings.append(
                    Finding(
                        Severity.WARNING,
                        "ledgerMissing",
                        "The record of what was sent before is gone, so everybody was compared "
                        "with the audience anew. People who left a segment meanwhile keep its tag "
                        "until Mailchimp's count is compared at the end of the run.",
                    )
                )
                pointer = None
        load_ledger(db, str(local) if pointer else None)
        return pointer


def _ask_about_tags(order: PlanRequest, found: PreparedAudience, rows: RowCounts) -> list[Finding]:
    """Ended (waiting for a yes) because of tags that others made; a preview only says so."""
    names = found.tags.foreign
    listed = ", ".join(f"“{name}”" for name in names)
    reason = Reason(
        TAG_EXISTS,
        f"The audience already has the tag {listed}, made outside this export. Nothing was sent. "
        "Confirm to take it over (it then follows the segment exactly), or give the segment "
        "another tag.",
        {"tags": ", ".join(names)},
    )
    if not order.only_looks:
        counts = Counts(source_rows=rows.source_rows, distinct=rows.people)
        raise PlanningEnded(RunStatus.AWAITING_CONFIRMATION, reason, counts)
    return [Finding(Severity.WARNING, reason.code, reason.message, reason.values)]


def _audience_moved() -> Finding:
    """What a run says that is the first to another audience."""
    return Finding(
        Severity.INFO,
        "audienceMoved",
        "The export has another audience than at its last run, so everybody was compared anew. "
        "People and tags in the earlier audience stay there as they are.",
    )


def _expected(calls: int, connections: int) -> Finding:
    """What a run would take: calls, and minutes as Mailchimp's answers usually take."""
    minutes = max(1, -(-calls * _SECONDS_A_CALL // (60 * connections)))
    return Finding(
        Severity.INFO,
        "expected",
        f"A run would make about {calls} writing calls to Mailchimp and take about {minutes} "
        "minutes.",
        {"calls": str(calls), "minutes": str(minutes)},
    )


def _attributes(snapshot: Snapshot, fields: list[str]) -> tuple[Attribute, ...]:
    known = {a.name: a for segment in reversed(snapshot.segments) for a in segment.attributes}
    return tuple(known[name] for name in dict.fromkeys(fields) if name in known)


def _tagsets(db: DuckDBPyConnection, export: Export) -> tuple[tuple[str, ...], ...]:
    names = [choice.tag_name for choice in export.segments]
    rows = db.execute("SELECT segs FROM tagsets ORDER BY tagset").fetchall()
    return tuple(tuple(names[seg] for seg in segs) for (segs,) in rows)
