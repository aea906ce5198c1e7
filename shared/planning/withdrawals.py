"""Unsubscribe people who withdrew consent, if the export says so (record 71).

A person qualifies who is in the ledger, says no now, and whose contact was subscribed when the
audience was read. Unlike the removal of tags, this cannot be undone by a later yes, so an unusual
number of people waits for a confirmation.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.model.chunk import UNSUBSCRIBE_TAG
from shared.model.export import Export, OnWithdrawal
from shared.model.run import Finding, Severity
from shared.workspace import SqlFile

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

__all__ = ["exceeds_unsubscribe_share", "plan_unsubscribes", "withdrawal_findings"]

_SQL = SqlFile.of(__file__)


def plan_unsubscribes(db: DuckDBPyConnection, export: Export) -> None:
    """Add the people to unsubscribe to `changes`, as the loss of UNSUBSCRIBE_TAG."""
    if export.on_withdrawal is OnWithdrawal.UNSUBSCRIBE:
        _SQL.run(db, "unsubscribe", unsubscribe_tag=UNSUBSCRIBE_TAG)


def exceeds_unsubscribe_share(db: DuckDBPyConnection, max_share: float) -> bool:
    """Whether more than `max_share` (0-1) of the subscribers of `ledger` would be unsubscribed."""
    subscribed, unsubscribing = _SQL.row(db, "share", unsubscribe_tag=UNSUBSCRIBE_TAG)
    return bool(unsubscribing > max_share * subscribed)


def withdrawal_findings(db: DuckDBPyConnection, *, held: bool) -> list[Finding]:
    """Return findings about people to unsubscribe and about those who say yes again."""
    unsubscribing, returned = _SQL.row(db, "findings", unsubscribe_tag=UNSUBSCRIBE_TAG)
    findings = []
    if unsubscribing:
        values = {"people": str(unsubscribing)}
        if held:
            # The status of the run shows that it waits; once it is confirmed, nothing is wrong.
            findings.append(Finding(Severity.INFO, "unsubscribesHeld", values=values))
        else:
            findings.append(Finding(Severity.INFO, "unsubscribesPlanned", values=values))
    if returned:
        values = {"people": str(returned)}
        findings.append(Finding(Severity.INFO, "consentGivenAgain", values=values))
    return findings
