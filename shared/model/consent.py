"""Stored state of the way back: what Mailchimp decided about contacts, and what Customer Insights was given of it.

Keys are `<account>/<audience>`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from shared.model.run import Reason

__all__ = [
    "ALL_STATUSES",
    "ConsentState",
    "ConsentSweep",
    "ConsentWebhook",
    "PublishedConsent",
    "audience_key",
    "statuses_folder",
]

ALL_STATUSES = "consent/"


@dataclass(frozen=True)
class ConsentSweep:
    """How far the statuses of an audience were read (consent_updates/sweep.py).

    `since` and `archived_since` are where the next sweep begins (ISO 8601; empty: at the beginning). `complete` is
    false while a sweep waits to be continued. `changes` counts the changes of status that were seen.

    `stored` and `stored_archived` are the numbers of contacts in the blob, `surplus` how many more they were than those of
    Mailchimp. While all contacts are read again, `rereading` is true, and rows with another `generation` were not found yet.

    `problem` is why the last sweep failed, if it did.
    """

    blob: str = ""
    since: str = ""
    archived_since: str = ""
    swept_at: datetime | None = None
    complete: bool = False
    changes: int = 0
    stored: int = 0
    stored_archived: int = 0
    surplus: int = 0
    generation: int = 0
    rereading: bool = False
    reread_at: datetime | None = None
    problem: Reason | None = None


@dataclass(frozen=True)
class PublishedConsent:
    """The version of an audience's table for Customer Insights (consent_updates/table.py).

    `fingerprint` is that of everything the version was made from, `described` the version that
    `model.json` lists. An audience without a version is not listed. `statuses` counts the rows by status.
    """

    version: str = ""
    rows: int = 0
    fingerprint: str = ""
    described: str = ""
    published_at: datetime | None = None
    audience_name: str = ""
    statuses: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class ConsentWebhook:
    """The webhook of an audience (consent_updates/webhooks.py).

    `token_hash` is that of the token in its address. `webhook_id` is empty until the registration is complete. `problem`
    is the error if Mailchimp refused it.
    """

    token_hash: str = ""
    webhook_id: str = ""
    signed: bool = False
    problem: Reason | None = None
    tried_at: datetime | None = None
    registered_at: datetime | None = None


@dataclass(frozen=True)
class ConsentState:
    """How current the statuses of an audience are, for people."""

    audience_id: str
    sweep: ConsentSweep = ConsentSweep()
    published: PublishedConsent = PublishedConsent()
    webhook: ConsentWebhook = ConsentWebhook()


def audience_key(account_id: str, audience_id: str) -> str:
    """The key of an audience's records."""
    return f"{account_id}/{audience_id}"


def statuses_folder(key: str) -> str:
    """The folder of an audience's statuses in the state container."""
    return f"{ALL_STATUSES}{key}/"
