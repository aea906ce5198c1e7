"""The definition of an export that a request contains."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    ConfigDict,
    Field,
    TypeAdapter,
)

from shared.exports.draft import Draft
from shared.exports.validation import MERGE_TAG
from shared.model.export import (
    LARGEST_GROWTH,
    MAX_EXCLUSION_SEGMENTS,
    MAX_SEGMENTS,
    ConsentMeaning,
    Export,
    Leavers,
    NewContactStatus,
    OnAddressChange,
    OnWithdrawal,
)
from shared.model.ids import ID
from shared.web.models.base import (
    Body,
    Choice,
    Items,
    Label,
    ReadOnly,
)
from shared.web.models.partial_body import PartialBody
from shared.web.models.schedules import SCHEDULE_PLACEHOLDERS, ScheduleBody

# Types that Mailchimp creates from a name only; address, radio and dropdown need more.
FieldType = Literal["text", "number", "phone", "date", "url", "imageurl", "birthday", "zip"]
# Parts of a field that takes an address; several attributes may make up one.
AddressPart = Literal["addr1", "addr2", "city", "state", "zip", "country"]
# How an attribute writes dates such as 05/06/1980.
DateOrder = Literal["dayFirst", "monthFirst"]
DecimalMark = Literal["point", "comma"]
_MOST_ATTRIBUTES = 100

_EXPORT = TypeAdapter(Export)


EXAMPLE: dict[str, Any] = {
    "displayName": "Weekly news",
    "connectionId": "0b7c2f6e9a514d38",
    "audienceId": "a1b2c3d4e5",
    "mapping": {
        "email": "EMail",
        "firstName": "FirstName",
        "lastName": "LastName",
        "attributes": [
            {"attribute": "City", "mergeField": "CITY", "create": {"name": "City", "type": "text"}}
        ],
    },
    "segments": [{"name": "Segment_Vip", "tag": "VIP"}],
    "newContacts": {"status": "audienceDefault", "consentAttribute": None},
    "leavers": "removeTag",
    "onWithdrawal": "removeTags",
    "onAddressChange": "keep",
    "exclusionSegments": [],
    "removalGuard": {"maxShare": 0.3},
    "growthGuard": {"maxShare": 1.0, "maxContacts": 20000},
    "exclusionGuard": {"maxShare": 0.5},
    "contactBudget": 100000,
    "schedule": {
        "enabled": True,
        "repeat": "everyRefresh",
        "days": [],
        "times": [],
        "timeZone": "Asia/Seoul",
    },
}
# What stands for a part of a definition that could not be read (partial_body.py).
_PLACEHOLDERS: dict[str, Any] = {
    **SCHEDULE_PLACEHOLDERS,
    "displayName": "…",
    "connectionId": None,
    "audienceId": "",
    "mapping": {"email": "…"},
    "email": "…",
    "attributes[]": {"attribute": "…", "mergeField": ""},
    "attribute": "…",
    "mergeField": "",
    "segments": [],
    "segments[]": {"name": "…"},
    "name": "…",
    "exclusionSegments[]": "…",
}


class FieldToCreateBody(Body):
    """A merge field that the first run creates."""

    name: Annotated[Label, Field(examples=["City"])]
    type: FieldType = "text"


class AttributeBody(Body):
    """An attribute and the merge field that receives its value."""

    attribute: Annotated[Label, Field(examples=["City"])]
    merge_field: Annotated[
        str,
        Field(
            description="The merge tag in Mailchimp",
            examples=["CITY"],
            json_schema_extra={"pattern": f"^{MERGE_TAG}$"},
        ),
    ]
    create: FieldToCreateBody | None = None
    part: AddressPart | None = None
    date_order: DateOrder | None = None
    decimal_mark: DecimalMark | None = None


class EvidenceBody(Body):
    """The attributes that say when and from which IP address a person signed up and opted in.

    Times are in ISO 8601, and UTC without an offset. A value that is not valid is not sent.
    """

    timestamp_signup: Annotated[Label | None, Field(examples=["SignedUpAt"])] = None
    ip_signup: Annotated[Label | None, Field(examples=["SignedUpFrom"])] = None
    timestamp_opt: Annotated[Label | None, Field(examples=["ConsentedAt"])] = None
    ip_opt: Annotated[Label | None, Field(examples=["ConsentedFrom"])] = None


def _none_if_empty(evidence: EvidenceBody | None) -> EvidenceBody | None:
    return None if evidence == EvidenceBody() else evidence


class MappingBody(Body):
    """The attributes that contain the email address, the names and the values of merge fields."""

    email: Annotated[Label, Field(examples=["EMail"])]
    first_name: Annotated[Label | None, Field(examples=["FirstName"])] = None
    last_name: Annotated[Label | None, Field(examples=["LastName"])] = None
    attributes: Items[AttributeBody] = Field(default=(), max_length=_MOST_ATTRIBUTES)
    evidence: Annotated[EvidenceBody | None, AfterValidator(_none_if_empty)] = None


class SegmentBody(Body):
    """A segment and its tag. The default tag is the name of the segment."""

    name: Annotated[Label, Field(examples=["Segment_Vip"])]
    tag: Annotated[Label | None, Field(examples=["VIP"])] = None


class NewContactsBody(Body):
    """The status of people who are not in the audience yet."""

    status: Choice[NewContactStatus] = NewContactStatus.AUDIENCE_DEFAULT
    consent_attribute: Annotated[Label | None, Field(examples=["AgreedToMail"])] = None
    consent_meaning: Annotated[
        Choice[ConsentMeaning], Field(description="What a yes in the consent attribute means")
    ] = ConsentMeaning.YES_MAY_BE_MAILED


class RemovalGuardBody(Body):
    """The largest share of a tag's people that may lose it in one run without a confirmation."""

    max_share: float = Field(default=0.3, json_schema_extra={"minimum": 0, "maximum": 1})


