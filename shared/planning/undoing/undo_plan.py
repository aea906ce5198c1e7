"""Make the plan of an undo: read the files of the run and the audience, compare, write chunks.

Nothing is read from Customer Insights, and no one is added to the audience.
"""

from __future__ import annotations

import collections.abc
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from shared.errors import Conflict
from shared.fields.contact import Converter
from shared.fields.merge_fields import FIRST_NAME_TAG, LAST_NAME_TAG, with_deleted
from shared.memory import waiting_for_network
from shared.model.audience import MergeField, Tag
from shared.model.chunk import Chunk
from shared.model.export import Mapping
from shared.model.finding import Finding, Severity
from shared.model.ids import moment_of
from shared.model.names import outcomes_table
from shared.model.plan import Plan, PlannedTag
from shared.model.ports import Files, download_if_exists
from shared.model.source import Attribute
from shared.model.tag import owned_by_others
from shared.planning.context import PlanContext, UnstoredPlan
from shared.planning.fingerprint import mapping_fingerprint
from shared.planning.request import PlanRequest
from shared.planning.undoing.manual_edits import EditWindow, find_manual_edits
from shared.planning.undoing.undo_changes import (
    UndoFiles,
    UndoRules,
    compare_for_undo,
    has_values_of,
    leave_other_fields,
    load_for_undo,
    not_undone,
    tags_before,
    undo_counts,
    undo_tagsets,
)
from shared.planning.undoing.undo_inputs import StateAtUndo
from shared.planning.undoing.values_of_others import (
    OtherExport,
    download_others,
    find_people_of_others,
    keep_values_of_others,
)
from shared.planning.writing.chunking import write_chunks
from shared.planning.writing.fields_to_send import field_of, merge_tags

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


def plan_undo(context: PlanContext, undone: Plan, current: StateAtUndo) -> UnstoredPlan:
    """Make the plan that undoes the run of the plan `undone`, and its chunks, and begin to upload its files."""
    request, db = context.request, context.db
    run, export = request.run, request.export
    if request.account_id != undone.account_id:
        raise Conflict("undoOtherAccount")
    load_for_undo(db, _download(context, current, undone))
    values = _values_before(db, current.earlier, undone)
    audience = _read_audience(context, undone, values.mapping, values.source.merge_fields)
    people_by_tag = tags_before(db)
    tags = _tags_to_restore(undone, audience.tags, people_by_tag)
    rules = UndoRules(
        undone.run_id,
        list(audience.tags),
        [tag.tag_id for tag in tags],
        values.merge_tags,
        values.merge_tags_before,
        current.excluded,
        undone.status,
        run.archive_created,
        _mapping_of(values.source),
        values.source.run_id,
    )
    others = list(download_others(current.others, context.dependencies.files, context.scratch))
    find_people_of_others(db, [file for _, file in others])
    compare_for_undo(db, rules)
    chunks = _write_chunks(context, undone, values, others)
    plan = Plan(
        run_id=run.id,
        export_id=export.id,
        connection_id=request.connection_id,
        account_id=request.account_id,
        audience_id=undone.audience_id,
        folder=context.uploads.folder,
        status=undone.status,
        mapping=values.mapping,
        attributes=values.attributes,
        merge_fields=audience.merge_fields,
        tags=tags,
        tagsets=_names(undo_tagsets(db), audience.tags),
        counts=undo_counts(db),
        ledger=current.pointer.blob,
        ledger_run=current.pointer.run_id,
        findings=(*context.findings, *_findings(db, request, chunks)),
        calls=context.audience.calls,
        contacts_before=audience.contacts,
        tags_before={tag: audience.tags[tag].name for tag in people_by_tag if tag in audience.tags},
    )
    return plan, chunks


@dataclass(frozen=True)
class _UndoAudience:
    """The tags that the audience still has, by id, its merge fields, and its contacts by status."""

    tags: dict[int, Tag]
    merge_fields: tuple[MergeField, ...]
    contacts: dict[str, int]


@dataclass(frozen=True)
class _Values:
    """The form of the values that an undo restores.

    `source` is the plan by whose mapping they were written. `mapping` also has the fields that only the undone run sent.
    """

    source: Plan
    mapping: Mapping
    attributes: tuple[Attribute, ...]

    @property
    def merge_tags(self) -> list[str]:
        """The merge fields of the undo."""
        return merge_tags(self.mapping)

    @property
    def merge_tags_before(self) -> list[str]:
        """The merge fields of the values from before the run."""
        return merge_tags(self.source.mapping)


def _values_before(db: DuckDBPyConnection, earlier: Plan | None, undone: Plan) -> _Values:
    """The form of the values from before the run. Needs the tables of `load_for_undo`.

    They were written by the mapping of that time, and have the form of its attributes: data type, order of dates, decimal mark.
    """
    source = undone
    if earlier is not None and has_values_of(
        db, merge_tags(earlier.mapping), rather_than=merge_tags(undone.mapping)
    ):
        source = earlier
    known = {attribute.name: attribute for attribute in (*undone.attributes, *source.attributes)}
    return _Values(source, _with_fields_of(source.mapping, undone.mapping), tuple(known.values()))


def _mapping_of(plan: Plan) -> str:
    return mapping_fingerprint(plan.mapping, plan.merge_fields, plan.attributes)


