"""Read the outcomes of a run: all rows for a download, or some for a page. They are personal data."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from shared.errors import NotFound
from shared.fields.evidence import plain_tags
from shared.model.names import outcomes_table
from shared.model.ports import Files, exists
from shared.model.preview import SAMPLES_JSON, SamplePerson
from shared.runs.plan_store import read_plan
from shared.workspace import SqlFile, small_workspace

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


_BATCH = 5_000
_SQL = SqlFile.of(__file__)


@dataclass(frozen=True)
class OutcomeRow:
    """The outcome of one profile, or of one unreadable row, named by file and line.

    `shared_with` marks a profile that shares its address with another one, whose outcome this
    is: the CustomerId of that other profile, empty when it has no id. `answer` is what Mailchimp
    answered about a refused person, without personal data.
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
    answer: str = ""


@dataclass(frozen=True)
class OutcomeReason:
    """One reason of an outcome: its code, its number of rows, and a few of them."""

    code: str
    count: int
    samples: tuple[OutcomeRow, ...] = ()


@dataclass(frozen=True)
class OutcomePage:
    """Some rows, and how many there are on all pages."""

    rows: tuple[OutcomeRow, ...]
    total: int


@dataclass(frozen=True)
class OutcomeReader:
    """Reads the outcomes of runs."""

    files: Files

    def samples(self, run_id: str) -> list[SamplePerson]:
        """Return the sample people of a preview. NotFound when they are not stored (any more)."""
        try:
            plan = read_plan(self.files, run_id)
            return SAMPLES_JSON.validate_json(self.files.read(plan.samples))
        except (NotFound, ValueError):
            raise NotFound("previewGone") from None

    def exist(self, run_id: str) -> bool:
        """Whether the outcomes of a run are stored."""
        return exists(self.files, outcomes_table(run_id))

    def rows(self, run_id: str, only: str | None = None) -> Iterator[OutcomeRow]:
        """Yield the outcomes of a run, optionally of one kind. NotFound when they are not stored (yet)."""
        with self._opened(run_id) as (db, names):
            found = _SQL.run(db, "rows", only=only)
            while batch := found.fetchmany(_BATCH):
                for row in batch:
                    yield _row(row, names)

    def reasons(self, run_id: str, outcome: str, samples: int) -> list[OutcomeReason]:
        """The reasons of an outcome, the most frequent first. NotFound when nothing is stored."""
        with self._opened(run_id) as (db, names):
            return _reasons(db, names, outcome, samples)

    def totals_and_reasons(
        self, run_id: str, outcome: str, samples: int
    ) -> tuple[list[tuple[str, str, str, int]], list[OutcomeReason]]:
        """What `totals` and `reasons` return, with one download."""
        with self._opened(run_id) as (db, names):
            return _totals(db), _reasons(db, names, outcome, samples)

    def page(
        self, run_id: str, outcome: str, code: str, wanted: str, skip: int, top: int
    ) -> OutcomePage:
        """Some rows of an outcome. NotFound when nothing is stored.

        `code` selects a reason and "" means all. `wanted` is part of an address, a CustomerId or
        the name of a file.
        """
        with self._opened(run_id) as (db, names):
            rows = _SQL.rows(
                db,
                "matches",
                only=outcome,
                code=code,
                wanted=wanted,
                skip=skip,
                top=top,
            )
        # The number of all rows is in each row. An offset past the end leaves one without columns.
        found = tuple(_row(columns, names) for _, is_row, *columns in rows if is_row)
        return OutcomePage(found, rows[0][0])

    def totals(self, run_id: str) -> list[tuple[str, str, str, int]]:
        """Count the rows by outcome, code and field. NotFound when the outcomes are not stored."""
        with self._opened(run_id) as (db, _):
            return _totals(db)

    @contextmanager
    def _opened(self, run_id: str) -> Iterator[tuple[DuckDBPyConnection, list[str]]]:
        """A small database with the view `outcome_rows`, and the names of the run's segments."""
        try:
            plan = read_plan(self.files, run_id)
        except NotFound as missing:
            raise NotFound("noOutcomes") from missing
        with small_workspace() as (db, folder):
            local = folder / "outcomes.parquet"
            try:
                self.files.download(outcomes_table(run_id), local)
            except NotFound as missing:
                raise NotFound("noOutcomes") from missing
            _SQL.run(db, "open", file=str(local))
            yield db, [tag.segment for tag in plan.tags]


def _totals(db: DuckDBPyConnection) -> list[tuple[str, str, str, int]]:
    return [
        (outcome, code or "", plain_tags(field or ""), count)
        for outcome, code, field, count in _SQL.rows(db, "totals")
    ]


def _reasons(
    db: DuckDBPyConnection, names: Sequence[str], outcome: str, samples: int
) -> list[OutcomeReason]:
    found: dict[str, OutcomeReason] = {}
    for number, *columns in _SQL.rows(db, "reasons", only=outcome, samples=samples):
        row = _row(columns, names)
        reason = found.get(row.code, OutcomeReason(row.code, number))
        found[row.code] = replace(reason, samples=(*reason.samples, row))
    return list(found.values())


def _row(columns: Sequence[Any], names: Sequence[str]) -> OutcomeRow:
    customer_id, email, segments, outcome, code, field, file, line, shared, answer = columns
    return OutcomeRow(
        customer_id or "",
        email or "",
        tuple(names[number] for number in segments or ()),
        outcome,
        code or "",
        plain_tags(field or ""),
        file or "",
        line or 0,
        shared,
        answer or "",
    )