class GrowthGuardBody(Body):
    """The largest number of new contacts that a run may add without a confirmation."""

    max_share: float = Field(
        default=1.0,
        description="As a share of the people that the export has sent before; a first run has none",
        json_schema_extra={"minimum": 0, "maximum": LARGEST_GROWTH},
    )
    max_contacts: Annotated[
        int | None,
        Field(
            description="In every run; null is no limit",
            examples=[20000],
            json_schema_extra={"minimum": 0},
        ),
    ] = None


class ExclusionGuardBody(Body):
    """The largest share of an exclusion segment's members that may be missing without a confirmation."""

    max_share: float = Field(
        default=0.5,
        description="As a share of its highest number of members in complete runs since a person last confirmed a loss; 1 is no limit",
        json_schema_extra={"minimum": 0, "maximum": 1},
    )


class ExportBody(PartialBody):
    """An export as sent by a client."""

    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE]})
    placeholders = _PLACEHOLDERS

    display_name: Annotated[Label, Field(examples=["Weekly news"])]
    connection_id: Annotated[str | None, Field(examples=["0b7c2f6e9a514d38"])]
    # The checks of the definition say in their own words what is missing or malformed.
    audience_id: Annotated[
        str, Field(examples=["a1b2c3d4e5"], json_schema_extra={"pattern": f"^{ID}$"})
    ]
    mapping: MappingBody
    segments: Items[SegmentBody] = Field(max_length=MAX_SEGMENTS, json_schema_extra={"minItems": 1})
    new_contacts: NewContactsBody = NewContactsBody()
    leavers: Choice[Leavers] = Leavers.REMOVE_TAG
    on_withdrawal: Annotated[
        Choice[OnWithdrawal],
        Field(
            description="What happens to people who withdraw consent: their tags are removed and no "
            "data is sent; `unsubscribe` also sets the contact to unsubscribed",
            examples=["unsubscribe"],
        ),
    ] = OnWithdrawal.REMOVE_TAGS
    on_address_change: Annotated[
        Choice[OnAddressChange],
        Field(
            description="What happens to the contact with a person's former address: it stays without "
            "the tags, or is archived if this export created it and no one else gave it a tag",
            examples=["archive"],
        ),
    ] = OnAddressChange.KEEP
    exclusion_segments: Annotated[
        Items[Label],
        Field(
            max_length=MAX_EXCLUSION_SEGMENTS,
            description="Segments whose members are never sent and lose the tags of the export",
            examples=[["Segment_Complaints"]],
        ),
    ] = ()
    removal_guard: RemovalGuardBody = RemovalGuardBody()
    growth_guard: GrowthGuardBody = GrowthGuardBody()
    exclusion_guard: ExclusionGuardBody = ExclusionGuardBody()
    contact_budget: Annotated[
        int | None,
        Field(
            description="The largest number of contacts that Mailchimp may bill for the audience. A run that would "
            "pass it is skipped; the smallest budget of all exports to the audience applies",
            examples=[100000],
            json_schema_extra={"minimum": 0},
        ),
    ] = None
    schedule: ScheduleBody = ScheduleBody()

    id: ReadOnly
    findings: ReadOnly
    last_run: ReadOnly
    created_at: ReadOnly
    created_by: ReadOnly
    updated_at: ReadOnly
    updated_by: ReadOnly

    def draft(self) -> Draft:
        """The export that the body defines; its id and times come later."""
        values = {**self.model_dump(), "id": "", "max_removal_share": self.removal_guard.max_share}
        return Draft(_EXPORT.validate_python(values), self.unread, self.faults)
