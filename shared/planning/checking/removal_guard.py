"""The removal guard: changes that concern unusually many people wait for a confirmation. All others are sent.

It holds changes back when a segment comes back empty or far smaller than before. For removals of a tag, the share is that
of the people with the tag; for unsubscribing and archiving, that of the subscribers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from shared.model.chunk import FORMER_TAG, UNSUBSCRIBE_TAG
from shared.workspace import SqlFile

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


_SQL = SqlFile.of(__file__)


@dataclass(frozen=True)
class Unconfirmed:
    """What waits for a confirmation: tag removals, unsubscribing, archiving of former addresses.

    Removals because of withdrawn consent never wait. While removals wait, archiving waits as well: Mailchimp removes
    no tag from an archived contact, and a person may decide to leave the tags.
    """

    removals: bool = False
    unsubscribes: bool = False
    archiving: bool = False


ALL_CONFIRMED = Unconfirmed()


def find_unconfirmed(db: DuckDBPyConnection, max_share: float) -> Unconfirmed:
    """Return which kinds of changes wait, with `max_share` (0-1) of the people with the tag, or of the subscribers."""
    unsubscribing, archiving = _SQL.row(
        db, "contacts", unsubscribe_tag=UNSUBSCRIBE_TAG, former_tag=FORMER_TAG
    )
    most = max_share * _SQL.number(db, "subscribers") if unsubscribing or archiving else 0.0
    removals = _exceeds_removal_share(db, max_share)
    return Unconfirmed(
        removals=removals,
        unsubscribes=unsubscribing > most,
        archiving=archiving > most or (archiving > 0 and removals),
    )


def _exceeds_removal_share(db: DuckDBPyConnection, max_share: float) -> bool:
    """Whether any tag would be removed from more than `max_share` (0-1) of the people who have it."""
    return any(leavers > max_share * members for members, leavers in _SQL.rows(db, "shares"))
