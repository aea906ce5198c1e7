"""Find new people who are already subscribers of the audience.

This is an optimization. Without it, Mailchimp refuses these people as new (`contactExists`) and they
are written in a second call (sending/write.py). Reading 1,000 subscribers a call is done only when
it takes fewer calls than it can save.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.model.chunk import CHUNK_SIZE
from shared.workspace import SqlFile

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from shared.model.ports import MailchimpSession

__all__ = ["find_already_subscribed", "may_save_calls"]

_PAGE = 1_000
_SQL = SqlFile.of(__file__)


def may_save_calls(db: DuckDBPyConnection) -> bool:
    """Whether finding these people could save more than one call."""
    return _SQL.number(db, "new_people") > CHUNK_SIZE


def find_already_subscribed(
    db: DuckDBPyConnection, session: MailchimpSession, audience_id: str
) -> None:
    """Turn additions in `changes` into updates for people who are subscribed already."""
    subscribed = session.count(audience_id, "subscribed")
    saves = -(-_SQL.number(db, "new_people") // CHUNK_SIZE)
    if not subscribed or subscribed > saves * _PAGE:
        return
    _SQL.run(db, "create")
    for page in session.members_with_status(audience_id, "subscribed"):
        _SQL.run(db, "add", addresses=[contact.address for contact in page])
    _SQL.run(db, "apply")
