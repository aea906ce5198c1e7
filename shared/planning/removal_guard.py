"""The removal guard: stop when a segment comes back empty or far smaller than before.

Removals are held for a confirmation when, of the people who carry a tag of the export, more than
the allowed share would lose it. Everything else is sent.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.workspace import SqlFile

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

__all__ = ["exceeds_removal_share"]

_SQL = SqlFile.of(__file__)


def exceeds_removal_share(db: DuckDBPyConnection, max_share: float) -> bool:
    """Whether any tag would lose more than `max_share` (0-1) of the people who carry it."""
    return any(losing > max_share * carrying for carrying, losing in _SQL.rows(db, "shares"))
