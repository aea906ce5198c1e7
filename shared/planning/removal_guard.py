"""The removal guard: a segment that comes back empty or far smaller than before is asked about.

Taking tags away is stopped when, of the people who carry a tag of the export, more than the
allowed share would lose it. Everything else is sent.
"""

from __future__ import annotations

from duckdb import DuckDBPyConnection

__all__ = ["stopped_by_guard"]


def stopped_by_guard(db: DuckDBPyConnection, max_share: float) -> bool:
    """Whether any tag would lose more than `max_share` (0-1) of the people who carry it."""
    rows = db.execute(
        "WITH carried AS (SELECT unnest(tags) AS tag_id FROM ledger), "
        "lost AS (SELECT unnest(lost) AS tag_id FROM changes WHERE lost IS NOT NULL) "
        "SELECT c.n, l.n FROM (SELECT tag_id, count(*) AS n FROM carried GROUP BY tag_id) c "
        "JOIN (SELECT tag_id, count(*) AS n FROM lost GROUP BY tag_id) l USING (tag_id)"
    ).fetchall()
    return any(losing > max_share * carrying for carrying, losing in rows)
