"""The outcomes of a run, row by row, for a download. They are personal data: they go nowhere else."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from shared.errors import NotFound
from shared.model.names import outcomes_table, plan_blob
from shared.model.plan import plan_from_json
from shared.model.ports import Files
from shared.workspace import workspace

__all__ = ["OutcomeReader", "OutcomeRow"]

_BATCH = 5_000


@dataclass(frozen=True)
class OutcomeRow:
    """One profile (or one unreadable row, named by file and line) and what became of it."""

    customer_id: str
    email: str
    segments: tuple[str, ...]
    outcome: str
    code: str
    field: str
    file: str = ""
    line: int = 0


@dataclass(frozen=True)
class OutcomeReader:
    """Reads outcomes."""

    files: Files

    def rows(self, run_id: str, only: str | None = None) -> Iterator[OutcomeRow]:
        """Outcomes of a run, optionally of one kind. NotFound while (or if) there are none."""
        try:
            plan = plan_from_json(self.files.read(plan_blob(run_id)))
        except NotFound as missing:
            raise NotFound("noOutcomes") from missing
        names = [tag.segment for tag in plan.tags]
        with workspace() as (db, folder):
            local = folder / "outcomes.parquet"
            try:
                self.files.download(outcomes_table(run_id), local)
            except NotFound as missing:
                raise NotFound("noOutcomes") from missing
            found = db.execute(
                "SELECT customer_id, email, segs, outcome, code, field, file, line "
                "FROM read_parquet($1) WHERE $2 IS NULL OR outcome = $2 "
                "ORDER BY file NULLS FIRST, line, email, customer_id",
                [str(local), only],
            )
            while batch := found.fetchmany(_BATCH):
                for customer_id, email, segs, outcome, code, field, file, line in batch:
                    yield OutcomeRow(
                        customer_id or "",
                        email or "",
                        tuple(names[seg] for seg in segs or ()),
                        outcome,
                        code or "",
                        field or "",
                        file or "",
                        line or 0,
                    )
