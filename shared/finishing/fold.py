"""Outcomes folded into the next version of the ledger, and into the table of outcomes.

Always from the ledger that the plan was made with, so that folding twice gives the same.
Tables made here:

    next       the ledger after this run (ledger.py says what the columns are)
    outcomes   customer_id, email, segs, outcome, code, field, file, line: one row a profile
"""

from __future__ import annotations

from duckdb import DuckDBPyConnection

from shared.model.ledger import LEDGER_COLUMNS
from shared.model.outcome import CODES, Code, Lasting, Outcome

__all__ = ["fold_ledger", "fold_outcomes"]


def _codes(lasting: Lasting) -> str:
    return ", ".join(f"'{code}'" for code, how in CODES.items() if how is lasting)


# Refusals that say that the audience does not hold this person, so that nobody has our tags.
_ABSENT = f"'{Code.FORGOTTEN}', '{Code.NOT_IN_AUDIENCE}'"
_FOR_GOOD = _codes(Lasting.UNTIL_ROW_CHANGES)
_PASSING = _codes(Lasting.A_FEW_RUNS)


def fold_ledger(db: DuckDBPyConnection, run_id: str) -> None:
    """Make `next` from `ledger`, `changes`, `results` and `losses`."""
    sent = f"r.outcome IN ('{Outcome.CREATED}', '{Outcome.UPDATED}')"
    for_good = f"r.outcome = '{Outcome.REJECTED}' AND r.code IN ({_FOR_GOOD})"
    absent = f"r.outcome = '{Outcome.REJECTED}' AND r.code IN ({_ABSENT})"
    passing = f"r.outcome = '{Outcome.REJECTED}' AND r.code IN ({_PASSING})"
    db.execute("SET VARIABLE run = ?", [run_id])
    db.execute(f"CREATE OR REPLACE TABLE next ({LEDGER_COLUMNS})")
    db.execute(
        "INSERT INTO next BY NAME WITH gone AS ("
        "SELECT address, list(tag_id) AS ids FROM losses WHERE removed GROUP BY address) "
        "SELECT coalesce(c.address, l.address) AS address, "
        f"CASE WHEN {sent} THEN c.customer_id ELSE coalesce(l.customer_id, c.customer_id) END "
        "AS customer_id, "
        f"CASE WHEN {sent} THEN c.fingerprint WHEN {absent} THEN NULL "
        "ELSE l.fingerprint END AS fingerprint, "
        f"CASE WHEN {sent} THEN c.fields WHEN {absent} THEN NULL ELSE l.fields END AS fields, "
        f"list_sort(list_filter(CASE WHEN {sent} THEN "
        "list_distinct(list_concat(coalesce(l.tags, []), c.tags)) "
        f"WHEN {absent} THEN [] ELSE coalesce(l.tags, []) END, "
        "lambda t: NOT list_contains(coalesce(g.ids, []), t))) AS tags, "
        f"CASE WHEN {sent} THEN NULL WHEN {for_good} OR {passing} THEN c.fingerprint "
        "ELSE l.refused END AS refused, "
        f"CASE WHEN {sent} THEN NULL WHEN {for_good} OR {passing} THEN r.code "
        "ELSE l.refused_code END AS refused_code, "
        f"CASE WHEN {sent} OR {for_good} THEN 0 WHEN {passing} THEN "
        "CASE WHEN l.refused = c.fingerprint THEN coalesce(l.tries, 0) ELSE 0 END + 1 "
        "ELSE coalesce(l.tries, 0) END AS tries, "
        f"CASE WHEN {sent} OR {for_good} OR {passing} OR g.ids IS NOT NULL "
        "THEN getvariable('run') ELSE l.run_id END AS run_id "
        "FROM ledger l FULL JOIN changes c ON c.address = l.address "
        "LEFT JOIN results r ON r.address = c.address "
        "LEFT JOIN gone g ON g.address = coalesce(c.address, l.address) "
        f"WHERE l.address IS NOT NULL OR {sent} OR {for_good} OR {passing}"
    )


def fold_outcomes(db: DuckDBPyConnection) -> None:
    """Make `outcomes` from `changes`, `results`, `losses` and `rows`."""
    db.execute(
        "CREATE OR REPLACE TABLE outcomes AS WITH people AS ("
        "SELECT c.address, c.customer_id, c.segs, c.kind, "
        "CASE c.kind WHEN 'unchanged' THEN 'unchanged' WHEN 'kept' THEN 'kept' "
        f"WHEN 'rejected' THEN 'rejected' WHEN 'later' THEN '{Outcome.NOT_SENT}' WHEN 'left' THEN "
        "CASE WHEN g.removed THEN 'removed' ELSE 'notSent' END "
        "ELSE r.outcome END AS outcome, "
        "CASE WHEN c.kind IN ('kept', 'rejected') THEN c.code "
        f"WHEN c.kind = 'later' THEN '{Code.NOT_RETRIED}' "
        "WHEN c.kind = 'left' AND NOT g.removed THEN g.code "
        "ELSE r.code END AS code, r.field FROM changes c "
        "LEFT JOIN results r ON r.address = c.address "
        "LEFT JOIN (SELECT address, bool_or(removed) AS removed, min(code) AS code FROM losses "
        "GROUP BY address) g "
        "ON g.address = c.address) "
        "SELECT customer_id, address AS email, segs::BIGINT[] AS segs, outcome, code, field, "
        "NULL::VARCHAR AS file, NULL::BIGINT AS line FROM people "
        "UNION ALL SELECT w.customer_id, w.email, w.segs, p.outcome, "
        f"'{Code.SHARED_ADDRESS}', NULL, NULL, NULL FROM rows w "
        "JOIN people p ON p.address = w.email WHERE w.what = 'shared' "
        "UNION ALL SELECT customer_id, email, segs, "
        f"CASE WHEN code = '{Code.ERASED}' THEN 'kept' ELSE 'rejected' END, code, NULL, file, line "
        "FROM rows WHERE what = 'rejected'"
    )
