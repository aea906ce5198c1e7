"""Erased people are left out of a plan, and out of what a run that was going writes down.

A row of theirs keeps its outcome (`kept`, code `erased`), so that every source row has one, but no
address and no profile: whoever was erased is not written down again.
"""

from __future__ import annotations

from duckdb import DuckDBPyConnection

from shared.model.outcome import Code
from shared.people.erasures import MarkErased, normal

__all__ = ["suppress_erased", "suppress_erased_in_results"]


def suppress_erased(db: DuckDBPyConnection, whom: MarkErased | None) -> int:
    """Take erased people out of `people`, `shared` and `ledger`; how many of the run they were.

    Their rows go to `rejects` with the code `erased`, once a person, under their first segment.
    """
    if whom is None:
        return 0
    whom(
        db,
        "(SELECT address FROM people UNION ALL SELECT address FROM ledger "
        f"UNION ALL SELECT {normal('email')} FROM rejects)",
        "address",
    )
    for table in ("people", "shared"):
        db.execute(
            f"INSERT INTO rejects (seg, code) SELECT "
            "list_min(list_filter(range(128), lambda i: (mask >> i::INTEGER) & 1 = 1)), "
            f"'{Code.ERASED}' FROM {table} WHERE address IN (SELECT address FROM gone)"
        )
    for table in ("people", "shared", "ledger"):
        db.execute(f"DELETE FROM {table} WHERE address IN (SELECT address FROM gone)")
    db.execute(
        "UPDATE rejects SET email = NULL, customer_id = NULL "
        f"WHERE {normal('email')} IN (SELECT address FROM gone)"
    )
    row = db.execute(f"SELECT count(*) FROM rejects WHERE code = '{Code.ERASED}'").fetchone()
    return int(row[0]) if row else 0


def suppress_erased_in_results(db: DuckDBPyConnection, whom: MarkErased | None) -> None:
    """Take people who were erased while their run went on out of `next` and `outcomes`."""
    if whom is None:
        return
    whom(db, "(SELECT address FROM next UNION ALL SELECT email FROM outcomes)", "address")
    db.execute("DELETE FROM next WHERE address IN (SELECT address FROM gone)")
    db.execute(
        "UPDATE outcomes SET email = NULL, customer_id = NULL "
        "WHERE email IN (SELECT address FROM gone)"
    )
