"""Carry out withdrawals of consent: at once, and unsubscribe people if the export is set to (record 71).

A withdrawal does not wait with a run that waits for a confirmation, or that would pass the contact
budget: such a run sends nothing, but removes the tags of people who withdrew consent.

A person qualifies who is in the ledger, does not consent now, and whose contact was subscribed when the
audience was read. Unlike the removal of tags, this cannot be undone by a later yes, so an unusual
number of people waits for a confirmation.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.model.chunk import UNSUBSCRIBE_TAG
from shared.model.export import Export, OnWithdrawal
from shared.model.finding import Finding, Severity
from shared.workspace import SqlFile

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


_SQL = SqlFile.of(__file__)


def any_withdrawals(db: DuckDBPyConnection, export: Export) -> bool:
    """Whether anyone of `ledger` withdrew consent and still has a tag of the export, or is to be unsubscribed."""
    unsubscribes = export.on_withdrawal is OnWithdrawal.UNSUBSCRIBE
    return _SQL.number(db, "any", unsubscribes=unsubscribes) > 0


def send_no_one(db: DuckDBPyConnection) -> None:
    """Let the next comparison with `Rules.retry` send no one; withdrawals do not depend on it."""
    _SQL.run(db, "send_no_one")


def keep_only_withdrawals(db: DuckDBPyConnection) -> None:
    """Record in `changes` why everyone else is not sent, after a comparison that sends no one."""
    _SQL.run(db, "keep_only")


def plan_unsubscribes(db: DuckDBPyConnection, export: Export) -> None:
    """Add the people to unsubscribe to `changes`, as the loss of UNSUBSCRIBE_TAG."""
    if export.on_withdrawal is OnWithdrawal.UNSUBSCRIBE:
        _SQL.run(db, "unsubscribe", unsubscribe_tag=UNSUBSCRIBE_TAG)


def withdrawal_findings(db: DuckDBPyConnection, *, unconfirmed: bool) -> list[Finding]:
    """Return findings about people to unsubscribe and about those who consent again."""
    unsubscribing, returned = _SQL.row(db, "findings", unsubscribe_tag=UNSUBSCRIBE_TAG)
    findings = []
    if unsubscribing:
        values = {"people": str(unsubscribing)}
        if unconfirmed:
            # The status of the run shows that it waits; once it is confirmed, nothing is wrong.
            findings.append(Finding(Severity.INFO, "unsubscribesHeld", values=values))
        else:
            findings.append(Finding(Severity.INFO, "unsubscribesPlanned", values=values))
    if returned:
        values = {"people": str(returned)}
        findings.append(Finding(Severity.INFO, "consentGivenAgain", values=values))
    return findings
