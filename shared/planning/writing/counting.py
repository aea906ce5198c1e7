"""Count the changes of a plan, and add the findings about them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from shared.fields.definition_findings import definition_findings
from shared.model.figures import Counts
from shared.model.finding import Finding, Severity
from shared.model.ports import readable
from shared.planning.audience.changed_addresses import changed_address_findings
from shared.planning.checking.removal_guard import Unconfirmed
from shared.planning.comparing.changes import ComparisonResult
from shared.planning.comparing.compare import SegmentMembers, count, members_by_segment
from shared.planning.comparing.former_addresses import former_findings
from shared.planning.comparing.withdrawals import withdrawal_findings
from shared.planning.context import PlanContext
from shared.planning.reading.inputs import Inputs
from shared.planning.reading.rejected_rows import rejected_before
from shared.planning.selecting.eligibility import Eligibility
from shared.planning.selecting.one_person import rows_of_person
from shared.planning.writing.findings import people_findings


@dataclass(frozen=True)
class CountedChanges:
    """What was counted.

    `members` is by the number of the segment. `rejected_before` counts the rejected rows that the run before rejected
    as well.
    """

    members: Mapping[int, SegmentMembers]
    counts: Counts
    rejected_before: int = 0


def count_changes(
    context: PlanContext,
    inputs: Inputs,
    eligible: Eligibility,
    compared: ComparisonResult,
    unconfirmed: Unconfirmed,
) -> CountedChanges:
    """Count the changes, and add the findings about them."""
    db, person = context.db, context.request.person
    members = members_by_segment(db)
    if compared.ended is None:
        context.findings += former_findings(db, unconfirmed=unconfirmed.archiving)
    if person is not None:
        return CountedChanges(members, count(db, rows_of_person(db, person)).of_run)
    _add_findings(context, inputs, eligible, members, unconfirmed)
    planned = count(db, inputs.rows.source_rows)
    before = planned.refused_before + _rejected_before(context, inputs)
    if before:
        values = {"rows": str(before)}
        context.findings.append(Finding(Severity.INFO, "rejectedBefore", values=values))
    counts = planned.of_run
    if compared.ended is not None:
        counts = replace(counts, new=compared.ended.counts.new)
    return CountedChanges(members, counts, before)


def _add_findings(
    context: PlanContext,
    inputs: Inputs,
    eligible: Eligibility,
    members: Mapping[int, SegmentMembers],
    unconfirmed: Unconfirmed,
) -> None:
    """Add findings about the definition of the export and about the people of the plan."""
    db, export, segments = context.db, context.request.export, inputs.source.snapshot.segments
    context.findings += [
        *definition_findings(
            export,
            (stored.value for stored in readable(context.dependencies.exports.all())),
            [segment.display_name for segment in segments if segment.refreshed_at is None],
        ),
        *people_findings(db, export, eligible.status, members),
        *changed_address_findings(db),
        *withdrawal_findings(db, unconfirmed=unconfirmed.unsubscribes),
    ]


def _rejected_before(context: PlanContext, inputs: Inputs) -> int:
    """How many rows of `rejects` the run before rejected as well."""
    pointer = inputs.source.pointer
    if pointer is None:
        return 0
    files = context.dependencies.files
    return rejected_before(context.db, files, pointer.run_of_all_rows, context.scratch)
