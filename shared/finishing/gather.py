"""Load the plan's files and the outcomes of all chunks into tables."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb

from shared.errors import NotFound
from shared.model.chunk import Chunk, ChunkState
from shared.model.outcome import TAG_ABSENT, Code
from shared.model.plan import Plan, PlanGone
from shared.model.ports import Files
from shared.sending.outcome_lines import outcome_ranges, read_outcome_lines
from shared.workspace import SqlFile

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


_READERS = 8
_SQL = SqlFile.of(__file__)


def gather_outcomes(
    db: DuckDBPyConnection,
    plan: Plan,
    chunks: Sequence[Chunk],
    files: Files,
    scratch: Path,
    unsent: str,
) -> None:
    """Fill `changes`, `other_rows`, `results` and `removals` from the stored outcomes of the chunks.

    `unsent` is the code of people whose chunk was not sent. PlanGone when a file of the plan is
    missing or damaged.
    """
    outcomes = scratch / "outcomes.csv"
    _collect(chunks, files, outcomes)
    open_changes(db, plan, files, scratch)
    fill_results(db, chunks, outcomes, unsent)


def open_changes(db: DuckDBPyConnection, plan: Plan, files: Files, scratch: Path) -> None:
    """Download the files of the plan to `scratch`, and create the views `changes` and `other_rows` on them.

    PlanGone as in `gather_outcomes`.
    """
    local = {name: scratch / f"{name}.parquet" for name in ("changes", "rows")}
    try:
        files.download(plan.changes, local["changes"])
        files.download(plan.shared_and_rejected, local["rows"])
        _SQL.run(db, "load", **{name: str(path) for name, path in local.items()})
    except (NotFound, duckdb.InvalidInputException, duckdb.IOException):
        raise PlanGone from None


def fill_results(
    db: DuckDBPyConnection, chunks: Sequence[Chunk], outcomes: Path, unsent: str
) -> None:
    """Fill `results` and `removals` from a local file that `outcome_ranges` formatted, and delete it.

    `unsent` is the code of people whose chunk was not sent. Needs the views of `open_changes`.
    """
    # A stopped run no longer waits for a confirmation.
    unconfirmed = [
        c for c in chunks if c.state is ChunkState.UNCONFIRMED and unsent == Code.CALL_FAILED
    ]
    _SQL.run(
        db,
        "results",
        outcomes=str(outcomes),
        unsent=str(unsent),
        unconfirmed_first=[chunk.first for chunk in unconfirmed],
        unconfirmed_people=[chunk.people for chunk in unconfirmed],
        tag_absent=TAG_ABSENT,
    )
    outcomes.unlink()


def _collect(chunks: Sequence[Chunk], files: Files, into: Path) -> None:
    """Write all stored outcomes into one local file."""

    def read(chunk: Chunk) -> str:
        if chunk.results:
            return chunk.results
        try:
            return outcome_ranges(read_outcome_lines(files.read(chunk.outcomes or "")))
        except NotFound:
            # Someone deleted it: these people were sent, but their results are unknown, so they count as
            # not sent and the next run sends them again.
            return ""

    # A chunk that was interrupted when the run was stopped has outcomes, too.
    with_outcomes = [c for c in chunks if c.outcomes or c.results]
    with (
        into.open("w", encoding="utf-8", newline="") as file,
        ThreadPoolExecutor(_READERS) as readers,
    ):
        for start in range(0, len(with_outcomes), 256):
            for part in readers.map(read, with_outcomes[start : start + 256]):
                file.write(part)
