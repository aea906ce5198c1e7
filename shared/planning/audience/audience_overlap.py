"""Compare contacts of the audience with the people of a run: the members of a tag, or a sample of subscribers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.workspace import SqlFile

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from shared.mailchimp.session import MailchimpSession
    from shared.model.audience import Tag


FEW_PEOPLE = 100
"""The number of people up to which a comparison shows nothing, and no guard stops a run."""

SMALL_OVERLAP = 0.01
"""The share of people in common below which the audience is probably not the one of the segments."""

# One page of subscribers, and calls for single people only when few of the page are in the segments.
_SAMPLED_PEOPLE = 50
_SQL = SqlFile.of(__file__)


def has_foreign_members(
    db: DuckDBPyConnection,
    session: MailchimpSession,
    audience_id: str,
    tag: Tag,
    segment: int,
    former_tag_id: int,
) -> bool:
    """Whether a tag has members who are not in its segment and were not sent the tag under its former id."""
    return any(
        _SQL.number(
            db,
            "foreign_members",
            addresses=[contact.address for contact in page],
            segment=segment,
            former_tag_id=former_tag_id,
        )
        for page in session.members_with_tag(audience_id, tag.id)
    )


def compare_samples(
    db: DuckDBPyConnection, session: MailchimpSession, audience_id: str
) -> tuple[int, int]:
    """Compare a sample of the audience's contacts with `people`, and a sample of `people` with it.

    Returns the number of compared contacts and how many of them both sides have: of the page, or of
    both samples if few of the page are in `people`. A small segment of a large audience matches in the
    second sample, a small audience of a large segment in the first.
    """
    page = next(iter(session.members_with_status(audience_id, "subscribed")), [])
    known = _SQL.number(db, "known", addresses=[contact.address for contact in page])
    if len(page) <= FEW_PEOPLE or known >= SMALL_OVERLAP * len(page):
        return len(page), known
    # People that the audience has with another status are in `not_subscribed`.
    others, people = _SQL.row(db, "known_not_subscribed")
    if others >= SMALL_OVERLAP * people:
        return people, others
    sample = [address for (address,) in _SQL.rows(db, "sample", people=_SAMPLED_PEOPLE)]
    found = sum(session.status_of(audience_id, address) is not None for address in sample)
    return (len(sample), found) if found else (len(page) + len(sample), known)
