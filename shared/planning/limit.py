"""The limit of people a run may have: looked at before the first write."""

from __future__ import annotations

from shared.model.run import Counts, Finding, Reason, RunStatus, Severity
from shared.planning.ended import PlanningEnded
from shared.planning.people import RowCounts

__all__ = ["within_limit"]


def within_limit(rows: RowCounts, limit: int) -> list[Finding]:
    """What to say of a run within the limit; Ended (skipped, with the real number) beyond it.

    A person in several segments is one person: a sum over segments above the limit is a warning.
    """
    values = {
        "people": str(rows.people),
        "memberships": str(rows.memberships),
        "limit": str(limit),
    }
    if rows.people > limit:
        raise PlanningEnded(
            RunStatus.SKIPPED,
            Reason(
                "tooManyProfiles",
                f"The segments hold {rows.people:,} people, more than the limit of {limit:,} a "
                "run. Nothing was sent. Choose fewer or smaller segments, or spread them over "
                "several exports.",
                values,
            ),
            Counts(source_rows=rows.source_rows, distinct=rows.people),
        )
    if rows.memberships <= limit:
        return []
    message = (
        f"The segments add up to {rows.memberships:,} members, more than the limit of {limit:,}; "
        f"counted once each they are {rows.people:,} people."
    )
    return [Finding(Severity.WARNING, "nearLimit", message, values)]
