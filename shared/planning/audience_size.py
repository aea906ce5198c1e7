"""Predict how many billed contacts the audience has after a run.

Mailchimp's counts by status are exact and current, unlike the `stats` of an audience. People who are
new to the export may be in the audience already. Who is subscribed is read when the prediction must be
exact, and for a preview if that takes few calls; otherwise the prediction is an upper bound. Mailchimp's
refusals cannot be predicted.
https://mailchimp.com/developer/marketing/api/list-members/list-members-info/
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from shared.model.audience import BILLED
from shared.model.chunk import FORMER_TAG
from shared.model.run import AudienceSize, Finding, Severity
from shared.planning.already_subscribed import (
    PAGE,
    add_subscribed,
    apply_already_subscribed,
    find_already_subscribed,
    start_already_subscribed,
)
from shared.workspace import SqlFile

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from shared.mailchimp.session import MailchimpSession
    from shared.planning.audience_client import AudienceClient


# More calls would keep a preview waiting for minutes.
_MOST_CALLS_OF_PREVIEW = 100

_SQL = SqlFile.of(__file__)


def predict_size(
    db: DuckDBPyConnection,
    audience: AudienceClient,
    contacts: Mapping[str, int],
    *,
    is_preview: bool,
) -> tuple[AudienceSize | None, list[Finding]]:
    """Return the size that `changes` leads to, and a finding if a preview cannot know it exactly.

    None for a run that adds no one. `contacts` counts the contacts of the audience by status. People of `changes`
    who are subscribed already become updates if they are read.
    """
    subscribed = contacts.get("subscribed", 0)
    complete = audience.find_already_subscribed(db, subscribed)
    if not _new_people(db) and not is_preview:
        return None, []
    budget = audience.contact_budget()
    size = _size(db, contacts, budget, complete=complete)
    if size.exact:
        return size, []
    few = _calls_to_be_exact(db, subscribed) <= _MOST_CALLS_OF_PREVIEW
    if size.is_over_budget or (is_preview and few):
        audience.find_all_subscribed(db, subscribed)
        return _size(db, contacts, budget, complete=True), []
    if not is_preview or complete:
        return size, []
    values = {"people": str(size.added)}
    return size, [Finding(Severity.INFO, "newMayBeThere", values=values)]


def _new_people(db: DuckDBPyConnection) -> int:
    """Count the people that `changes` adds; some may be in the audience already."""
    return int(_SQL.row(db, "planned", former_tag=FORMER_TAG)[0])


def _size(
    db: DuckDBPyConnection, contacts: Mapping[str, int], budget: int | None, *, complete: bool
) -> AudienceSize:
    """Return the size by `changes`. `complete`: all people of `changes` who are subscribed already are known."""
    added, archived = _SQL.row(db, "planned", former_tag=FORMER_TAG)
    return AudienceSize(
        before=sum(contacts.get(status, 0) for status in BILLED),
        added=added,
        archived=archived,
        budget=budget,
        exact=not archived and (complete or not contacts.get("subscribed") or not added),
    )


def _calls_to_be_exact(db: DuckDBPyConnection, subscribed: int) -> int:
    """The number of calls of `find_all_subscribed`."""
    return int(min(_new_people(db), -(-subscribed // PAGE)))


def find_all_subscribed(
    db: DuckDBPyConnection, session: MailchimpSession, audience_id: str, subscribed: int
) -> None:
    """Turn additions in `changes` into updates for everyone who is subscribed already."""
    if _calls_to_be_exact(db, subscribed) < _new_people(db):
        find_already_subscribed(db, session, audience_id)
        return
    start_already_subscribed(db)
    for (address,) in _SQL.rows(db, "addresses"):
        if session.status_of(audience_id, address) == "subscribed":
            add_subscribed(db, [address])
    apply_already_subscribed(db)
