"""Check the number of people of a run against the limit of the app."""

from __future__ import annotations

from shared.model.figures import Counts
from shared.model.finding import Finding, Reason, Severity
from shared.model.run import RunStatus
from shared.planning.reading.people import RowCounts
from shared.runs.planning_ended import PlanningEnded


def check_limit(rows: RowCounts, limit: int) -> list[Finding]:
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
