"""Contacts with a former address of a person: name them, and archive them if the export is set to.

A contact qualifies that this export created, whose person is sent under another address now. The
new contact must be in the ledger already, so archiving comes one run after the change: a new address
that Mailchimp refuses costs no one their contact (record 72).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.model.chunk import FORMER_TAG
from shared.model.export import Export, Leavers, OnAddressChange
from shared.model.finding import Finding, Severity
from shared.workspace import SqlFile

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


_SQL = SqlFile.of(__file__)


def plan_former_addresses(db: DuckDBPyConnection, export: Export) -> None:
    """Mark people of `changes` who left because their address changed, and add contacts to archive."""
    _SQL.run(db, "mark")
    if export.on_address_change is OnAddressChange.ARCHIVE:
        keep_tags = export.leavers is Leavers.KEEP_TAG
        _SQL.run(db, "archive", former_tag=FORMER_TAG, keep_tags=keep_tags)


def former_findings(db: DuckDBPyConnection, *, unconfirmed: bool) -> list[Finding]:
    """Return a finding about contacts with a former address to archive."""
    archiving = _SQL.number(db, "archiving", former_tag=FORMER_TAG)
    if not archiving:
        return []
    values = {"people": str(archiving)}
    if unconfirmed:
        return [Finding(Severity.INFO, "formerHeld", values=values)]
    return [Finding(Severity.INFO, "formerPlanned", values=values)]
