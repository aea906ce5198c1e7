"""Fold the results of a run into the next version of the ledger and into the table of outcomes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from shared.model.chunk import ARCHIVE_TAG, FORMER_TAG, UNSUBSCRIBE_TAG
from shared.model.outcome import Code, Lasting
from shared.model.plan import Plan
from shared.planning.fingerprint import field_rules
from shared.planning.writing.fields_to_send import merge_tags
from shared.workspace import SqlFile

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


_SQL = SqlFile.of(__file__)


def keep_ledger(db: DuckDBPyConnection) -> bool:
    """Use `ledger` as `next` if the run changes nothing in it. Returns whether it does so."""
    if not _SQL.row(db, "changes_nothing")[0]:
        return False
    _SQL.run(db, "keep")
    return True


def is_kept(db: DuckDBPyConnection) -> bool:
    """Whether `next` is still the ledger that `keep_ledger` used."""
    return _next_is(db) == "ledger"


def make_next_writable(db: DuckDBPyConnection) -> None:
    """Make `next` a table that can be changed."""
    if _next_is(db) != "table":
        _SQL.run(db, "store_next")


def make_outcomes_writable(db: DuckDBPyConnection) -> None:
    """Make `outcomes` a table that can be changed."""
    if _outcomes_are(db) != "table":
        _SQL.run(db, "store_outcomes")


def values_of_next(db: DuckDBPyConnection) -> None:
    """Make `ledger_values` a view of `next`."""
    _SQL.run(db, "values_of_next")


def fold_ledger(db: DuckDBPyConnection, plan: Plan, file: Path) -> None:
    """Write the next ledger into a local Parquet file, and make `next` a view of it.

    It is made from `ledger`, `changes`, `results` and `removals`.
    """
    _SQL.run(db, "touched")
    _SQL.write(
        db,
        "next",
        file,
        until_row_changes=_codes(Lasting.UNTIL_ROW_CHANGES),
        a_few_runs=_codes(Lasting.A_FEW_RUNS),
        run=plan.run_id,
        merge_tags=merge_tags(plan.mapping),
        field_rules=field_rules(plan.mapping, plan.merge_fields),
        required=[field.tag for field in plan.merge_fields if field.required],
        archive_tag=ARCHIVE_TAG,
        unsubscribe_tag=UNSUBSCRIBE_TAG,
        former_tag=FORMER_TAG,
    )
    _SQL.run(db, "open_next", file=str(file))


def fold_outcomes(db: DuckDBPyConnection, file: Path) -> None:
    """Write the outcomes into a local Parquet file, and make `outcomes` a view of it.

    They are made from `changes`, `results`, `removals` and `other_rows`.
    """
    _SQL.write(db, "outcomes", file, unsubscribe_tag=UNSUBSCRIBE_TAG, former_tag=FORMER_TAG)
    _SQL.run(db, "open_outcomes", file=str(file))


def write_ledger(db: DuckDBPyConnection, file: Path) -> int:
    """Write `next` into the file of `fold_ledger`, unless it is a view of it. Returns the number of people."""
    if _next_is(db) != "file":
        _SQL.write(db, "write_next", file)
    return _SQL.number(db, "count")


def write_outcomes(db: DuckDBPyConnection, file: Path) -> None:
    """Write `outcomes` into the file of `fold_outcomes`, unless it is a view of it."""
    if _outcomes_are(db) != "file":
        _SQL.write(db, "write_outcomes", file)


def sent_anything(db: DuckDBPyConnection) -> bool:
    """Whether anything of this run has reached Mailchimp."""
    return _SQL.number(db, "sent_anything") > 0


def _next_is(db: DuckDBPyConnection) -> str:
    """What `next` is: "file", "ledger" or "table" (sql/fold.sql)."""
    return str(_SQL.row(db, "next_is")[0])


def _outcomes_are(db: DuckDBPyConnection) -> str:
    """What `outcomes` is: "file" or "table"."""
    return str(_SQL.row(db, "outcomes_are")[0])


def _codes(lasting: Lasting) -> list[str]:
    return [str(code) for code in Code if code.lasting is lasting]
