"""Load a ledger into the table `ledger`, and forget tags that were deleted in Mailchimp."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from shared.workspace import SqlFile

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

__all__ = ["deleted_tags", "forget_tags", "load_ledger"]

_SQL = SqlFile.of(__file__)


def load_ledger(db: DuckDBPyConnection, file: Path | None) -> None:
    """Fill `ledger` from a local Parquet file; without one, leave it empty."""
    columns = [name for (name,) in _SQL.rows(db, "create")]
    if file is not None:
        _SQL.run(db, "load", columns=columns, file=str(file))


def deleted_tags(db: DuckDBPyConnection, existing: Collection[int]) -> tuple[int, ...]:
    """Return the tags of `ledger` that were deleted from the audience."""
    return tuple(tag for (tag,) in _SQL.rows(db, "tags") if tag not in existing)


def forget_tags(db: DuckDBPyConnection, deleted: Sequence[int]) -> None:
    """Remove deleted tags from all rows of `ledger`."""
    if deleted:
        _SQL.run(db, "forget_tags", tags=list(deleted))
