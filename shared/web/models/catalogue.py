"""Segments and attributes as JSON."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from shared.fields.consent import suggested_meaning
from shared.model.export import ConsentMeaning
from shared.segments.choosing.catalogue import AttributeInfo, SegmentInfo
from shared.segments.suggestions import Role
from shared.web.models.base import ListView, Time, View, is_empty, is_none
from shared.web.models.runs import FindingView, ReasonView, reason_view


class SegmentView(View):
    """A segment that can be exported.

    `complete` is false while its files are being written or cannot be used; `reason` is the cause.
    """

    name: str
    display_name: str
    member_count: int | None
    refreshed_at: Time | None
    complete: bool
    reason: ReasonView | None


def segment_view(info: SegmentInfo, language: str) -> SegmentView:
    """The JSON form of a segment, in the caller's language."""
    return SegmentView.of(info, reason=reason_view(info.reason, language))


class RefreshJobView(View):
    """A refresh of Customer Insights, completed or in progress. `status` and `kind` are those of its REST API."""

    id: str
    operation: str
    kind: str
    status: str
    ended_at: Time | None


class AttributeView(View):
    """An attribute of the unified profile."""

    name: str
    data_type: str
    semantic_type: str | None
    suggested_for: Role | None
    # Omitted if the name suggests neither meaning.
    suggested_consent_meaning: Annotated[
        ConsentMeaning | None,
        Field(
            exclude_if=is_none,
            description="What a yes means if this is the consent attribute, suggested by its name",
            examples=["yesMustNotBeMailed"],
        ),
    ] = None


def attribute_view(info: AttributeInfo) -> AttributeView:
    """The JSON form of an attribute."""
    return AttributeView.of(info, suggested_consent_meaning=suggested_meaning(info.name))


class SegmentList(ListView[SegmentView]):
    """Segments, sorted by name. `findings` name what is missing and why."""

    findings: Annotated[tuple[FindingView, ...], Field(exclude_if=is_empty)] = ()


class AttributeList(ListView[AttributeView]):
    """Attributes of the unified profile."""


class RefreshJobList(ListView[RefreshJobView]):
    """Refreshes of Customer Insights, newest first."""
