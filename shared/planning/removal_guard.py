"""The removal guard: stop when a segment comes back empty or far smaller than before.

Removals wait for a confirmation when more than the allowed share of the people with a tag of the
export would lose it. Everything else is sent.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.workspace import SqlFile

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


_SQL = SqlFile.of(__file__)


def exceeds_removal_share(db: DuckDBPyConnection, max_share: float) -> bool:
    """Whether any tag would be removed from more than `max_share` (0-1) of the people who have it."""
    return any(leavers > max_share * members for members, leavers in _SQL.rows(db, "shares"))
