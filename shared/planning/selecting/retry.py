"""A retry sends only the rows that failed in an earlier run.

People who are new, changed or left since are not sent but counted (`notRetried`), because an
ordinary run might ask for a confirmation first. When an unusable address was corrected, its row is
recognized by the profile id.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from shared.model.finding import Finding, Severity
from shared.model.names import outcomes_table
from shared.model.ports import Files, download_if_exists
from shared.workspace import SqlFile

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


NOT_RETRIED = "notRetried"
_SQL = SqlFile.of(__file__)


def load_failed(db: DuckDBPyConnection, files: Files, run_id: str, scratch: Path) -> bool:
    """Fill `failed` from the outcomes of a run and `ledger`. False when the run sent no one.

    Such a run was stopped, or waited, before it sent anything, so all of it failed.
    """
    local = scratch / "retried.parquet"
    if not download_if_exists(files, outcomes_table(run_id), local):
        return False
    if _SQL.number(db, "withdrawals_only", file=str(local)):
        return False
    _SQL.run(db, "failed", file=str(local), run=run_id)
    return True


def not_retried(db: DuckDBPyConnection) -> list[Finding]:
    """A finding with the number of people who are new or changed and were not sent."""
    people = _SQL.number(db, "not_retried")
    if not people:
        return []
    return [Finding(Severity.INFO, NOT_RETRIED, values={"people": str(people)})]
