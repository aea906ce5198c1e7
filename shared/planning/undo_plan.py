"""The plan of an undo: read what the run left, look at the audience, rewind, cut.

Nothing is read from Customer Insights, and nobody is ever added to the audience.
"""

from __future__ import annotations

from pathlib import Path

from duckdb import DuckDBPyConnection

from shared.errors import Conflict
from shared.fields.contact import Converter
from shared.model.audience import CallCounts, Tag
from shared.model.chunk import Chunk
from shared.model.ledger import LedgerPointer
from shared.model.names import outcomes_table, plan_folder
from shared.model.plan import Plan, PlanFiles, PlannedTag
from shared.model.ports import Files
from shared.model.run import CallTotals, Finding, Run, Severity
from shared.model.tag import owned_by_others
from shared.planning.chunking import write_chunks
from shared.planning.compare import load_ledger
from shared.planning.fingerprint import mapping_fingerprint
from shared.planning.manual_edits import EditWindow, find_manual_edits
from shared.planning.preparation import AudiencePreparation
from shared.planning.request import PlanRequest
from shared.planning.undo_changes import UndoRules, compare_for_undo, not_taken_back, undo_counts
from shared.runs.start import moment_of

__all__ = ["plan_undo"]


def plan_undo(
    order: PlanRequest,
    undone: Plan,
    pointer: LedgerPointer,
    ready: AudiencePreparation,
    db: DuckDBPyConnection,
    scratch: Path,
) -> tuple[Plan, PlanFiles, list[Chunk]]:
    """The plan that undoes the run of the plan `undone`, with its files and chunks.

    `pointer` is the ledger as it is (runs/undo.py has checked it).
    """
    run, export = order.run, order.export
    if order.account_id != undone.account_id:
        message = "The export uses another Mailchimp account since the run that is to be undone."
        raise Conflict(message, code="undoOtherAccount")
    _load(db, run, pointer, ready.files, scratch)
    convert = Converter(undone.mapping, undone.attributes, undone.merge_fields)
    with ready.sessions.session(order.connection_id, order.account_id) as session:
        session.audience(undone.audience_id)  # says so when it is gone
        others = owned_by_others(ready.owners, export.id, order.account_id, undone.audience_id)
        there = {t.id: t for t in session.tags(undone.audience_id) if t.id not in others}
        ready.read_not_subscribed(order, undone.audience_id, session, db, scratch)
        since = EditWindow(moment_of(undone.run_id), run.undone_at, convert)
        find_manual_edits(db, session, undone.audience_id, since)
        calls: CallCounts = session.calls
    tags = _tags(db, undone, there)
    ours = [tag.tag_id for tag in tags]
    config = mapping_fingerprint(undone.mapping, undone.merge_fields, undone.attributes)
    compare_for_undo(db, UndoRules(config, list(there), ours, run.archive_created))
    cut_files, chunks = write_chunks(db, scratch, hold_removals=False, restore=True)
    findings = not_taken_back(db, run.archive_created)
    if not chunks:
        message = (
            "There was nothing to take back: everybody has the tags and values of before the run, "
            "as far as this app knows them."
        )
        findings.append(Finding(Severity.INFO, "undoNothing", message))
    if export.schedule.enabled:
        message = (
            "The export runs by itself and sends everything again. Change its segments or switch "
            "its schedule off first."
        )
        findings.append(Finding(Severity.WARNING, "undoRunsAgain", message))
    plan = Plan(
        run_id=run.id,
        export_id=export.id,
        connection_id=order.connection_id,
        account_id=order.account_id,
        audience_id=undone.audience_id,
        folder=plan_folder(run.id, ready.token()),
        status=undone.status,
        mapping=undone.mapping,
        attributes=undone.attributes,
        merge_fields=undone.merge_fields,
        tags=tags,
        tagsets=_tagsets(db, there),
        counts=undo_counts(db),
        people_to_send=sum(c.people for c in chunks if c.tag_id is None),
        removals=sum(c.people for c in chunks if c.tag_id is not None),
        chunks=len(chunks),
        ledger=pointer.blob,
        findings=tuple(findings),
        calls=CallTotals(calls.write, calls.read, calls.throttled, calls.retried),
    )
    return plan, cut_files, chunks


def _load(
    db: DuckDBPyConnection, run: Run, pointer: LedgerPointer, files: Files, scratch: Path
) -> None:
    """Tables `ledger`, `before` and `outcomes`."""
    local = scratch / "loaded.parquet"
    files.download(pointer.blob, local)
    load_ledger(db, str(local))
    if pointer.before:
        files.download(pointer.before, local)
    load_ledger(db, str(local) if pointer.before else None, "before")
    files.download(outcomes_table(run.undo_of or ""), local)
    db.execute("CREATE OR REPLACE TABLE outcomes AS SELECT * FROM read_parquet(?)", [str(local)])


def _tags(db: DuckDBPyConnection, undone: Plan, there: dict[int, Tag]) -> tuple[PlannedTag, ...]:
    """The run's tags that are still there, with how many people carried them before."""
    carried = dict(
        db.execute(
            "SELECT tag, count(*) FROM (SELECT unnest(tags) AS tag FROM before) GROUP BY tag"
        ).fetchall()
    )
    return tuple(
        PlannedTag(tag.segment, there[tag.tag_id].name, tag.tag_id, carried.get(tag.tag_id, 0))
        for tag in undone.tags
        if tag.tag_id in there
    )


def _tagsets(db: DuckDBPyConnection, there: dict[int, Tag]) -> tuple[tuple[str, ...], ...]:
    rows = db.execute("SELECT tags FROM tagsets ORDER BY tagset").fetchall()
    return tuple(tuple(there[tag].name for tag in tags) for (tags,) in rows)
