"""Predict how many billed contacts the audience has after a run, and check them against the contact budget.

Mailchimp's counts by status are exact and current, unlike the `stats` of an audience. People who are
new to the export may be in the audience already. Who is subscribed is read when the prediction must be
exact, and for a preview if that takes few calls; otherwise the prediction is an upper bound. Mailchimp's
refusals cannot be predicted.
https://mailchimp.com/developer/marketing/api/list-members/list-members-info/
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from shared.model.audience import BILLED
from shared.model.chunk import FORMER_TAG
from shared.model.figures import AudienceSize, Counts
from shared.model.finding import Finding, Reason, Severity
from shared.model.run import RunStatus
from shared.planning.audience.already_subscribed import calls_to_find_all, new_people
from shared.planning.reading.people import RowCounts
from shared.runs.planning_ended import PlanningEnded
from shared.workspace import SqlFile

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from shared.planning.audience.client import AudienceClient


# More calls would keep a preview waiting for minutes.
_MOST_CALLS_OF_PREVIEW = 100

_SQL = SqlFile.of(__file__)


def predict_size(
    db: DuckDBPyConnection,
    audience: AudienceClient,
    contacts: Mapping[str, int],
    *,
    is_preview: bool,
) -> tuple[AudienceSize | None, list[Finding]]:
    """Return the size that `changes` leads to, and a finding if a preview cannot know it exactly.

    None for a run that adds no one. `contacts` counts the contacts of the audience by status. People of `changes`
    who are subscribed already become updates if they are read.
    """
    subscribed = contacts.get("subscribed", 0)
    complete = audience.find_already_subscribed(db, subscribed)
    if not new_people(db) and not is_preview:
        return None, []
    budget = audience.contact_budget()
    size = _size(db, contacts, budget, complete=complete)
    if size.exact:
        return size, []
    few = calls_to_find_all(db, subscribed) <= _MOST_CALLS_OF_PREVIEW
    if size.is_over_budget or (is_preview and few):
        audience.find_all_subscribed(db, subscribed)
        return _size(db, contacts, budget, complete=True), []
    if not is_preview or complete:
        return size, []
    values = {"people": str(size.added)}
    return size, [Finding(Severity.INFO, "newMayBeThere", values=values)]


def _size(
    db: DuckDBPyConnection, contacts: Mapping[str, int], budget: int | None, *, complete: bool
) -> AudienceSize:
    """Return the size by `changes`. `complete`: all people of `changes` who are subscribed already are known."""
    added, archived = _SQL.row(db, "planned", former_tag=FORMER_TAG)
    return AudienceSize(
        before=sum(contacts.get(status, 0) for status in BILLED),
        added=added,
        archived=archived,
        budget=budget,
        exact=not archived and (complete or not contacts.get("subscribed") or not added),
    )


def check_budget(size: AudienceSize | None, rows: RowCounts, *, is_preview: bool) -> list[Finding]:
    """Raise PlanningEnded (skipped) when the audience would exceed its contact budget.

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
