"""Values of the Mailchimp API: accounts, audiences, merge fields, tags, members and results.

A tag is a static segment with the same id
(https://mailchimp.com/developer/marketing/api/list-segments/). Addresses are normalized
(fields/address.py). Mailchimp may change the case of an address or quote it, so results are assigned to
members by the normalized address.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

# The statuses of people who must never be subscribed again. `archived` cannot be written; Mailchimp
# reports it for people who were removed from the audience.
NOT_SUBSCRIBED = ("unsubscribed", "cleaned", "pending", "transactional", "archived")
STATUSES = ("subscribed", *NOT_SUBSCRIBED)
# Archived and cleaned contacts are not billed.
BILLED = ("subscribed", "unsubscribed", "pending", "transactional")

DELETED_FIELD = "deleted"
"""The type of a merge field that was deleted in Mailchimp: it takes no value."""

MERGE_FIELD_LIMITS = (30, 80)
"""The most merge fields of an audience, on most plans and on the largest one. It is not documented whether EMAIL counts."""

# Mailchimp's clock and that of the app may differ, and a change may become visible late.
_OVERLAP = timedelta(minutes=15)


def changes_since(moment: datetime) -> str:
    """The time from which to read changes after a moment: 15 minutes earlier, in UTC and ISO 8601."""
    return (moment - _OVERLAP).astimezone(UTC).isoformat(timespec="seconds")


@dataclass(frozen=True)
class Account:
    """A Mailchimp account. All grants for one `id` share its 10 connections.

    `role` is the role of the user who granted access, such as `owner`; empty when unknown.
    """

    id: str
    name: str
    role: str = ""


@dataclass(frozen=True)
class Audience:
    """An audience (`list` in the API). `member_count` may be minutes old: for display only.

    `double_opt_in` is None when the response lacks the setting.
    """

    id: str
    name: str
    member_count: int
    double_opt_in: bool | None


@dataclass(frozen=True)
class MergeField:
    """A merge field; `options` contains choices, date format or phone format."""

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
class Automation:
    """An active classic automation. `workflow_type` is what starts it, such as `welcomeSeries`."""

    title: str
    workflow_type: str


@dataclass(frozen=True)
class Member:
    """A person to write. With `status` None, an existing member keeps their status.

    `merge_fields` also has the evidence of consent (fields/evidence.py).
    """

    address: str
    merge_fields: Mapping[str, object]
    tags: tuple[str, ...]
    status: str | None = None


@dataclass(frozen=True)
class Refusal:
    """Why one member of a call was refused: our code, and the merge field if there is one.

    `answer` is what Mailchimp answered, without personal data.
    """

    code: str
    field: str = ""
    answer: str = dataclasses.field(default="", compare=False)


@dataclass(frozen=True)
class BatchAnswer:
    """The result of a batch call: the current status or the refusal, by address.

    `opted_in` is, for updated members, the time (ISO 8601) at which they opted in or signed up, if
    the response has it. It identifies members that an earlier call with a lost response created.
    """

    created: Mapping[str, str]
    updated: Mapping[str, str]
    refused: Mapping[str, Refusal]
    opted_in: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class TagAnswer:
    """How many members a call added to a tag or removed from it.

    `without`: addresses that did not have the tag that the call was to remove; empty if that is not clear.
    """

    added: int
    removed: int
    without: frozenset[str] = frozenset()


@dataclass(frozen=True)
class ContactStatus:
    """A person in an audience, and their status; empty when it is not known.

    `contact_id` stays the same when the address changes; empty when the response lacks it.
    """

    address: str
    status: str
    contact_id: str = ""


@dataclass(frozen=True)
class StatusChange:
    """A contact that changed, with the status it has now. Times are in ISO 8601, or empty.

    `reason` is the code of the reason that the person gave for unsubscribing, such as `noLongerInterested`; empty
    without one. `contact_id` stays the same when the address changes; empty when the response lacks it.
    """

    address: str
    status: str
    changed: str
    opted_in: str
    reason: str
    contact_id: str


@dataclass(frozen=True)
class Contact:
    """A person in an audience, with values and tags.

    `tags` are at most 50 ids; `tag_count` is the total. `changed` is the time of the last change in
    ISO 8601, or empty.
    """

    address: str
    fields: Mapping[str, object]
    tags: tuple[int, ...]
    tag_count: int
    changed: str


@dataclass(frozen=True)
class MemberState:
    """A contact, read from Mailchimp now. `opted_in` is in ISO 8601, or empty.

    `evidence` has the evidence of consent by tag (fields/evidence.py).
    """

    status: str
    fields: Mapping[str, object]
    tags: tuple[str, ...]
    opted_in: str
    evidence: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Webhook:
    """A webhook of an audience. `secret` signs its calls; it is only known when the webhook is created."""

    id: str
    url: str
    secret: str = field(default="", repr=False)


@dataclass(frozen=True)
class NotSubscribedPointer:
    """The stored list of contacts of an audience who are not subscribed, and when it was read."""

    blob: str
    read_at: datetime


@dataclass(frozen=True)
class CallCounts:
    """The number of calls that a session, a chunk or a run has made."""

    write: int = 0
    read: int = 0
    throttled: int = 0
    retried: int = 0

    def __add__(self, other: CallCounts) -> CallCounts:
        return CallCounts(
            self.write + other.write,
            self.read + other.read,
            self.throttled + other.throttled,
            self.retried + other.retried,
        )

    def __sub__(self, other: CallCounts) -> CallCounts:
        return CallCounts(
            self.write - other.write,
            self.read - other.read,
            self.throttled - other.throttled,
            self.retried - other.retried,
        )
