"""What the heart knows of Mailchimp: audiences, merge fields, tags, members and answers, as values.

A tag and a static segment are the same object with the same id
(https://mailchimp.com/developer/marketing/api/list-segments/). Addresses here are in normal form
(see contact.py); answers are matched by it, because Mailchimp may quote or re-case an address.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

__all__ = [
    "NOT_SUBSCRIBED",
    "Account",
    "Audience",
    "BatchAnswer",
    "CallCounts",
    "Contact",
    "ContactStatus",
    "Member",
    "MergeField",
    "NotSubscribedPointer",
    "Refusal",
    "Tag",
    "TagAnswer",
]

# The statuses of people who must never be asked to subscribe again. `archived` is not a status
# that can be written; it is how Mailchimp lists people who were taken out of the audience.
NOT_SUBSCRIBED = ("unsubscribed", "cleaned", "pending", "transactional", "archived")


@dataclass(frozen=True)
class Account:
    """A Mailchimp account: connections of the same `id` share their 10 connections."""

    id: str
    name: str


@dataclass(frozen=True)
class Audience:
    """An audience (a "list" in the API). `member_count` may be minutes old: for display only."""

    id: str
    name: str
    member_count: int
    double_opt_in: bool


@dataclass(frozen=True)
class MergeField:
    """A merge field of an audience; `options` holds choices, date format or phone format."""

    id: int
    tag: str
    name: str
    type: str
    required: bool
    options: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class Tag:
    """A static segment. `member_count` counts active subscribers only."""

    id: int
    name: str
    member_count: int


@dataclass(frozen=True)
class Member:
    """A person to send. `status` None leaves an existing member's status alone."""

    address: str
    merge_fields: Mapping[str, object]
    tags: tuple[str, ...]
    status: str | None = None


@dataclass(frozen=True)
class Refusal:
    """Why one member of a call was refused: our code, Mailchimp's field when it named one."""

    code: str
    field: str = ""


@dataclass(frozen=True)
class BatchAnswer:
    """What Mailchimp did with one batch call: address -> status held now, or the refusal.

    `opted_in` gives, for updated members, the time (ISO 8601) at which they opted in or signed
    up, where the answer had it: it tells a person whom an earlier, lost answer had created.
    """

    created: Mapping[str, str]
    updated: Mapping[str, str]
    refused: Mapping[str, Refusal]
    opted_in: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class TagAnswer:
    """How many addresses gained or lost a tag in one call."""

    added: int
    removed: int


@dataclass(frozen=True)
class ContactStatus:
    """A person the audience holds, and in which status."""

    address: str
    status: str


@dataclass(frozen=True)
class Contact:
    """A person as the audience has them now.

    `tags` are ids, at most 50 of them; `tag_count` is how many there are. `changed` is when
    anything about the person changed last, in ISO 8601, or empty.
    """

    address: str
    fields: Mapping[str, object]
    tags: tuple[int, ...]
    tag_count: int
    changed: str


@dataclass(frozen=True)
class NotSubscribedPointer:
    """The stored list of contacts of an audience who are not subscribed, and when it was read."""

    blob: str
    read_at: datetime


@dataclass
class CallCounts:
    """The calls a session has made; counts only, added to by the session."""

    write: int = 0
    read: int = 0
    throttled: int = 0
    retried: int = 0

    def add(self, more: CallCounts) -> None:
        """Count what another session has made as well."""
        self.write += more.write
        self.read += more.read
        self.throttled += more.throttled
        self.retried += more.retried
