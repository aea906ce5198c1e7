"""The outcomes of all chunks, brought together in one table.

Tables made here, from the plan's files and the chunks that are done:

    changes   as planned (planning/compare.py)
    rows      source rows that were rejected, and profiles that lost their address
    results   address, outcome, code, field, status, asked: one row a person who was to be sent
    losses    tag_id, address, removed, code: one row a tag that someone was to lose; the code says
              why it was not taken away
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import duckdb
from duckdb import DuckDBPyConnection

from shared.errors import NotFound
from shared.model.chunk import Chunk, ChunkState
from shared.model.outcome import Code, Outcome
from shared.model.plan import Plan, PlanGone
from shared.model.ports import Files
from shared.sending.outcome_lines import OUTCOME_COLUMNS

__all__ = ["gather_outcomes"]

_READERS = 8


def gather_outcomes(
    db: DuckDBPyConnection,
    plan: Plan,
    chunks: Sequence[Chunk],
    files: Files,
    scratch: Path,
    unsent: str,
) -> None:
    """Make the tables above. `unsent` is the code of people whose chunk was not sent. PlanGone."""
    for name, blob in (("changes", plan.changes), ("rows", plan.shared_and_rejected)):
        local = scratch / f"{name}.parquet"
        try:
            files.download(blob, local)
            read = f"CREATE OR REPLACE TABLE {name} AS SELECT * FROM read_parquet(?)"
            db.execute(read, [str(local)])
        except (NotFound, duckdb.InvalidInputException, duckdb.IOException):
            raise PlanGone from None
    lines = scratch / "outcomes.csv"
    _collect(chunks, files, lines)
    columns = ", ".join(f"'{name}': '{kind}'" for name, kind in OUTCOME_COLUMNS.items())
    db.execute(
        f"CREATE OR REPLACE TABLE told AS SELECT * FROM read_csv(?, header = false, "
        f"auto_detect = false, delim = ',', quote = '\"', escape = '\"', columns = {{{columns}}})",
        [str(lines)],
    )
    # The lines of the plan stand in exactly these orders (planning/chunking.py).
    db.execute(
        "CREATE OR REPLACE TABLE results AS WITH sends AS ("
        "SELECT address, row_number() OVER (ORDER BY kind, address) - 1 AS line FROM changes "
        "WHERE kind IN ('add', 'update')) "
        f"SELECT s.address, coalesce(t.outcome, '{Outcome.NOT_SENT}') AS outcome, "
        "coalesce(t.code, CASE WHEN t.outcome IS NULL THEN ? END) AS code, t.field, t.status, "
        "coalesce(t.asked, 0) AS asked FROM sends s LEFT JOIN told t ON t.line = s.line",
        [unsent],
    )
    # A run that was stopped waits for nobody's yes any more.
    waiting = [c for c in chunks if c.state is ChunkState.HELD and unsent == Code.CALL_FAILED]
    db.execute(
        "CREATE OR REPLACE TABLE waiting AS SELECT unnest(?::BIGINT[]) AS first, "
        "unnest(?::BIGINT[]) AS people",
        [[c.first for c in waiting], [c.people for c in waiting]],
    )
    db.execute(
        "CREATE OR REPLACE TABLE losses AS WITH lost AS ("
        "SELECT unnest(lost) AS tag_id, address FROM changes WHERE lost IS NOT NULL), "
        "numbered AS (SELECT tag_id, address, row_number() OVER (ORDER BY tag_id, address) - 1 "
        "+ (SELECT count(*) FROM changes WHERE kind IN ('add', 'update')) AS line FROM lost) "
        f"SELECT n.tag_id, n.address, coalesce(t.outcome = '{Outcome.REMOVED}', false) AS removed, "
        "CASE WHEN removed THEN NULL WHEN t.outcome IS NOT NULL THEN t.code "
        f"WHEN w.first IS NOT NULL THEN '{Code.AWAITING_CONFIRMATION}' ELSE ? END AS code "
        "FROM numbered n LEFT JOIN told t ON t.line = n.line "
        "LEFT JOIN waiting w ON n.line >= w.first AND n.line < w.first + w.people",
        [unsent],
    )


def _collect(chunks: Sequence[Chunk], files: Files, into: Path) -> None:
    """Write the outcomes of all chunks that are done into one local file."""

    def read(chunk: Chunk) -> bytes:
        try:
            return files.read(chunk.outcomes or "")
        except NotFound:
            # Someone deleted it: these people were sent, but what became of them is not known,
            # so they count as not sent and the next run sends them again.
            return b""

    done = [c for c in chunks if c.state is ChunkState.DONE and c.outcomes]
    with into.open("wb") as file, ThreadPoolExecutor(_READERS) as readers:
        for start in range(0, len(done), 256):
            for part in readers.map(read, done[start : start + 256]):
                file.write(part)
