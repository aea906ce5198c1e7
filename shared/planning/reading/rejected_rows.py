"""Findings about the rows that cannot be sent: why, where the first one is, and whether this is new."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from shared.model.export import Export
from shared.model.finding import Finding, Reason, Severity
from shared.model.names import outcomes_table
from shared.model.ports import Files, download_if_exists
from shared.workspace import SqlFile

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


_SQL = SqlFile.of(__file__)


def has_unreadable_rows(db: DuckDBPyConnection) -> bool:
    """Whether `rejects` has rows that cannot be read."""
    _, _, unreadable = _SQL.row(db, "rejects")
    return bool(unreadable)


def unreadable_findings(db: DuckDBPyConnection) -> list[Finding]:
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


def repeated_header_findings(db: DuckDBPyConnection) -> list[Finding]:
    """Return a finding about headers that files have again below the first row, as joined files do."""
    rows, file, line = _SQL.row(db, "repeated_headers")
    if not rows:
        return []
    values = {"rows": str(rows), "file": file, "line": str(line)}
    return [Finding(Severity.INFO, "headerRepeated", values=values)]


def rejected_before(db: DuckDBPyConnection, files: Files, run_id: str, scratch: Path) -> int:
    """Count the rows of `rejects` that the previous run rejected as well; 0 without its outcomes."""
    if not _SQL.row(db, "rejects")[0] or not run_id:
        return 0
    local = scratch / "rejected-before.parquet"
    if not download_if_exists(files, outcomes_table(run_id), local):
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
