"""The state of a Mailchimp account: audiences with their members, tags and merge fields.

Compact, because a run has a million members: one dict keyed by the MD5 of the lower-cased address, merge values as
one JSON text, tag sets shared between members. Counts are updated with every change.
Every change of an audience happens under its `lock`.
"""

from __future__ import annotations

import hashlib
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any

AUTOMATION_STATUSES = ("save", "paused", "sending")
STATUSES = ("subscribed", "unsubscribed", "cleaned", "pending", "transactional", "archived")
WRITABLE = ("subscribed", "unsubscribed", "cleaned", "pending", "transactional")
EVENTS = ("subscribe", "unsubscribe", "profile", "cleaned", "upemail", "campaign")
SOURCES = ("user", "admin", "api")


def digest(address: str) -> bytes:
    """The key of a member: MD5 of the lower-cased address (Mailchimp's subscriber hash)."""
    return hashlib.md5(address.lower().encode(), usedforsecurity=False).digest()


# Contact ids look like hashes, as Mailchimp's do.
_CONTACT_MASK = 0x5BC1A7E09D3F4826B17C60D2E8A9340F


def contact_id(number: int) -> str:
    """The contact id of the member with this number: the same for as long as the contact exists."""
    return f"{number ^ _CONTACT_MASK:032x}"


class Member:
    """One person in one audience.

    A contact without an address has a phone number as `address`: the API shows it as `sms_phone_number`.
    `cause` is why a person is unsubscribed or cleaned: "self", "admin", "bounce", "review" or "".
    `merge` is a JSON object of the values that are set. `tags` are segment ids in ascending order.
    `changed` and `since` are seconds since 1970. `campaign` is the campaign that led to the status, or "".
    """

    __slots__ = (
        "address", "campaign", "cause", "changed", "merge", "number", "since", "status", "tags",
    )  # fmt: skip

    def __init__(self, address: str, number: int, now: int) -> None:
        """Create a person who is not in the counts of the audience yet."""
        self.address = address
        self.number = number
        self.status = ""
        self.cause = ""
        self.campaign = ""
        self.merge = b"{}"
        self.tags: tuple[int, ...] = ()
        self.changed = now
        self.since = now

    @property
    def phone(self) -> str:
        """The phone number of a contact that has no address; empty for others."""
        return "" if "@" in self.address else self.address


@dataclass(slots=True)
class MergeField:
    """One merge field; `options` as the API shows them. `created` is a time of the sandbox."""

    merge_id: int
    tag: str
    name: str
    type: str
    required: bool = False
    default_value: str = ""
    public: bool = False
    display_order: int = 1
    help_text: str = ""
    options: dict[str, Any] = field(default_factory=dict)
    created: float = 0.0


@dataclass(slots=True)
class Segment:
    """A tag (`static`) or a saved segment; `counts` is members by status.

    `count_shown` is when `member_count` was computed, and its value; `members_shown` are the members at that time, if their
    list is cached.
    """

    id: int
    name: str
    type: str
    created: int
    updated: int
    conditions: dict[str, Any] | None = None
    counts: Counter[str] = field(default_factory=Counter)
    count_shown: tuple[float, int] | None = None
    members_shown: list[Member] | None = None


@dataclass(slots=True)
class Webhook:
    """A webhook: which events from which sources are posted to `url`; `secret` signs them, or is ""."""

    id: str
    url: str
    events: dict[str, bool]
    sources: dict[str, bool]
    secret: str = ""


