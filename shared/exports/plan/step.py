"""Plan a run: freeze, read, compare, cut - and write the plan down once.

Two planners of one run may work at once (a message delivered twice): each writes its files into a
folder of its own, and the one whose `plan.json` is there first has planned the run. Everything
after that follows the written plan, so a planner that died half-way is simply followed by the next.
Nothing is written to Mailchimp before the limit, the audience and the tags have been checked.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from duckdb import DuckDBPyConnection
from pydantic import TypeAdapter, ValidationError

from shared.errors import (
    Changed,
    ConfigError,
    Conflict,
    ConnectorError,
    Disconnected,
    InputError,
    NotFound,
    Refused,
    Unavailable,
)
from shared.exports.audience import CallCounts
from shared.exports.chunk import Chunk, chunk_key
from shared.exports.definition import Export, Leavers
from shared.exports.fields.merge_fields import chosen_fields
from shared.exports.keep import keep
from shared.exports.ledger import LedgerPointer
from shared.exports.needs import Files, Leases, Queue, Records, SegmentSource, update
from shared.exports.person.erased import Erased
from shared.exports.person.leave_out import leave_out
from shared.exports.places import PLAN_RUNS, SEND_LANES, plan_blob, plan_folder
from shared.exports.plan.compare import (
    Rules,
    compare,
    count,
    forget_tags,
    gone_tags,
    load_ledger,
    members_by_segment,
)
from shared.exports.plan.cut import CutFiles, cut
from shared.exports.plan.guard import stopped_by_guard
from shared.exports.plan.held import HeldPointer, read_held
from shared.exports.plan.people import RowCounts, gather
from shared.exports.plan.plan import Plan, PlanGone, PlannedTag, plan_from_json, plan_to_json
from shared.exports.plan.prepare import Prepared, create_fields, prepare, status_for_new
from shared.exports.plan.present import find_present, is_worth_asking
from shared.exports.plan.settled import mapping_mark, settled_mark
from shared.exports.plan.take_back import take_back
from shared.exports.run import (
    REMOVAL_GUARD,
    CallTotals,
    Counts,
    Finding,
    Mode,
    Progress,
    Reason,
    Run,
    RunSegment,
    RunStatus,
    Severity,
    Trigger,
)
from shared.exports.runs.undo import undoable
from shared.exports.send.guest import Guests
from shared.exports.signals.events import run_finished
from shared.exports.signals.messages import lane_message, plan_message
from shared.exports.source import Attribute, Snapshot
from shared.exports.start.start import export_of
from shared.exports.tags import TAG_EXISTS, TagOwner, prepare_tags, same_name
from shared.exports.workroom import workroom

__all__ = ["Planner"]

_SEEN_BEING_PLANNED = 10.0
# Mailchimp publishes no such number. Microsoft's connector takes up to three hours for a million
# people, which is 5.4 s for 500 in sequence (docs/cost.md reckons with 5).
_SECONDS_A_CALL = 5
_CHUNKS = TypeAdapter(list[Chunk])


class _End(Exception):
    """The run ends (or waits) without a plan: in this state, for this reason."""

    def __init__(
        self,
        status: RunStatus,
        reason: Reason,
        counts: Counts | None = None,
        findings: tuple[Finding, ...] = (),
    ) -> None:
        super().__init__(reason.code)
        self.status = status
        self.reason = reason
        self.counts = counts or Counts()
        self.findings = findings


@dataclass(frozen=True)
class Planner:
    """Plans runs. `account_of` gives the Mailchimp account behind a connection."""

    runs: Records[Run]
    exports: Records[Export]
    chunks: Records[Chunk]
    ledgers: Records[LedgerPointer]
    held: Records[HeldPointer]
    owners: Records[TagOwner]
    erased: Erased
    files: Files
    queue: Queue
    leases: Leases
    source: SegmentSource
    guests: Guests
    account_of: Callable[[str], str]
    disconnected: Callable[[str], None]
    max_profiles: int
    connections: int
    now: Callable[[], datetime]
    token: Callable[[], str]

    def plan(self, run_id: str) -> None:
        """Plan a run and let its lanes work. Safe to call again.

        Unavailable goes to the caller: the queue brings the message again.
        """
        stored = self.runs.read(run_id)
        if stored is None or not stored.value.is_active:
            return
        if stored.value.status in (RunStatus.SENDING, RunStatus.FINISHING):
            # Planned before; the planner may have died before it told the lanes.
            self._tell_lanes(run_id, self.connections)
            return
        kept = keep(self.leases, f"plan/{run_id}")
        if kept is None:
            self.queue.send(PLAN_RUNS, plan_message(run_id), _SEEN_BEING_PLANNED)
            return
        with kept:
            run = self._begin(run_id)
            if run is None:
                return
            try:
                self._commit(run, self._written(run_id) or self._make(run))
            except _End as end:
                self._end(run_id, end)
            except (ConfigError, InputError, Refused) as error:
                if isinstance(error, Disconnected):
                    self._forget_connection(run)
                reason = Reason(error.code, error.message, getattr(error, "values", {}))
                self._end(run_id, _End(RunStatus.FAILED, reason))
            except Changed as moved:
                message = "The segments were written anew while they were read."
                raise Unavailable(message, code="sourceMoved", retry_after=10) from moved

    def give_up(self, run_id: str) -> None:
        """The queue has brought the message often enough: the run fails, nothing was sent."""
        reason = self._missing_files(run_id) or Reason(
            "planFailed",
            "The run could not be planned because storage, Customer Insights or Mailchimp did "
            "not answer. Nothing was sent; the next run does everything.",
        )
        self._end(run_id, _End(RunStatus.FAILED, reason))

    def _missing_files(self, run_id: str) -> Reason | None:
        """Why nothing can be read, when Customer Insights has not written everything yet."""
        run = self.runs.read(run_id)
        try:
            export = export_of(self.exports, run.value.export_id) if run else None
            self.source.snapshot([choice.name for choice in export.segments] if export else [])
        except Unavailable as error:
            if error.code == "refreshIncomplete":
                return Reason(error.code, error.message)
        except ConnectorError:
            pass
        return None

    # --- the steps -------------------------------------------------------------------------

    def _make(self, run: Run) -> Plan:
        export = export_of(self.exports, run.export_id)
        connection_id = export.connection_id
        if not connection_id:
            msg = "The export has no connection."
            raise Conflict(msg, code="noConnection")
        account_id = self.account_of(connection_id)
        if run.undo_of is not None:
            return self._take_back(run, run.undo_of, export, account_id)
        snapshot = self.source.snapshot([choice.name for choice in export.segments])
        pointer = self.ledgers.read(export.id)
        settled = settled_mark(export, snapshot)
        if (
            run.trigger is Trigger.REFRESH
            and run.mode is Mode.EXPORT
            and pointer is not None
            and pointer.value.settled == settled
        ):
            raise _End(
                RunStatus.SKIPPED,
                Reason("noNewData", "The segments have not changed since the last run."),
            )
        with workroom() as (db, scratch):
            return self._work_out(
                run,
                export,
                connection_id,
                account_id,
                snapshot,
                pointer.value if pointer else None,
                settled,
                db,
                scratch,
            )

    def _take_back(self, run: Run, undone: str, export: Export, account_id: str) -> Plan:
        stored = self.ledgers.read(export.id)
        pointer = undoable(undone, stored.value if stored else None, self.files)
        plan = self._written(undone)
        if plan is None:
            msg = "The plan of the run is not kept any more."
            raise Conflict(msg, code="undoTooOld")
        with workroom() as (db, scratch):
            return self._write_down(
                *take_back(
                    run,
                    export,
                    account_id,
                    plan,
                    pointer,
                    db,
                    scratch,
                    files=self.files,
                    guests=self.guests,
                    held=self.held,
                    now=self.now,
                    token=self.token,
                )
            )

    def _work_out(
        self,
        run: Run,
        export: Export,
        connection_id: str,
        account_id: str,
        snapshot: Snapshot,
        ledger: LedgerPointer | None,
        settled: str,
        db: DuckDBPyConnection,
        scratch: Path,
    ) -> Plan:
        fields = [choice.attribute for choice in chosen_fields(export.mapping)]
        calls = CallCounts()
        # Mailchimp takes its time, and so does reading: side by side.
        with ThreadPoolExecutor(1) as aside, closing(db.cursor()) as cursor:
            looking = aside.submit(
                self._look, run, export, connection_id, account_id, cursor, scratch, calls
            )
            rows = gather(
                db,
                snapshot,
                self.source,
                export.mapping.email,
                fields,
                export.new_contacts.consent_attribute,
                scratch,
            )
            found = looking.result()
        findings = [*found.findings, *self._within_limit(rows)]
        ledger = self._ledger(db, ledger, scratch, findings)
        leave_out(db, self.erased.everybody())
        if found.tags.foreign and run.mode is not Mode.PREVIEW:
            raise _End(
                RunStatus.AWAITING_CONFIRMATION,
                _tag_exists(found.tags.foreign),
                Counts(source_rows=rows.source_rows, distinct=rows.people),
            )
        if run.mode is not Mode.PREVIEW:
            found = self._make_ready(export, connection_id, account_id, found, run, calls)
        elif found.tags.foreign:
            reason = _tag_exists(found.tags.foreign)
            findings.append(Finding(Severity.WARNING, reason.code, reason.message, reason.values))
        rules = Rules(
            tag_ids=[tag.id for tag in found.tags.tags],
            config=mapping_mark(export),
            everything=run.mode is Mode.FULL,
            again=run.mode is Mode.FULL or run.retry_of is not None,
            remove=export.leavers is Leavers.REMOVE_TAG,
        )
        gone = gone_tags(db, found.tags.existing)
        forget_tags(db, gone)
        compare(db, rules)
        if is_worth_asking(db):
            with self.guests.session(connection_id, account_id) as session:
                find_present(db, session, export.audience_id)
                _add(calls, session.calls)
        counts = count(db, rows.source_rows)
        held_back = REMOVAL_GUARD not in run.confirmed and stopped_by_guard(
            db, export.max_removal_share
        )
        files, chunks = cut(db, scratch, held_back)
        if run.mode is Mode.PREVIEW:
            findings.append(_expected(len(chunks), self.connections))
        per_segment = members_by_segment(db)
        plan = Plan(
            run_id=run.id,
            export_id=export.id,
            connection_id=connection_id,
            account_id=account_id,
            audience_id=export.audience_id,
            folder=plan_folder(run.id, self.token()),
            status=status_for_new(export, found.audience),
            mapping=export.mapping,
            attributes=_attributes(snapshot, fields),
            merge_fields=found.merge_fields,
            tags=tuple(
                PlannedTag(choice.name, choice.tag_name, tag.id, *per_segment.get(index, (0, 0)))
                for index, (choice, tag) in enumerate(
                    zip(export.segments, found.tags.tags, strict=True)
                )
            ),
            tagsets=_tagsets(db, export),
            counts=counts,
            people_to_send=sum(c.people for c in chunks if c.tag_id is None),
            removals=sum(c.people for c in chunks if c.tag_id is not None),
            removals_held=held_back,
            chunks=len(chunks),
            ledger=ledger.blob if ledger else None,
            gone_tags=gone,
            settled=settled,
            findings=tuple(findings),
            calls=CallTotals(calls.write, calls.read, calls.throttled, calls.retried),
        )
        return self._write_down(plan, files, chunks)

    def _look(
        self,
        run: Run,
        export: Export,
        connection_id: str,
        account_id: str,
        db: DuckDBPyConnection,
        scratch: Path,
        calls: CallCounts,
    ) -> Prepared:
        """Look at the audience, and read whom it holds without a subscription."""
        with self.guests.session(connection_id, account_id) as session:
            found = prepare(
                session,
                self.owners,
                export,
                account_id,
                TAG_EXISTS in run.confirmed,
                self._still_uses,
            )
            read_held(
                db,
                session,
                self.held,
                self.files,
                account_id,
                export.audience_id,
                f"{run.id}-{self.token()}",
                self.now(),
                scratch,
                anew=run.mode is Mode.FULL,
            )
            _add(calls, session.calls)
        return found

    def _make_ready(
        self,
        export: Export,
        connection_id: str,
        account_id: str,
        found: Prepared,
        run: Run,
        calls: CallCounts,
    ) -> Prepared:
        """Create what is missing: merge fields, tags. Nothing is called when nothing is."""
        fields = chosen_fields(export.mapping)
        missing_field = any(f.code == "mergeFieldToCreate" for f in found.findings)
        keys_known = all(tag.id > 0 for tag in found.tags.tags)
        if (fields and missing_field) or not keys_known or found.tags.changes:
            with self.guests.session(connection_id, account_id) as session:
                merge_fields = create_fields(session, export, found.merge_fields)
                tags = prepare_tags(
                    session,
                    self.owners,
                    export,
                    account_id,
                    make=True,
                    take_over=TAG_EXISTS in run.confirmed,
                    still_uses=self._still_uses,
                )
                _add(calls, session.calls)
            return replace(found, merge_fields=merge_fields, tags=tags)
        return found

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
                self.files.download(pointer.blob, local)
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

    def _within_limit(self, rows: RowCounts) -> list[Finding]:
        values = {
            "people": str(rows.people),
            "memberships": str(rows.memberships),
            "limit": str(self.max_profiles),
        }
        if rows.people > self.max_profiles:
            raise _End(
                RunStatus.SKIPPED,
                Reason(
                    "tooManyProfiles",
                    f"The segments hold {rows.people:,} people, more than the limit of "
                    f"{self.max_profiles:,} a run. Nothing was sent. Choose fewer or smaller "
                    "segments, or spread them over several exports.",
                    values,
                ),
                Counts(source_rows=rows.source_rows, distinct=rows.people),
            )
        if rows.memberships > self.max_profiles:
            return [
                Finding(
                    Severity.WARNING,
                    "nearLimit",
                    f"The segments add up to {rows.memberships:,} members, more than the limit of "
                    f"{self.max_profiles:,}; counted once each they are {rows.people:,} people.",
                    values,
                )
            ]
        return []

    # --- writing down ----------------------------------------------------------------------

    def _write_down(self, plan: Plan, files: CutFiles, chunks: list[Chunk]) -> Plan:
        self.files.upload(files.changes, plan.changes)
        self.files.upload(files.rows, plan.shared_and_rejected)
        self.files.upload(files.lines, plan.lines)
        self.files.write(f"{plan.folder}chunks.json", _CHUNKS.dump_json(chunks))
        try:
            self.files.write(plan_blob(plan.run_id), plan_to_json(plan), once=True)
        except Conflict:
            for name in list(self.files.names(plan.folder)):
                self.files.delete(name)
            written = self._written(plan.run_id)
            return written or plan
        return plan

    def _written(self, run_id: str) -> Plan | None:
        try:
            return plan_from_json(self.files.read(plan_blob(run_id)))
        except NotFound:
            return None

    def _cut_chunks(self, plan: Plan) -> list[Chunk]:
        try:
            return _CHUNKS.validate_json(self.files.read(f"{plan.folder}chunks.json"))
        except (NotFound, ValidationError):
            raise PlanGone from None

    def _commit(self, run: Run, plan: Plan) -> None:
        preview = run.mode is Mode.PREVIEW
        if not preview and plan.chunks:
            chunks = self._cut_chunks(plan)
            self.chunks.create_many([(chunk_key(run.id, c.number), c) for c in chunks])
            self.guests.pace.join(plan.account_id, run.id, self._is_active)
        now = self.now()

        def planned(current: Run) -> Run | None:
            if current.status is not RunStatus.PLANNING:
                return None
            told = replace(
                current,
                counts=plan.counts,
                calls=plan.calls,
                findings=plan.findings,
                segments=tuple(RunSegment(t.segment, t.tag, t.members) for t in plan.tags),
                progress=Progress(0, plan.people_to_send + plan.removals, 0, plan.chunks),
                sending_at=now,
                moved_at=now,
            )
            if current.cancel_requested:
                canceled = Reason("canceled", "The run was canceled before anything was sent.")
                return replace(told, status=RunStatus.CANCELED, reason=canceled, finished_at=now)
            if preview:
                warned = any(f.severity is not Severity.INFO for f in plan.findings)
                status = (
                    RunStatus.COMPLETED_WITH_WARNINGS
                    if warned or plan.counts.rejected
                    else RunStatus.SUCCESSFUL
                )
                looked = replace(told.progress, percent=100)
                return replace(told, status=status, progress=looked, finished_at=now)
            return replace(told, status=RunStatus.SENDING)

        after = update(self.runs, run.id, planned).value
        if after.status is RunStatus.SENDING:
            self._tell_lanes(run.id, min(self.connections, max(1, plan.chunks)))
        elif after.is_over:
            self.guests.pace.leave(plan.account_id, run.id)
            run_finished(after)

    def _tell_lanes(self, run_id: str, lanes: int) -> None:
        for lane in range(lanes):
            self.queue.send(SEND_LANES, lane_message(run_id, lane))

    # --- states ----------------------------------------------------------------------------

    def _begin(self, run_id: str) -> Run | None:
        def planning(run: Run) -> Run | None:
            if run.status not in (RunStatus.QUEUED, RunStatus.PLANNING):
                return None
            now = self.now()
            return replace(
                run, status=RunStatus.PLANNING, started_at=run.started_at or now, moved_at=now
            )

        run = update(self.runs, run_id, planning).value
        return run if run.status is RunStatus.PLANNING else None

    def _end(self, run_id: str, end: _End) -> None:
        now = self.now()

        def close(run: Run) -> Run | None:
            if run.status not in (RunStatus.QUEUED, RunStatus.PLANNING):
                return None
            waits = end.status is RunStatus.AWAITING_CONFIRMATION
            return replace(
                run,
                status=end.status,
                reason=end.reason,
                counts=end.counts,
                findings=end.findings,
                moved_at=now,
                finished_at=None if waits else now,
            )

        run_finished(update(self.runs, run_id, close).value)

    def _forget_connection(self, run: Run) -> None:
        export = self.exports.read(run.export_id)
        if export is not None and export.value.connection_id:
            self.disconnected(export.value.connection_id)

    def _is_active(self, run_id: str) -> bool:
        stored = self.runs.read(run_id)
        return stored is not None and stored.value.is_active

    def _still_uses(self, export_id: str, tag_name: str) -> bool:
        stored = self.exports.read(export_id)
        return stored is not None and any(
            same_name(choice.tag_name, tag_name) for choice in stored.value.segments
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


def _add(total: CallCounts, more: CallCounts) -> None:
    total.write += more.write
    total.read += more.read
    total.throttled += more.throttled
    total.retried += more.retried


def _tag_exists(names: tuple[str, ...]) -> Reason:
    listed = ", ".join(f"“{name}”" for name in names)
    return Reason(
        TAG_EXISTS,
        f"The audience already has the tag {listed}, made outside this export. Nothing was sent. "
        "Confirm to take it over (it then follows the segment exactly), or give the segment "
        "another tag.",
        {"tags": ", ".join(names)},
    )


def _attributes(snapshot: Snapshot, fields: list[str]) -> tuple[Attribute, ...]:
    known = {a.name: a for segment in reversed(snapshot.segments) for a in segment.attributes}
    return tuple(known[name] for name in dict.fromkeys(fields) if name in known)


def _tagsets(db: DuckDBPyConnection, export: Export) -> tuple[tuple[str, ...], ...]:
    names = [choice.tag_name for choice in export.segments]
    rows = db.execute("SELECT segs FROM tagsets ORDER BY tagset").fetchall()
    return tuple(tuple(names[seg] for seg in segs) for (segs,) in rows)
