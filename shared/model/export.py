"""What an export is: which segments go to which audience, with which fields, and when.

Plain values; the checks that need nothing but the value stand here too. Attribute names are the
customer's own and compared as they are written in `model.json`; merge tags are Mailchimp's.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

__all__ = [
    "AttributeMapping",
    "Export",
    "FieldToCreate",
    "Leavers",
    "Mapping",
    "NewContactStatus",
    "NewContacts",
    "Repeat",
    "Schedule",
    "SegmentChoice",
]


class NewContactStatus(StrEnum):
    """Which status people get whom the audience does not hold yet."""

    AUDIENCE_DEFAULT = "audienceDefault"
    SUBSCRIBED = "subscribed"
    PENDING = "pending"
    TRANSACTIONAL = "transactional"


class Leavers(StrEnum):
    """What happens to the tag of people who left a segment."""

    REMOVE_TAG = "removeTag"
    KEEP_TAG = "keepTag"


class Repeat(StrEnum):
    """When an export runs by itself."""

    EVERY_REFRESH = "everyRefresh"
    DAILY = "daily"
    WEEKLY = "weekly"


@dataclass(frozen=True)
class FieldToCreate:
    """A merge field that the first run creates in the audience when it is missing."""

    name: str
    type: str = "text"


@dataclass(frozen=True)
class AttributeMapping:
    """One attribute of the unified profile and the merge field (by its tag) that takes it."""

    attribute: str
    merge_field: str
    create: FieldToCreate | None = None


@dataclass(frozen=True)
class Mapping:
    """Which attribute is what. `email` identifies a person in Mailchimp."""

    email: str
    first_name: str | None = None
    last_name: str | None = None
    attributes: tuple[AttributeMapping, ...] = ()


@dataclass(frozen=True)
class SegmentChoice:
    """A segment (its entity name in `model.json`) and its tag: the segment's name by default."""

    name: str
    tag: str | None = None

    @property
    def tag_name(self) -> str:
        """The tag's name in Mailchimp."""
        return self.tag or self.name


@dataclass(frozen=True)
class NewContacts:
    """How people become members whom the audience does not hold yet.

    With `consent_attribute`, only people whose attribute says yes are added as new.
    """

    status: NewContactStatus = NewContactStatus.AUDIENCE_DEFAULT
    consent_attribute: str | None = None


@dataclass(frozen=True)
class Schedule:
    """When an export (or the refresh) runs by itself; times are local times `HH:MM`."""

    enabled: bool = True
    repeat: Repeat = Repeat.EVERY_REFRESH
    days: tuple[str, ...] = ()
    times: tuple[str, ...] = ()
    time_zone: str = "UTC"


@dataclass(frozen=True)
class Export:
    """One export definition. `connection_id` is empty while it is detached."""

    id: str
    display_name: str
    connection_id: str | None
    audience_id: str
    mapping: Mapping
    segments: tuple[SegmentChoice, ...]
    new_contacts: NewContacts = NewContacts()
    leavers: Leavers = Leavers.REMOVE_TAG
    max_removal_share: float = 0.3
    schedule: Schedule = Schedule()
    created_at: datetime | None = None
    created_by: str = ""
    updated_at: datetime | None = None
    updated_by: str = ""
