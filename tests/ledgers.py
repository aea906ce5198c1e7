"""The columns of the ledger, as tests write one into a file."""

from __future__ import annotations

import duckdb

from shared.planning.reading.ledger import load_ledger

__all__ = ["LEDGER_COLUMNS"]


def _columns() -> dict[str, str]:
    with duckdb.connect() as db:
        load_ledger(db, None)
        return {row[0]: row[1] for row in db.execute("DESCRIBE ledger").fetchall()}


LEDGER_COLUMNS = _columns()
