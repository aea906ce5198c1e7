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

    from shared.mailchimp.session import MailchimpSession


# Subscribers that a call reads.
_PAGE = 1_000
_SQL = SqlFile.of(__file__)


def new_people(db: DuckDBPyConnection) -> int:
    """Count the people that `changes` adds; some may be in the audience already."""
    return _SQL.number(db, "new_people")


def saves_calls(db: DuckDBPyConnection, subscribed: int) -> bool:
    """Whether reading `subscribed` people takes fewer calls than it can save."""
    saves = -(-new_people(db) // CHUNK_SIZE)
    return saves > 1 and 0 < subscribed <= saves * _PAGE


def find_already_subscribed(
    db: DuckDBPyConnection, session: MailchimpSession, audience_id: str
) -> None:
    """Turn additions in `changes` into updates for people who are subscribed already."""
    _SQL.run(db, "create")
    for page in session.members_with_status(audience_id, "subscribed"):
        _SQL.run(db, "add", addresses=[contact.address for contact in page])
    _SQL.run(db, "apply")


def calls_to_find_all(db: DuckDBPyConnection, subscribed: int) -> int:
    """The number of calls of `find_all_subscribed`."""
    return min(new_people(db), -(-subscribed // _PAGE))


def find_all_subscribed(
    db: DuckDBPyConnection, session: MailchimpSession, audience_id: str, subscribed: int
) -> None:
    """Turn additions in `changes` into updates for everyone who is subscribed already."""
    if calls_to_find_all(db, subscribed) < new_people(db):
        find_already_subscribed(db, session, audience_id)
        return
    _SQL.run(db, "create")
    for (address,) in _SQL.rows(db, "addresses"):
        if session.status_of(audience_id, address) == "subscribed":
            _SQL.run(db, "add", addresses=[address])
    _SQL.run(db, "apply")
