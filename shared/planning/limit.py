"""Check a run against the limits: the people of a run, and the contacts of the audience."""

from __future__ import annotations

from shared.model.run import AudienceSize, Counts, Finding, Reason, RunStatus, Severity
from shared.planning.people import RowCounts
from shared.runs.planning_ended import PlanningEnded


def within_limit(rows: RowCounts, limit: int) -> list[Finding]:
    """Return findings about the number of people. PlanningEnded (skipped) when it exceeds the limit.

    A person in several segments counts once; memberships above the limit are a warning.
    """
    if rows.people > limit:
        raise PlanningEnded(
            RunStatus.SKIPPED,
            Reason("tooManyProfiles", values={"people": str(rows.people), "limit": str(limit)}),
            Counts(source_rows=rows.source_rows, distinct=rows.people),
        )
    if rows.memberships <= limit:
        return []
    values = {
        "people": str(rows.people),
        "memberships": str(rows.memberships),
        "limit": str(limit),
    }
    return [Finding(Severity.WARNING, "nearLimit", values=values)]


def within_budget(size: AudienceSize | None, rows: RowCounts, *, is_preview: bool) -> list[Finding]:
    """Raise PlanningEnded (skipped) when the audience would pass its contact budget.

    A preview returns a finding.
    """
    if size is None or not size.is_over_budget:
        return []
    values = {
        "before": str(size.before),
        "new": str(size.added),
        "after": str(size.after),
        "budget": str(size.budget),
    }
    if is_preview:
        return [Finding(Severity.WARNING, "contactBudget", values=values)]
    raise PlanningEnded(
        RunStatus.SKIPPED,
        Reason("contactBudget", values=values),
        Counts(source_rows=rows.source_rows, distinct=rows.people, new=size.added),
        audience_size=size,
    )