@dataclass(slots=True, eq=False)
class Audience:
    """One audience. Use its methods to change members: they update the counts."""

    id: str
    web_id: int
    name: str
    created: int
    double_optin: bool = False
    marketing_permissions: bool = False
    merge_fields: dict[int, MergeField] = field(default_factory=dict)
    members: dict[bytes, Member] = field(default_factory=dict)
    segments: dict[int, Segment] = field(default_factory=dict)
    names: dict[str, int] = field(default_factory=dict)
    forgotten: set[bytes] = field(default_factory=set)
    counts: Counter[str] = field(default_factory=Counter)
    last_sub: int = 0
    last_unsub: int = 0
    next_merge_id: int = 1
    evidence: dict[bytes, dict[str, str]] = field(default_factory=dict)
    webhooks: dict[str, Webhook] = field(default_factory=dict)
    history: dict[bytes, list[tuple[int, str, str]]] = field(default_factory=dict)
    """The changes of status by member: time, status and cause."""
    stats_shown: tuple[float, dict[str, Any]] | None = None
    lock: threading.RLock = field(default_factory=threading.RLock)
    version: int = 0
    _shared_tags: dict[tuple[int, ...], tuple[int, ...]] = field(default_factory=dict)
    _selections: dict[Any, tuple[int, list[Member]]] = field(default_factory=dict)

    def add(self, member: Member, status: str, cause: str = "") -> None:
        """Add a new person."""
        self.members[digest(member.address)] = member
        member.status = status
        member.cause = cause
        self.counts[status] += 1
        self.version += 1
        self._mark(status, member.since)

    def set_status(self, member: Member, status: str, cause: str, now: int) -> None:
        """Set the status of a member, with its cause."""
        before = member.status
        member.cause = cause
        member.changed = now
        if before != status:
            member.status = status
            self.history.setdefault(digest(member.address), []).append((now, status, cause))
            self.counts[before] -= 1
            self.counts[status] += 1
            for tag in member.tags:
                counts = self.segments[tag].counts
                counts[before] -= 1
                counts[status] += 1
            self._mark(status, now)
        self.version += 1

    def set_tags(self, member: Member, tags: set[int], now: int) -> None:
        """Give a member exactly these tags."""
        ordered = tuple(sorted(tags))
        for tag in set(member.tags) - tags:
            self.segments[tag].counts[member.status] -= 1
            self.segments[tag].updated = now
        for tag in tags - set(member.tags):
            self.segments[tag].counts[member.status] += 1
            self.segments[tag].updated = now
        member.tags = self._shared_tags.setdefault(ordered, ordered)
        self.version += 1

    def remove(self, member: Member, now: int) -> None:
        """Delete a member permanently; the address can never be imported again."""
        self.set_tags(member, set(), now)
        key = digest(member.address)
        del self.members[key]
        self.history.pop(key, None)
        self.forgotten.add(key)
        self.counts[member.status] -= 1
        self.version += 1

    def contacts(self) -> int:
        """How many people the plan charges for: all but archived and cleaned."""
        return sum(n for s, n in self.counts.items() if s not in ("archived", "cleaned"))

    def find(self, key: str) -> Member | None:
        """The member with this subscriber hash, address or contact id."""
        if "@" in key:
            return self.members.get(digest(key))
        try:
            raw = bytes.fromhex(key)
        except ValueError:
            return None
        if found := self.members.get(raw):
            return found
        number = int(key, 16) ^ _CONTACT_MASK
        return next((one for one in self.members.values() if one.number == number), None)

    def tag(
        self, name: str, segment_id: Callable[[], int], now: int, *, match_case: bool = False
    ) -> int:
        """The id of the tag with this name, in any case; it is created if it is new."""
        folded = name.strip().casefold()
        found = self.names.get(folded)
        if match_case and found is not None and self.segments[found].name != name.strip():
            found = None
        if found is None:
            found = segment_id()
            self.segments[found] = Segment(found, name.strip(), "static", now, now)
            self.names[folded] = found
        return found

    def drop_segment(self, segment: Segment, now: int) -> None:
        """Delete a segment and remove it from its members."""
        self.empty_segment(segment, now)
        del self.segments[segment.id]
        del self.names[segment.name.casefold()]

    def empty_segment(self, segment: Segment, now: int) -> None:
        """Remove a tag from all members."""
        for member in self.members.values():
            if segment.id in member.tags:
                self.set_tags(member, set(member.tags) - {segment.id}, now)

    def clear(self) -> None:
        """Remove all members and tags; merge fields stay."""
        for collection in (self.members, self.segments, self.names, self.forgotten, self.counts):
            collection.clear()
        self.history.clear()
        self.stats_shown = None
        self._shared_tags = {}
        self._selections = {}
        self.version += 1

    def select(
        self, key: Any, wanted: Callable[[Member], bool], order: str = "", *, down: bool = False
    ) -> list[Member]:
        """All members that fit, ordered by an attribute or by their arrival; cached until the audience changes.

        `key` identifies the query: equal keys must have equal `wanted`. Do not change the list.
        """
        key = (key, order, down)
        cached = self._selections.get(key)
        if cached is not None and cached[0] == self.version:
            return cached[1]
        found = [member for member in self.members.values() if wanted(member)]
        if order:
            found.sort(key=attrgetter(order), reverse=down)
        if len(self._selections) > 20 or cached is None:
            self._selections = {k: v for k, v in self._selections.items() if v[0] == self.version}
        self._selections[key] = (self.version, found)
        return found

    def _mark(self, status: str, now: int) -> None:
        if status == "subscribed":
            self.last_sub = now
        elif status == "unsubscribed":
            self.last_unsub = now


@dataclass(slots=True)
class Automation:
    """A classic automation: its audience, what starts it, and whether it is active (sending)."""

    id: str
    audience_id: str
    title: str
    workflow_type: str
    status: str
    created: int


@dataclass(slots=True, eq=False)
class Account:
    """One Mailchimp account: its keys, its audiences, and how many calls are in flight."""

    id: str
    name: str
    dc: str
    number: int
    created: int
    keys: set[str] = field(default_factory=set)
    audiences: dict[str, Audience] = field(default_factory=dict)
    automations: list[Automation] = field(default_factory=list)
    disabled: bool = False
    in_flight: int = 0
    peak: int = 0
    throttled: int = 0
