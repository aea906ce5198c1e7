"""Findings of a plan: what a person should know about consent, tags, rows and values of a run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from shared.errors import NotFound
from shared.fields.evidence import EVIDENCE
from shared.model.audience import DELETED_FIELD, MergeField
from shared.model.export import Export
from shared.model.names import outcomes_table
from shared.model.run import Finding, Reason, Severity
from shared.planning.compare import SegmentMembers
from shared.workspace import SqlFile

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from shared.model.ports import Files


_SQL = SqlFile.of(__file__)


def people_findings(
    db: DuckDBPyConnection,
    export: Export,
    new_status: str,
    members: Mapping[int, SegmentMembers],
) -> list[Finding]:
    """Return findings about the people of a plan, from `changes`, `ledger` and `rejects`."""
    withdrawn, archived, transactional, moved = _SQL.row(db, "people")
    info, warning = Severity.INFO, Severity.WARNING
    findings = []
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
        findings.append(Finding(info, "addressChanged", values={"people": str(moved)}))
    if different := _SQL.number(db, "different_rows"):
        findings.append(Finding(info, "differentRows", values={"people": str(different)}))
    _, _, unreadable_rows = _SQL.row(db, "rejects")
    for number, unreadable, people in _SQL.rows(db, "kept_tags") if unreadable_rows else ():
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


def unreadable_rows(db: DuckDBPyConnection) -> list[Finding]:
    """Return why rows cannot be read, and where the first one is: for each cause, one finding."""
    return [
        Finding(
            Severity.INFO,
            "rowsUnreadable",
            values={
                "rows": str(rows),
                "file": file,
                "line": str(line),
                "cause": code,
                "causeCode": f"outcomes.{code}.reason",
            },
        )
        for code, rows, file, line in _SQL.rows(db, "unreadable")
    ]


def rejected_before(db: DuckDBPyConnection, files: Files, run_id: str, scratch: Path) -> int:
    """Count the rows of `rejects` that the previous run rejected as well; 0 without its outcomes."""
    if not _SQL.row(db, "rejects")[0] or not run_id:
        return 0
    local = scratch / "rejected-before.parquet"
    try:
        files.download(outcomes_table(run_id), local)
    except NotFound:
        return 0
    return _SQL.number(db, "rejected_before", file=str(local))


def no_usable_rows(db: DuckDBPyConnection, export: Export, people: int) -> Reason | None:
    """Return a reason when the segments have rows, but no row is usable."""
    rows, addresses, _ = _SQL.row(db, "rejects")
    if people or not rows:
        return None
    if addresses:
        values = {"attribute": export.mapping.email, "rows": str(rows)}
        return Reason("noAddresses", values=values)
    return Reason("noReadableRows", values={"rows": str(rows)})


@dataclass
class DroppedValues:
    """Values that do not fit their merge field, by field, and the number of people with a value."""

    merge_fields: Sequence[MergeField]
    dropped: Counter[str] = field(default_factory=Counter)
    given: Counter[str] = field(default_factory=Counter)

    def findings(self) -> list[Finding]:
        """A finding per field: a warning when at least half of the values do not fit."""
        types = {each.tag.upper(): each.type for each in self.merge_fields}
        return [
            _deleted_field(tag, number)
            if types.get(tag.upper()) == DELETED_FIELD
            else Finding(
                Severity.WARNING if 2 * number >= self.given[tag] else Severity.INFO,
                "valuesDropped",
                values={
                    "field": EVIDENCE.get(tag, tag),
                    "type": types.get(tag.upper(), "text"),
                    "dropped": str(number),
                    "people": str(max(number, self.given[tag])),
                },
            )
            for tag, number in sorted(self.dropped.items())
        ]


def _deleted_field(tag: str, values: int) -> Finding:
    return Finding(
        Severity.WARNING, "mergeFieldDeleted", values={"field": tag, "values": str(values)}
    )
