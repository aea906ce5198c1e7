"""Work out the final counts of a run, its consent proof, and the status in which it ends."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from shared.model.plan import Plan
from shared.model.run import (
    REMOVAL_GUARD,
    ConsentProof,
    Counts,
    Finding,
    Reason,
    Run,
    RunStatus,
    Severity,
)
from shared.planning.retry import NOT_RETRIED
from shared.workspace import SqlFile

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

__all__ = ["final_counts", "proof", "verdict"]

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
        removed=_SQL.number(db, "removed"),
    )


def proof(db: DuckDBPyConnection) -> ConsentProof:
    """Count the people left alone because they are not subscribed, and statuses that we changed."""
    kept, changed = _SQL.row(db, "consent_proof")
    return ConsentProof(kept, changed)


def _not_retried(plan: Plan) -> int:
    """People whom a retry was not to send: that they were not sent is no fault of the run."""
    return sum(int(f.values["people"]) for f in plan.findings if f.code == NOT_RETRIED)


def verdict(
    run: Run, plan: Plan, counts: Counts, findings: tuple[Finding, ...], held_back: int
) -> tuple[RunStatus, Reason | None]:
    """The state in which a run ends, and why. `held_back` counts removals that wait for a yes."""
    if run.reason is not None and run.reason.code != REMOVAL_GUARD:
        return RunStatus.FAILED, run.reason
    if run.cancel_requested:
        return RunStatus.CANCELED, Reason("canceled")
    if held_back:
        reason = Reason(REMOVAL_GUARD, values={"people": str(held_back)})
        return RunStatus.AWAITING_CONFIRMATION, reason
    sent = counts.created + counts.updated + counts.removed
    # Whoever was to lose a tag is no source row, so `not_sent` does not count them.
    unsent = counts.not_sent + max(0, counts.left - counts.removed) - _not_retried(plan)
    if unsent and not sent:
        return RunStatus.FAILED, Reason("mailchimpUnavailable")
    worrying = any(f.severity is not Severity.INFO for f in (*plan.findings, *findings))
    if unsent or counts.rejected or worrying:
        return RunStatus.COMPLETED_WITH_WARNINGS, None
    return RunStatus.SUCCESSFUL, None
