"""An export as JSON: what people write, and what the app adds to it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from pydantic import Field

from shared.model.export import (
    AttributeMapping,
    Export,
    FieldToCreate,
    Leavers,
    Mapping,
    NewContacts,
    NewContactStatus,
    SegmentChoice,
)
from shared.model.run import Finding, Run
from shared.web.models.base import Body, Label, ReadOnly, Time, View
from shared.web.models.runs import FindingView, RunView, finding_views, run_view
from shared.web.models.schedules import ScheduleBody, ScheduleView, schedule_view

__all__ = ["ExportBody", "ExportParts", "ExportView", "export_draft", "export_view"]

# Types that Mailchimp makes from a name alone; address, radio and dropdown need more.
FieldType = Literal["text", "number", "phone", "date", "url", "imageurl", "birthday", "zip"]
# Parts of a field that takes an address; several attributes may make up one.
AddressPart = Literal["addr1", "addr2", "city", "state", "zip", "country"]
# How an attribute writes dates such as 05/06/1980.
DateOrder = Literal["dayFirst", "monthFirst"]
_MOST_ATTRIBUTES = 100
_MOST_SEGMENTS = 200


class FieldToCreateBody(Body):
    """A merge field that the first run creates."""

    name: Label
    type: FieldType = "text"


class AttributeBody(Body):
    """An attribute and the merge field that takes it."""

    attribute: Label
    merge_field: str
    create: FieldToCreateBody | None = None
    part: AddressPart | None = None
    date_order: DateOrder | None = None

    def value(self) -> AttributeMapping:
        """The plain value."""
        made = FieldToCreate(self.create.name, self.create.type) if self.create else None
        return AttributeMapping(self.attribute, self.merge_field, made, self.part, self.date_order)


class MappingBody(Body):
    """Which attribute is what."""

    email: Label
    first_name: Label | None = None
    last_name: Label | None = None
    attributes: tuple[AttributeBody, ...] = Field(default=(), max_length=_MOST_ATTRIBUTES)

    def value(self) -> Mapping:
        """The plain value."""
        attributes = tuple(attribute.value() for attribute in self.attributes)
        return Mapping(self.email, self.first_name, self.last_name, attributes)


class SegmentBody(Body):
    """A segment and its tag; the tag is the segment's name where none is given."""

    name: Label
    tag: Label | None = None


class NewContactsBody(Body):
    """How people become members whom the audience does not hold yet."""

    status: NewContactStatus = NewContactStatus.AUDIENCE_DEFAULT
    consent_attribute: Label | None = None


class RemovalGuardBody(Body):
    """The largest share of a tag's people that a run may take it away from unasked."""

    max_share: float = Field(default=0.3, json_schema_extra={"minimum": 0, "maximum": 1})


class ExportParts(Body):
    """Any part of an export; the parts that are missing hold placeholders."""

    display_name: Label = "-"
    connection_id: str | None = None
    audience_id: str = ""
    mapping: MappingBody = MappingBody.model_construct(email="-")
    segments: tuple[SegmentBody, ...] = Field(default=(), max_length=_MOST_SEGMENTS)
    new_contacts: NewContactsBody = NewContactsBody()
    leavers: Leavers = Leavers.REMOVE_TAG
    removal_guard: RemovalGuardBody = RemovalGuardBody()
    schedule: ScheduleBody = ScheduleBody()

    id: ReadOnly
    findings: ReadOnly
    last_run: ReadOnly
    created_at: ReadOnly
    created_by: ReadOnly
    updated_at: ReadOnly
    updated_by: ReadOnly


class ExportBody(ExportParts):
    """An export as people write it."""

    display_name: Label
    connection_id: str | None
    audience_id: str
    mapping: MappingBody
    segments: tuple[SegmentBody, ...] = Field(max_length=_MOST_SEGMENTS)


def export_draft(body: ExportParts) -> Export:
    """The plain value of a body; its id and times come later."""
    return Export(
        id="",
        display_name=body.display_name,
        connection_id=body.connection_id,
        audience_id=body.audience_id,
        mapping=body.mapping.value(),
        segments=tuple(SegmentChoice(s.name, s.tag) for s in body.segments),
        new_contacts=NewContacts(body.new_contacts.status, body.new_contacts.consent_attribute),
        leavers=body.leavers,
        max_removal_share=body.removal_guard.max_share,
        schedule=body.schedule.value(),
    )


class FieldToCreateView(View):
    """A merge field that the first run creates."""

    name: str
    type: str


class AttributeView(View):
    """An attribute and the merge field that takes it."""

    attribute: str
    merge_field: str
    create: FieldToCreateView | None
    part: str | None = None
    date_order: str | None = None


class MappingView(View):
    """Which attribute is what."""

    email: str
    first_name: str | None
    last_name: str | None
    attributes: tuple[AttributeView, ...]


class SegmentChoiceView(View):
    """A segment and its tag."""

    name: str
    tag: str | None


class NewContactsView(View):
    """How people become members."""

    status: NewContactStatus
    consent_attribute: str | None


class RemovalGuardView(View):
    """The largest share of a tag's people that a run may take it away from unasked."""

    max_share: float


class ExportView(View):
    """An export."""

    id: str
    display_name: str
    connection_id: str | None
    audience_id: str
    mapping: MappingView
    segments: tuple[SegmentChoiceView, ...]
    new_contacts: NewContactsView
    leavers: Leavers
    removal_guard: RemovalGuardView
    schedule: ScheduleView
    findings: tuple[FindingView, ...]
    last_run: RunView | None
    created_at: Time | None
    created_by: str
    updated_at: Time | None
    updated_by: str

    def shown(self) -> dict[str, object]:
        """The JSON form; what an attribute does not choose is left out, as people write it."""
        shown: dict[str, Any] = super().shown()
        for attribute in shown["mapping"]["attributes"]:
            for name in ("part", "dateOrder"):
                if attribute[name] is None:
                    del attribute[name]
        return shown


def export_view(
    export: Export, last_run: Run | None, language: str, findings: Sequence[Finding] = ()
) -> ExportView:
    """The JSON form of an export; `findings` is what a person should know about it."""
    return ExportView(
        id=export.id,
        display_name=export.display_name,
        connection_id=export.connection_id,
        audience_id=export.audience_id,
        mapping=MappingView.model_validate(export.mapping),
        segments=tuple(SegmentChoiceView.model_validate(s) for s in export.segments),
        new_contacts=NewContactsView.model_validate(export.new_contacts),
        leavers=export.leavers,
        removal_guard=RemovalGuardView(max_share=export.max_removal_share),
        schedule=schedule_view(export.schedule),
        findings=finding_views(findings, language),
        last_run=run_view(last_run, language) if last_run else None,
        created_at=export.created_at,
        created_by=export.created_by,
        updated_at=export.updated_at,
        updated_by=export.updated_by,
    )
