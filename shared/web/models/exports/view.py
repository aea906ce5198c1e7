"""An export in a response: its definition, and what the app adds to it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import (
    ConfigDict,
    Field,
)

from shared.model.export import (
    ConsentMeaning,
    Export,
    Leavers,
    NewContactStatus,
    OnAddressChange,
    OnWithdrawal,
)
from shared.model.finding import Finding
from shared.model.run import Run
from shared.web.models.base import (
    ListView,
    Time,
    View,
    is_none,
    one_of,
)
from shared.web.models.exports.body import (
    EXAMPLE,
    AddressPart,
    DateOrder,
    DecimalMark,
    ExportBody,
    FieldType,
)
from shared.web.models.runs import FindingView, RunView, finding_views, run_view
from shared.web.models.schedules import ScheduleView

_EXAMPLE_VIEW: dict[str, Any] = {
    "id": "5d1f0c2b8e7a4936",
    **EXAMPLE,
    "findings": [],
    "lastRun": None,
    "createdAt": "2026-11-23T09:00:00.000Z",
    "createdBy": "ada@contoso.example",
    "updatedAt": "2026-11-23T09:00:00.000Z",
    "updatedBy": "ada@contoso.example",
}


class FieldToCreateView(View):
    """A merge field that the first run creates."""

    name: str
    type: Annotated[str, one_of(FieldType)]


class MappedAttributeView(View):
    """An attribute and the merge field that receives its value."""

    attribute: str
    merge_field: str
    create: FieldToCreateView | None
    # Omitted if the attribute does not set it, as in the request.
    part: Annotated[Annotated[str, one_of(AddressPart)] | None, Field(exclude_if=is_none)] = None
    date_order: Annotated[Annotated[str, one_of(DateOrder)] | None, Field(exclude_if=is_none)] = (
        None
    )
    decimal_mark: Annotated[
        Annotated[str, one_of(DecimalMark)] | None, Field(exclude_if=is_none)
    ] = None


class EvidenceView(View):
    """The attributes that are evidence of consent."""

    timestamp_signup: str | None
    ip_signup: str | None
    timestamp_opt: str | None
    ip_opt: str | None


class MappingView(View):
    """The attributes and what each is used for."""

    email: str
    first_name: str | None
    last_name: str | None
    attributes: tuple[MappedAttributeView, ...]
    # Omitted if there is none, as in the request.
    evidence: Annotated[EvidenceView | None, Field(exclude_if=is_none)] = None


class SegmentChoiceView(View):
    """A segment and its tag."""

    name: str
    tag: str | None


def _is_usual(meaning: ConsentMeaning) -> bool:
    return meaning is ConsentMeaning.YES_MAY_BE_MAILED


class NewContactsView(View):
    """How new contacts are added."""

    status: NewContactStatus
    consent_attribute: str | None
    # The usual meaning is omitted, as in the request.
    consent_meaning: Annotated[ConsentMeaning, Field(exclude_if=_is_usual)]


class RemovalGuardView(View):
    """The largest share of a tag's people that may lose it in one run without a confirmation."""

    max_share: float


class GrowthGuardView(View):
    """The largest number of new contacts that a run may add without a confirmation."""

    max_share: float
    max_contacts: int | None


class ExclusionGuardView(View):
    """The largest share of an exclusion segment's members that may be missing without a confirmation."""

    max_share: float


class ExportView(View):
    """An export: its definition, its newest run and its findings."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE_VIEW]})

    id: str
    display_name: str
    connection_id: str | None
    audience_id: str
    mapping: MappingView
    segments: tuple[SegmentChoiceView, ...]
    new_contacts: NewContactsView
    leavers: Leavers
    on_withdrawal: OnWithdrawal
    on_address_change: OnAddressChange
    exclusion_segments: tuple[str, ...]
    removal_guard: RemovalGuardView
    growth_guard: GrowthGuardView
    exclusion_guard: ExclusionGuardView
    contact_budget: int | None
    schedule: ScheduleView
    findings: tuple[FindingView, ...]
    last_run: RunView | None
    created_at: Time | None
    created_by: str
    updated_at: Time | None
    updated_by: str


def export_view(
    export: Export, last_run: Run | None, language: str, findings: Sequence[Finding] = ()
) -> ExportView:
    """The JSON form of an export; `findings` is what a person should know about it."""
    return ExportView.of(
        export,
        removal_guard=RemovalGuardView(max_share=export.max_removal_share),
        findings=finding_views(findings, language),
        last_run=run_view(last_run, language) if last_run else None,
    )


# What the app adds to a definition: not a change that a person makes.
_ADDED = {name for name, field in ExportBody.model_fields.items() if field.exclude}


def recorded_export(export: Export) -> dict[str, object]:
    """What the audit trail records of an export: its definition, which holds no person's data."""
    return export_view(export, None, "en").model_dump(mode="json", by_alias=True, exclude=_ADDED)


class ExportList(ListView[ExportView]):
    """Exports, by name."""
