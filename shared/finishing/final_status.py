"""Compute the final counts of a run, its consent proof, and its final status."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from shared.finishing.dropped_values import DroppedValues
from shared.model.chunk import ARCHIVE_TAG, CONTACT_TAGS, FORMER_TAG, UNSUBSCRIBE_TAG
from shared.model.figures import ConsentProof, Counts
from shared.model.finding import Finding, Reason, Severity, number_in
from shared.model.outcome import Code
from shared.model.plan import Plan
from shared.model.run import REMOVAL_GUARD, RunStatus
from shared.planning.selecting.retry import NOT_RETRIED
from shared.planning.writing.fields_to_send import field_of, merge_tags
from shared.workspace import SqlFile

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


_SQL = SqlFile.of(__file__)


def final_counts(db: DuckDBPyConnection, planned: Counts) -> Counts:
    """The plan's counts with the outcomes, from `outcomes` and `removals`."""
    by_outcome = dict(_SQL.rows(db, "counts"))
    return replace(
        planned,
        created=by_outcome.get("created", 0),
        updated=by_outcome.get("updated", 0),
        unchanged=by_outcome.get("unchanged", 0),
        kept=by_outcome.get("kept", 0),
        rejected=by_outcome.get("rejected", 0),
        not_sent=by_outcome.get("notSent", 0),
        removed=_SQL.number(db, "removed", contact_tags=list(CONTACT_TAGS)),
    )


def people_unconfirmed(db: DuckDBPyConnection) -> int:
    """Count the people with removals that wait for a confirmation, each once."""
    return _SQL.number(db, "unconfirmed")


def consent_proof(db: DuckDBPyConnection) -> ConsentProof:
    """Count people kept because they are not subscribed, and contacts whose status was sent or changed."""
    not_subscribed, statuses_sent, unsubscribed, archived = _SQL.row(
        db,
        "consent_proof",
        unsubscribe_tag=UNSUBSCRIBE_TAG,
        archive_tags=[ARCHIVE_TAG, FORMER_TAG],
    )
    return ConsentProof(not_subscribed, statuses_sent, unsubscribed, archived)


def unsubscribe_findings(db: DuckDBPyConnection) -> list[Finding]:
    """A finding about people who withdrew consent and could not be unsubscribed."""
    missed = _SQL.number(db, "unsubscribes_missed", unsubscribe_tag=UNSUBSCRIBE_TAG)
    if not missed:
        return []
    return [Finding(Severity.WARNING, "unsubscribesMissed", values={"people": str(missed)})]


@dataclass(frozen=True)
class Refusals:
    """How many people and removals Mailchimp refused, and the most frequent code of each.

    `people_without_answer` counts the people whose call got no usable answer; `people` does not include them.
    """

    people: int
    code: str
    people_without_answer: int
    removals: int
    removal_code: str


def count_refusals(db: DuckDBPyConnection) -> Refusals:
    """Count the refusals of a run, from `outcomes` and `removals`."""
    people = dict(_SQL.rows(db, "refusals"))
    removals = _SQL.rows(db, "removal_refusals", contact_tags=list(CONTACT_TAGS))
    failed = _SQL.number(db, "people_without_answer")
    if failed:
        people[Code.CALL_FAILED.value] -= failed
    return Refusals(
        sum(people.values()),
        max(people, key=people.__getitem__, default=""),
        failed,
        sum(number for _, number in removals),
        removals[0][0] if removals else "",
    )


def value_findings(
    db: DuckDBPyConnection, plan: Plan, open_values: Callable[[DuckDBPyConnection], None]
) -> list[Finding]:
    """Findings about values that did not fit their merge field, in this run or an earlier one, or were cut in this run.

    `open_values` makes `ledger_values` the values of the ledger. It is called only if they are needed.
    """
    cut = [
        Finding(Severity.INFO, "valuesCut", values={"field": tag, "people": str(number)})
        for tag, number in sorted(_SQL.rows(db, "cut"))
    ]
    dropped = {tag.upper(): number for tag, number in _SQL.rows(db, "dropped")}
    if not dropped:
        return cut
    open_values(db)
    found = DroppedValues(plan.merge_fields)
    required = found.required
    for position, name in enumerate(merge_tags(plan.mapping), 1):
        tag = field_of(name)
        if tag in dropped:
            found.dropped[tag] = dropped[tag]
            given = _SQL.number(db, "given", position=position)
            if tag in required:
                given += _SQL.number(db, "emptied", position=position, tag=tag)
            found.given[tag] = max(given, found.given[tag])
    return [*found.findings(), *cut]


def final_status(
    plan: Plan,
    counts: Counts,
    findings: Sequence[Finding],
    unconfirmed: int,
    refusals: Refusals,
) -> tuple[RunStatus, Reason | None]:
    """Return the final status of a run that was not stopped, and its reason.

    `unconfirmed` counts the people with removals that wait for a confirmation. A run has failed when it sent nothing
    and no one was up to date before.
    """
    if plan.reason is not None and plan.ends_as is not RunStatus.FAILED:
        return plan.ends_as, plan.reason
    if unconfirmed:
        values = {"people": str(unconfirmed)}
        return RunStatus.AWAITING_CONFIRMATION, Reason(REMOVAL_GUARD, values=values)
    if plan.reason is not None:
        return RunStatus.FAILED, plan.reason
    sent = counts.created + counts.updated + counts.removed
    # People that a retry omitted on purpose do not count as failures.
    omitted = number_in(plan.findings, NOT_RETRIED, "people")
    # People who only lose a tag are not source rows, so `not_sent` does not count them.
    unsent = counts.not_sent + max(0, counts.left - counts.removed) - omitted
    if not sent:
        if refusals.people > refusals.people_without_answer and not counts.unchanged:
            values = {
                "people": str(refusals.people),
                "cause": refusals.code,
                "causeCode": f"outcomes.{refusals.code}.reason",
            }
            return RunStatus.FAILED, Reason("allRefused", values=values)
        if refusals.removals and refusals.removals >= unsent - counts.not_sent:
            values = {
                "people": str(refusals.removals),
                "cause": refusals.removal_code,
                "causeCode": f"outcomes.{refusals.removal_code}.reason",
            }
            return RunStatus.FAILED, Reason("removalRefused", values=values)
        if unsent or (refusals.people_without_answer and not counts.unchanged):
            return RunStatus.FAILED, Reason("mailchimpUnavailable")
    has_warnings = any(f.severity is not Severity.INFO for f in (*plan.findings, *findings))
    if unsent or has_warnings or counts.rejected > plan.rejected_before:
        return RunStatus.COMPLETED_WITH_WARNINGS, None
    return RunStatus.SUCCESSFUL, None
