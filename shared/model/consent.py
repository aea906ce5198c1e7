"""Stored state of the statuses that go from Mailchimp to Customer Insights.

Keys are those of audiences (`audience_key`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from shared.model.finding import Reason


@dataclass(frozen=True)
class ConsentSweep:
    """How far the statuses of an audience were read (consent_updates/sweep.py).

    The next sweep reads changes since `since`, and of archived contacts since `archived_since` (ISO 8601; empty: all).
    `complete` is false while a sweep is to be continued. `changes` counts the changes of status so far.

    `stored` and `stored_archived` count the contacts in the blob. `surplus` is how many more these are than in
    Mailchimp. `erased_missing` is the last surplus that two sweeps found and erased people explained, or the one after all
    contacts were read again. While all contacts are read again, `rereading` is true, and rows with an older `generation` were not
    found yet. `unidentified` counts contacts in the blob that an earlier version read, without contact ids; None in
    records of that version.

    `problem` is why the last sweep failed, or None.
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
    erased_missing: int = 0
    generation: int = 0
    rereading: bool = False
    reread_at: datetime | None = None
    unidentified: int | None = None
    problem: Reason | None = None


@dataclass(frozen=True)
class PublishedConsent:
    """The version of an audience's table for Customer Insights (consent_updates/table.py).

    `fingerprint` identifies the statuses, ledgers and erasures that the version was made from. `described` is the
    version that `model.json` lists. An audience without a version is not listed. `statuses` counts rows by status.
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

    `token_hash` is the hash of the token in its URL. `webhook_id` is empty until the registration is complete.
    `problem` is why Mailchimp refused the registration, or None.
    """

    token_hash: str = ""
    webhook_id: str = ""
    signed: bool = False
    problem: Reason | None = None
    tried_at: datetime | None = None
    registered_at: datetime | None = None


@dataclass(frozen=True)
class ConsentState:
    """The state of an audience for the API and the pages: sweep, table and webhook."""

    audience_id: str
    sweep: ConsentSweep = ConsentSweep()
    published: PublishedConsent = PublishedConsent()
    webhook: ConsentWebhook = ConsentWebhook()
