"""Segments and attributes as JSON."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from shared.web.models.base import ListView, Time, View
from shared.web.models.runs import FindingView, ReasonView, reason_view
from shared.web.services import SegmentInfo

__all__ = [
    "AttributeList",
    "AttributeView",
    "RefreshJobList",
    "RefreshJobView",
    "SegmentList",
    "SegmentView",
    "segment_view",
]


def _is_empty(value: tuple[object, ...]) -> bool:
    return not value


class SegmentView(View):
    """A segment that can be exported.

    `complete` is false while its files are being written or cannot be used; `reason` says why.
    """

    name: str
    display_name: str
    member_count: int | None
    refreshed_at: Time | None
    complete: bool
    reason: ReasonView | None


def segment_view(info: SegmentInfo, language: str) -> SegmentView:
    """The JSON form of a segment, in the caller's language."""
    return SegmentView(
        name=info.name,
        display_name=info.display_name,
        member_count=info.member_count,
        refreshed_at=info.refreshed_at,
        complete=info.complete,
        reason=reason_view(info.reason, language) if info.reason else None,
    )


class RefreshJobView(View):
    """A refresh that Customer Insights has made or is making; `status` and `kind` are those of its REST API."""

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
    suggested_for: str | None


class SegmentList(ListView[SegmentView]):
    """Segments, by name; `findings` name what is missing and why, if something is."""

    findings: Annotated[tuple[FindingView, ...], Field(exclude_if=_is_empty)] = ()


class AttributeList(ListView[AttributeView]):
    """Attributes of the unified profile."""


class RefreshJobList(ListView[RefreshJobView]):
    """Refreshes of Customer Insights, newest first."""
