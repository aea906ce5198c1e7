"""An export definition: segments, audience, mapping of fields, and schedule.

Attribute names are compared exactly as in `model.json`; merge tags are Mailchimp's.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

# A person's segments are the bits of one number of 127 bits (planning/reading/sql/people.sql).
MAX_SEGMENTS = 100
MAX_EXCLUSION_SEGMENTS = 20

# The largest `GrowthGuard.max_share`: a hundred times the people that were sent before.
LARGEST_GROWTH = 100.0


class NewContactStatus(StrEnum):
    """The status of people who are new to the audience."""

    AUDIENCE_DEFAULT = "audienceDefault"
    SUBSCRIBED = "subscribed"
    PENDING = "pending"
    TRANSACTIONAL = "transactional"


class ConsentMeaning(StrEnum):
    """What a yes in the consent attribute means."""

    YES_MAY_BE_MAILED = "yesMayBeMailed"
    YES_MUST_NOT_BE_MAILED = "yesMustNotBeMailed"

    @property
    def empty_allows(self) -> bool:
        """Whether people without a value may get email: they have not objected."""
        return self is ConsentMeaning.YES_MUST_NOT_BE_MAILED


class Leavers(StrEnum):
    """What happens to the tag of people who leave a segment."""

    REMOVE_TAG = "removeTag"
    KEEP_TAG = "keepTag"


class OnWithdrawal(StrEnum):
    """What happens to the contact of a person who withdraws consent. The tags are always removed."""

    REMOVE_TAGS = "removeTags"
    UNSUBSCRIBE = "unsubscribe"


class OnAddressChange(StrEnum):
    """What happens to the contact with the former address of a person."""

    KEEP = "keep"
    ARCHIVE = "archive"


class Repeat(StrEnum):
    """How often an export runs automatically."""

    EVERY_REFRESH = "everyRefresh"
    DAILY = "daily"
    WEEKLY = "weekly"


@dataclass(frozen=True)
class FieldToCreate:
    """A merge field that the first run creates if the audience does not have it."""

    name: str
    type: str = "text"


@dataclass(frozen=True)
class AttributeMapping:
    """An attribute of the unified profile, and the tag of the merge field that it is sent to.

    `part` is set where several attributes make up one address: addr1, addr2, city, state, zip or
    country. `date_order` (dayFirst, monthFirst) is how the attribute writes dates, `decimal_mark`
    (point, comma) how it writes numbers; without them the data and the model's culture decide.
    """

    attribute: str
    merge_field: str
    create: FieldToCreate | None = None
    part: str | None = None
    date_order: str | None = None
    decimal_mark: str | None = None


@dataclass(frozen=True)
class Evidence:
    """The attributes with the times and IP addresses of a person's sign-up and opt-in."""

    timestamp_signup: str | None = None
    ip_signup: str | None = None
    timestamp_opt: str | None = None
    ip_opt: str | None = None


@dataclass(frozen=True)
class Mapping:
    """The attributes to send. `email` identifies a person in Mailchimp."""

    email: str
    first_name: str | None = None
    last_name: str | None = None
    attributes: tuple[AttributeMapping, ...] = ()
    evidence: Evidence | None = None


@dataclass(frozen=True)
class SegmentChoice:
    """A segment (its entity name in `model.json`) and its tag, by default the same name."""

    name: str
    tag: str | None = None

    @property
    def tag_name(self) -> str:
        """The name of the tag in Mailchimp."""
        return self.tag or self.name


@dataclass(frozen=True)
class NewContacts:
    """How people who are new to the audience are added.

    With `consent_attribute`, only people who gave consent by it are sent, and a withdrawal removes
    the tags that the export gave. `consent_meaning` is the direction of the attribute.
    """

    status: NewContactStatus = NewContactStatus.AUDIENCE_DEFAULT
    consent_attribute: str | None = None
    consent_meaning: ConsentMeaning = ConsentMeaning.YES_MAY_BE_MAILED


@dataclass(frozen=True)
class Schedule:
    """When an export or the refresh runs automatically; `times` are local times `HH:MM`."""

    enabled: bool = True
    repeat: Repeat = Repeat.EVERY_REFRESH
    days: tuple[str, ...] = ()
    times: tuple[str, ...] = ()
    time_zone: str = "UTC"


@dataclass(frozen=True)
class GrowthGuard:
    """How many new contacts a run may add without a confirmation.

    `max_share` is relative to the people that the export has sent before, so it does not apply to a
    first run. `max_contacts` applies to every run; None is no limit.
    """

    max_share: float = 1.0
    max_contacts: int | None = None


@dataclass(frozen=True)
class ExclusionGuard:
    """How many members an exclusion segment may lose without a confirmation.

    `max_share` (0-1) is relative to the highest number of members in complete runs since a person last confirmed a loss; 1 is no limit.
    """

    max_share: float = 0.5


@dataclass(frozen=True)
class Export:
    """An export definition. `connection_id` is None for a detached export.

    `contact_budget` is the most billed contacts that the audience may have. Members of `exclusion_segments` are never
    sent.
    """

    id: str
    display_name: str
    connection_id: str | None
    audience_id: str
    mapping: Mapping
    segments: tuple[SegmentChoice, ...]
    new_contacts: NewContacts = NewContacts()
    leavers: Leavers = Leavers.REMOVE_TAG
    max_removal_share: float = 0.3
    growth_guard: GrowthGuard = GrowthGuard()
    exclusion_guard: ExclusionGuard = ExclusionGuard()
    contact_budget: int | None = None
    schedule: Schedule = Schedule()
    on_withdrawal: OnWithdrawal = OnWithdrawal.REMOVE_TAGS
    on_address_change: OnAddressChange = OnAddressChange.KEEP
    exclusion_segments: tuple[str, ...] = ()
    created_at: datetime | None = None
    created_by: str = ""
    updated_at: datetime | None = None
    updated_by: str = ""

    @property
    def sort_key(self) -> tuple[str, str]:
        """Sorts exports by name, ignoring case."""
        return self.display_name.casefold(), self.id

    @property
    def segments_read(self) -> list[str]:
        """The segments that a run reads: those to send, then those to exclude."""
        return [*(choice.name for choice in self.segments), *self.exclusion_segments]
