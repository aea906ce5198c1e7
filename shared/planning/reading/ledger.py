"""Load a ledger from storage into the table `ledger`, and forget tags that were deleted in Mailchimp."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from shared.model.plan import Plan
from shared.model.ports import Files, download_if_exists
from shared.workspace import SqlFile

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


_SQL = SqlFile.of(__file__)


VALUES = frozenset({"fields", "merge_tags"})
"""The columns of a ledger with the values that were sent last."""


def download_ledger(files: Files, plan: Plan, scratch: Path) -> Path | None:
    """Download the ledger that a plan was made with. None if there was none, or someone deleted it since.

    Without it, the next ledger has only the people of this run, and the next run sends the others.
    """
    local = scratch / "ledger.parquet"
    if plan.ledger is None:
        return None
    return local if download_if_exists(files, plan.ledger, local) else None


def load_ledger(
    db: DuckDBPyConnection, file: Path | None, *, without: Collection[str] = ()
) -> None:
    """Fill `ledger` from a local Parquet file; without one, leave it empty.

    The columns in `without` stay NULL, to save memory. If these are VALUES, `ledger_values` reads them from
    the file, which must stay as it is.
    """
    columns = [name for name, *_ in _SQL.run(db, "create").description or ()]
    if file is None:
        return
    if VALUES.issubset(without):
        open_values(db, file)
    _SQL.run(db, "load", columns=[c for c in columns if c not in without], file=str(file))


def open_values(db: DuckDBPyConnection, file: Path) -> None:
    """Make `ledger_values` a view of a ledger in a local Parquet file."""
    _SQL.run(db, "values_in_file", file=str(file))


def open_ledger(db: DuckDBPyConnection, file: Path | None, deleted_tags: Sequence[int]) -> None:
    """Make `ledger` a view of a local Parquet file, without deleted tags. Without a file, it is empty."""
    _SQL.run(db, "create")
    if file is not None:
        _SQL.run(db, "open", file=str(file), deleted_tags=list(deleted_tags))


def tags_in_ledger(db: DuckDBPyConnection) -> tuple[int, ...]:
    """Return the ids of all tags in `ledger`, including those that were deleted from the audience."""
    return tuple(tag for (tag,) in _SQL.rows(db, "tags"))


def forget_tags(db: DuckDBPyConnection, deleted: Sequence[int]) -> None:
    """Remove deleted tags from all rows of `ledger`."""
    if deleted:
        _SQL.run(db, "forget_tags", tags=list(deleted))
