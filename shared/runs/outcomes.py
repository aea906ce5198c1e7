"""Read the outcomes of a run, row by row, for a download. They are personal data."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from shared.errors import NotFound
from shared.model.names import outcomes_table, plan_blob
from shared.model.plan import plan_from_json
from shared.model.ports import Files
from shared.workspace import SqlFile, small_workspace

__all__ = ["OutcomeReader", "OutcomeRow"]

_BATCH = 5_000
_SQL = SqlFile.of(__file__)


@dataclass(frozen=True)
class OutcomeRow:
    """The outcome of one profile, or of one unreadable row, named by file and line.

    `shared_with` marks a profile that shares its address with another one, whose outcome this
    is: the CustomerId of that other profile, empty when it has no id.
    """

    customer_id: str
    email: str
    segments: tuple[str, ...]
    outcome: str
    code: str
    field: str
    file: str = ""
    line: int = 0
    shared_with: str | None = None


@dataclass(frozen=True)
class OutcomeReader:
    """Reads the outcomes of runs."""

    files: Files

    def rows(self, run_id: str, only: str | None = None) -> Iterator[OutcomeRow]:
        """Yield the outcomes of a run, optionally of one kind. NotFound when they are not stored (yet)."""
        try:
            plan = plan_from_json(self.files.read(plan_blob(run_id)))
        except NotFound as missing:
            raise NotFound("noOutcomes") from missing
        names = [tag.segment for tag in plan.tags]
        with small_workspace() as (db, folder):
            local = folder / "outcomes.parquet"
            try:
                self.files.download(outcomes_table(run_id), local)
            except NotFound as missing:
                raise NotFound("noOutcomes") from missing
            found = _SQL.run(db, "rows", file=str(local), only=only)
            while batch := found.fetchmany(_BATCH):
                for customer_id, email, segments, outcome, code, field, file, line, shared in batch:
                    yield OutcomeRow(
                        customer_id or "",
                        email or "",
                        tuple(names[number] for number in segments or ()),
                        outcome,
                        code or "",
                        field or "",
                        file or "",
                        line or 0,
                        shared,
                    )
