"""Make a plan: `make_plan` has the steps, and each step has a module.

Nothing is written to Mailchimp before the limit, the audience, the tags and the guards have
been checked. Missing merge fields and tags are created before the contact budget is checked, which
needs the comparison. docs/tables.md describes the tables that pass from step to step.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from duckdb import DuckDBPyConnection

from shared.model.audience import Tag
from shared.model.export import Export
from shared.model.plan import Plan, PlannedTag
from shared.model.run import RunStatus
from shared.planning.audience.merge_fields import with_fields_to_create
from shared.planning.checking.removal_guard import ALL_CONFIRMED, Unconfirmed, find_unconfirmed
from shared.planning.comparing.changes import ComparisonResult, check_and_compare
from shared.planning.comparing.compare import SegmentMembers, tagset_segments
from shared.planning.context import PlanContext, UnstoredPlan
from shared.planning.planning_report import PlanningReport, ReportedSource
from shared.planning.reading.inputs import Inputs, PlanSource, read_inputs
from shared.planning.selecting.eligibility import Eligibility, find_eligible
from shared.planning.writing.chunking import write_chunks
from shared.planning.writing.counting import CountedChanges, count_changes
from shared.planning.writing.fields_to_send import merge_tags
from shared.planning.writing.forecast import forecast


def make_plan(
    context: PlanContext,
    source: PlanSource,
    report: PlanningReport,
    people_per_second: float | None,
) -> UnstoredPlan:
    """Make the plan and its chunks, and begin to upload its files. PlanningEnded when the run ends, or waits, without one.

    `people_per_second` is the measured speed of the account, for the forecast of a preview.
    """
    request, db = context.request, context.db
    inputs = read_inputs(context, source, ReportedSource(context.dependencies.segments, report))
    report.comparing()
    eligible = find_eligible(context, inputs)
    compared = check_and_compare(context, inputs, eligible)
    unconfirmed = _find_unconfirmed(context)
    chunks = write_chunks(
        db,
        context.scratch,
        merge_tags(request.export.mapping),
        unconfirmed,
        written=context.uploads.begin,
    )
    counted = count_changes(context, inputs, eligible, compared, unconfirmed)
    if request.is_preview and chunks:
        context.findings.append(forecast(chunks, people_per_second))
    return _plan(context, inputs, eligible, compared, counted), chunks


def _find_unconfirmed(context: PlanContext) -> Unconfirmed:
    """Decide what waits for a confirmation, because it concerns unusually many people."""
    request = context.request
    if request.run.removals_confirmed or request.person is not None:
        return ALL_CONFIRMED
    return find_unconfirmed(context.db, request.export.max_removal_share)


def _plan(
    context: PlanContext,
    inputs: Inputs,
    eligible: Eligibility,
    compared: ComparisonResult,
    counted: CountedChanges,
) -> Plan:
    request, export = context.request, context.request.export
    audience, ended, pointer = compared.audience, compared.ended, inputs.source.pointer
    return Plan(
        run_id=request.run.id,
        export_id=export.id,
        connection_id=request.connection_id,
        account_id=request.account_id,
        audience_id=export.audience_id,
        audience_name=audience.audience.name,
        folder=context.uploads.folder,
        status=eligible.status,
        mapping=export.mapping,
        attributes=inputs.attributes,
        # A preview converts values for fields that the run creates as well.
        merge_fields=with_fields_to_create(export, audience.merge_fields),
        tags=_planned_tags(export, audience.tags.tags, counted.members),
        tagsets=_tagsets(context.db, export, audience.tags.tags),
        counts=counted.counts,
        ledger=inputs.ledger.blob if inputs.ledger else None,
        ledger_run=pointer.run_id if pointer else "",
        reason=ended.reason if ended else eligible.nothing_to_send,
        rejected_before=counted.rejected_before,
        deleted_tags=eligible.deleted_tags,
        tags_before=eligible.tags_before,
        source_fingerprint=_fingerprint_for_next(
            context, inputs, all_sent=not (eligible.only_failed or ended)
        ),
        findings=tuple(context.findings),
        calls=context.audience.calls,
        contacts_before=dict(audience.contacts),
        audience_size=compared.size,
        definition=request.definition_fingerprint,
        ends_as=ended.status if ended else RunStatus.FAILED,
        read_fingerprint=inputs.source.fingerprint,
        excluded_members=inputs.excluded_members.after_run(export.exclusion_guard.max_share),
    )


def _fingerprint_for_next(context: PlanContext, inputs: Inputs, *, all_sent: bool) -> str:
    """The fingerprint of the source that was sent completely once this run has ended."""
    if context.request.person is not None:
        return inputs.ledger.source_fingerprint if inputs.ledger else ""
    # The next refresh must still send the rows that a retry omits.
    return inputs.source.fingerprint if all_sent else ""


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


def _tagsets(
    db: DuckDBPyConnection, export: Export, tags: Sequence[Tag]
) -> tuple[tuple[str, ...], ...]:
    # A call with another spelling of the name could create a second tag.
    names = [tag.name or choice.tag_name for choice, tag in zip(export.segments, tags, strict=True)]
    return tuple(tuple(names[number] for number in segments) for segments in tagset_segments(db))
