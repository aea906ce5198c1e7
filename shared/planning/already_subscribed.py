"""Which of the people who are not in the ledger does the audience hold as subscribers already?

Nothing goes wrong without knowing: they would be refused as new people (`contactExists`) and
written in a second call (sending/write.py). Reading 1,000 subscribers a call is only worth it while it
takes fewer calls than it can save; and it is needed where people without consent are among them,
because only those who are there already may be updated.
"""

from __future__ import annotations

from duckdb import DuckDBPyConnection

from shared.model.chunk import CHUNK_SIZE
from shared.model.outcome import Code
from shared.model.ports import MailchimpSession

__all__ = ["find_already_subscribed", "is_worth_asking"]

_PAGE = 1_000


def is_worth_asking(db: DuckDBPyConnection) -> bool:
    """Whether anybody of `changes` needs it, or more than one call could be saved."""
    new, doubtful = _unknown(db)
    return doubtful > 0 or new > CHUNK_SIZE


def find_already_subscribed(
    db: DuckDBPyConnection, session: MailchimpSession, audience_id: str
) -> None:
    """Turn people of `changes` who are subscribed already from additions into updates."""
    new, doubtful = _unknown(db)
    subscribed = session.count(audience_id, "subscribed")
    saves = -(-new // CHUNK_SIZE)
    if not subscribed or (not doubtful and subscribed > saves * _PAGE):
        return
    db.execute("CREATE OR REPLACE TABLE present (address VARCHAR)")
    for page in session.held(audience_id, "subscribed"):
        if page:
            db.execute(
                "INSERT INTO present SELECT unnest(?::VARCHAR[])", [[one.address for one in page]]
            )
    db.execute(
        "UPDATE changes SET kind = 'update', code = NULL WHERE "
        f"(kind = 'add' OR (kind = 'kept' AND code = '{Code.NO_CONSENT}')) "
        "AND address IN (SELECT address FROM present)"
    )


def _unknown(db: DuckDBPyConnection) -> tuple[int, int]:
    row = db.execute(
        "SELECT count(*) FILTER (kind = 'add'), "
        f"count(*) FILTER (kind = 'kept' AND code = '{Code.NO_CONSENT}') FROM changes"
    ).fetchone()
    return (int(row[0]), int(row[1])) if row else (0, 0)