def _with_fields_of(mapping: Mapping, other: Mapping) -> Mapping:
    """A mapping with the fields of another one that it lacks: the ledger still has to know what was sent to them."""
    fields = set(map(field_of, merge_tags(mapping)))
    more = (one for one in other.attributes if one.merge_field.upper() not in fields)
    # Without an attribute for a name, another attribute may go to the field of the name.
    return replace(
        mapping,
        first_name=mapping.first_name or ("" if FIRST_NAME_TAG in fields else other.first_name),
        last_name=mapping.last_name or ("" if LAST_NAME_TAG in fields else other.last_name),
        attributes=(*mapping.attributes, *more),
    )


def _read_audience(
    context: PlanContext, undone: Plan, mapping: Mapping, former_fields: Sequence[MergeField]
) -> _UndoAudience:
    """Read the audience, and what others changed since the run. ConfigError when it was deleted.

    The merge fields include those of `mapping` that were deleted; `former_fields` and the run had them.
    """
    request, db, scratch = context.request, context.db, context.scratch
    audience, audience_id = context.audience, undone.audience_id
    with waiting_for_network(db), audience.parallel() as calls:
        calls.submit(lambda session: session.audience(audience_id)).result()
        all_tags = calls.submit(lambda session: session.tags(audience_id))
        merge_fields = calls.submit(lambda session: session.merge_fields(audience_id))
        contacts = audience.read_not_subscribed(calls, db, scratch)
        audience.find_changed_addresses(db, scratch)
        found = merge_fields.result()
        sent_fields = with_deleted(undone.mapping, found, undone.merge_fields)
        window = EditWindow(
            moment_of(undone.run_id),
            request.run.undone_at,
            Converter(undone.mapping, undone.attributes, sent_fields),
            tuple(merge_tags(undone.mapping)),
        )
        fields = with_deleted(mapping, found, (*undone.merge_fields, *former_fields))
        calls.submit(lambda session: find_manual_edits(db, session, audience_id, window)).result()
        others = owned_by_others(
            context.dependencies.owners, request.export.id, request.account_id, audience_id
        )
        tags = {tag.id: tag for tag in all_tags.result() if tag.id not in others}
        return _UndoAudience(tags, fields, contacts)


def _download(context: PlanContext, current: StateAtUndo, undone: Plan) -> UndoFiles:
    files, scratch, pointer = context.dependencies.files, context.scratch, current.pointer
    later = {outcomes_table(run_id): scratch / f"{run_id}.parquet" for run_id in current.later_runs}
    former_holders = {
        blob: scratch / f"taken-over-{number}.parquet"
        for number, blob in enumerate(current.former_holders)
    }
    changes = {plan.changes: scratch / f"{plan.run_id}-changes.parquet" for plan in current.plans}
    stored_changes = _download_existing(files, changes)
    planned = changes[undone.changes]
    local = UndoFiles(
        ledger=scratch / "ledger.parquet",
        before=scratch / "before.parquet" if pointer.before else None,
        outcomes=scratch / "outcomes.parquet",
        # A run may have ended before it had outcomes.
        later=_download_existing(files, later),
        planned=planned if planned in stored_changes else None,
        changes=stored_changes,
        former_holders=_download_existing(files, former_holders),
    )
    files.download(pointer.blob, local.ledger)
    if local.before is not None:
        files.download(pointer.before, local.before)
    files.download(outcomes_table(context.request.run.undo_of or ""), local.outcomes)
    return local


def _download_existing(files: Files, blobs: collections.abc.Mapping[str, Path]) -> list[Path]:
    """Download the blobs that exist to their local files, and return these."""
    return [file for blob, file in blobs.items() if download_if_exists(files, blob, file)]


def _write_chunks(
    context: PlanContext,
    undone: Plan,
    values: _Values,
    others: Sequence[tuple[OtherExport, Path]],
) -> list[Chunk]:
    """Write the chunks, without the values that must stay as they are now. Adds a finding about values of other exports."""
    db, columns = context.db, values.merge_tags

    def keep_values() -> None:
        leave_other_fields(db, columns, values.merge_tags_before)
        keeping = keep_values_of_others(db, undone.run_id, values.source, columns, others)
        if keeping:
            people = {"people": str(keeping)}
            context.findings.append(Finding(Severity.WARNING, "undoFilledByOthers", values=people))

    return write_chunks(
        db,
        context.scratch,
        columns,
        restore=True,
        ordered=keep_values,
        written=context.uploads.begin,
    )


def _tags_to_restore(
    undone: Plan,
    existing: collections.abc.Mapping[int, Tag],
    people: collections.abc.Mapping[int, int],
) -> tuple[PlannedTag, ...]:
    """The tags of the run that the audience still has, with the people who had each before."""
    return tuple(
        PlannedTag(tag.segment, existing[tag.tag_id].name, tag.tag_id, people.get(tag.tag_id, 0))
        for tag in undone.tags
        if tag.tag_id in existing
    )


def _findings(
    db: DuckDBPyConnection, request: PlanRequest, chunks: Sequence[Chunk]
) -> tuple[Finding, ...]:
    findings = not_undone(db, request.run.archive_created)
    if not chunks:
        findings.append(Finding(Severity.INFO, "undoNothing"))
    if request.export.schedule.enabled:
        findings.append(Finding(Severity.WARNING, "undoRunsAgain"))
    return tuple(findings)


def _names(tagsets: list[list[int]], existing: dict[int, Tag]) -> tuple[tuple[str, ...], ...]:
    return tuple(tuple(existing[tag].name for tag in tags) for tags in tagsets)
