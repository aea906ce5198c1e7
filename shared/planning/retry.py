"""A retry sends the rows of an earlier run that failed, and nothing else.

Who else has changed since, came or left is not sent but said (`notRetried`), so that a retry does
not do behind someone's back what a run of its own would ask about. A row whose address was unusable
is known again by its profile, once it was put right.

Table made here: `failed` (address, customer_id) of the people and profiles of a run that were
rejected or not sent, less those whom a newer run has sent.
"""

from __future__ import annotations

from pathlib import Path

from duckdb import DuckDBPyConnection

from shared.errors import NotFound
from shared.model.names import outcomes_table
from shared.model.outcome import Code, Outcome
from shared.model.ports import Files
from shared.model.run import Finding, Severity

__all__ = ["NOT_RETRIED", "load_failed", "not_retried"]

NOT_RETRIED = "notRetried"


def load_failed(db: DuckDBPyConnection, files: Files, run_id: str, scratch: Path) -> bool:
    """Make `failed` from a run's outcomes and `ledger`. False when the run has no outcomes.

    Such a run was stopped before it sent anything: then all of it failed.
    """
    local = scratch / "retried.parquet"
    try:
        files.download(outcomes_table(run_id), local)
    except NotFound:
        return False
    # Ids of runs sort the newest first.
    db.execute(
        "CREATE OR REPLACE TABLE failed AS SELECT o.email AS address, o.customer_id "
        "FROM read_parquet($file) o LEFT JOIN ledger l ON l.address = o.email "
        f"WHERE o.outcome IN ('{Outcome.REJECTED}', '{Outcome.NOT_SENT}') "
        f"AND o.code IS DISTINCT FROM '{Code.SHARED_ADDRESS}' "
        "AND NOT coalesce(l.run_id < $run AND l.fingerprint IS NOT NULL AND l.refused IS NULL, "
        "false)",
        {"file": str(local), "run": run_id},
    )
    return True


def not_retried(db: DuckDBPyConnection) -> list[Finding]:
    """How many of `changes` differ from what was sent, and are none of a retry's business."""
    row = db.execute("SELECT count(*) FROM changes WHERE kind = 'later'").fetchone()
    people = row[0] if row else 0
    if not people:
        return []
    return [
        Finding(
            Severity.INFO,
            NOT_RETRIED,
            f"{people} people are new or have changed since and were not sent: a retry sends only "
            "what failed. Run the export to send them.",
            {"people": str(people)},
        )
    ]
