"""Findings about the people of a plan: what a person should know about consent, tags and values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from shared.model.chunk import FORMER_TAG
from shared.model.export import Export, OnAddressChange
from shared.model.finding import Finding, Severity
from shared.planning.comparing.compare import SegmentMembers
from shared.planning.reading.rejected_rows import has_unreadable_rows
from shared.workspace import SqlFile

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


_SQL = SqlFile.of(__file__)


def people_findings(
    db: DuckDBPyConnection,
    export: Export,
    new_status: str,
    members: Mapping[int, SegmentMembers],
) -> list[Finding]:
    """Return findings about the people of a plan, from `changes`, `ledger` and `rejects`."""
    withdrawn, archived, transactional, moved, new = _SQL.row(db, "people", former_tag=FORMER_TAG)
    info, warning = Severity.INFO, Severity.WARNING
    findings = []
    if empty := _segments_without_rows(db, export):
        findings.append(Finding(info, "segmentsEmpty", values={"segments": ", ".join(empty)}))
    if new and new_status == "pending":
        findings.append(Finding(info, "confirmationsByMail", values={"people": str(new)}))
    if withdrawn:
        values = {"people": str(withdrawn)}
        findings.append(Finding(info, "consentWithdrawn", values=values))
    if archived:
        values = {"people": str(archived)}
        findings.append(Finding(warning, "archivedByUndo", values=values))
    if transactional and new_status != "transactional":
        values = {"people": str(transactional), "status": new_status}
        findings.append(Finding(info, "statusNotReached", values=values))
    if moved:
        values = {"people": str(moved)}
        findings.append(
            Finding(info, "addressChangedToArchive", values=values)
            if export.on_address_change is OnAddressChange.ARCHIVE
            else Finding(info, "addressChanged", values=values)
        )
    if different := _SQL.number(db, "different_rows"):
        findings.append(Finding(info, "differentRows", values={"people": str(different)}))
    for number, unreadable, people in _SQL.rows(db, "kept_tags") if has_unreadable_rows(db) else ():
        values = {
            "segment": export.segments[number].name,
            "rows": str(unreadable),
            "people": str(people),
        }
        findings.append(Finding(warning, "tagsKeptForUnreadableRows", values=values))
    for number, found in sorted(members.items()):
        if found.people and not found.reached:
            values = {"segment": export.segments[number].name, "people": str(found.people)}
            findings.append(Finding(warning, "segmentReachesNoOne", values=values))
    return findings


def _segments_without_rows(db: DuckDBPyConnection, export: Export) -> list[str]:
    mask, rejected = _SQL.row(db, "segments_with_rows")
    return [
        segment.name
        for number, segment in enumerate(export.segments)
        if not mask >> number & 1 and number not in rejected
    ]
