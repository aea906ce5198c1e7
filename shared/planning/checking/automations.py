"""Name the classic automations that a run may start: they send mail to people who are added or tagged.

An automation that only purchases, visits or other campaigns start is not named. Types that are unknown
here are, because classic automations can also be started by a tag. Customer journeys cannot be listed.
https://mailchimp.com/developer/marketing/api/automation/list-automations/
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from shared.errors import ConnectorError
from shared.model.audience import Automation
from shared.model.finding import Finding, Severity
from shared.planning.request import PlanRequest
from shared.workspace import SqlFile

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


_NEVER = frozenset(
    {
        "abandonedBrowse",
        "abandonedCart",
        "api",
        "bestCustomers",
        "categoryFollowup",
        "emailFollowup",
        "groupAdd",
        "groupRemove",
        "mandrill",
        "productFollowup",
        "purchaseFollowup",
        "visitUrl",
    }
)
# Started when a person joins the audience.
_JOINING = frozenset({"welcomeSeries", "dateAdded", "emailSeries"})
# Started by a date in a merge field, which the export may send.
_DATES = frozenset({"recurringEvent", "specialEvent"})
_MOST_NAMED = 10
_SQL = SqlFile.of(__file__)


def automation_findings(
    db: DuckDBPyConnection, request: PlanRequest, read: Callable[[], Sequence[Automation]]
) -> list[Finding]:
    """Return a finding about the automations that `changes` may start.

    `read` is called only when someone is added, tagged or updated. It is a warning in a preview and in
    the first run; later runs name them as well.
    """
    adds, tags, updates, sent_before = _SQL.row(db, "starts")
    if not (adds or tags or updates):
        return []
    try:
        found = read()
    except ConnectorError:
        return [Finding(Severity.INFO, "automationsUnread")]
    names = [
        one.title
        for one in found
        if _may_start(one.workflow_type, adds=adds, tags=tags, updates=updates)
    ]
    if not names:
        return [Finding(Severity.INFO, "automationsNone")] if request.is_preview else []
    warns = request.is_preview or not sent_before
    shown = ", ".join(f"“{name}”" for name in names[:_MOST_NAMED])
    values = {"automations": shown, "number": str(len(names))}
    return [
        Finding(Severity.WARNING if warns else Severity.INFO, "automationsMayStart", values=values)
    ]


def _may_start(workflow_type: str, *, adds: bool, tags: bool, updates: bool) -> bool:
    if workflow_type in _NEVER:
        return False
    if workflow_type in _JOINING:
        return adds
    if workflow_type in _DATES:
        return adds or updates
    return adds or tags
