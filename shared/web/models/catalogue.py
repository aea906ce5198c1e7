"""Segments and attributes as JSON."""

from __future__ import annotations

from shared.web.models.base import Time, View
from shared.web.models.runs import ReasonView, reason_view
from shared.web.needs import SegmentInfo

__all__ = ["AttributeInfoView", "RefreshJobView", "SegmentInfoView", "segment_view"]


class SegmentInfoView(View):
    """A segment that can be exported.

    `complete` is false while its files are being written or cannot be used; `reason` says why.
    """

    name: str
    display_name: str
    member_count: int | None
    refreshed_at: Time | None
    complete: bool
    reason: ReasonView | None


def segment_view(info: SegmentInfo, language: str) -> SegmentInfoView:
    """The JSON form of a segment, in the caller's language."""
    return SegmentInfoView(
        name=info.name,
        display_name=info.display_name,
        member_count=info.member_count,
        refreshed_at=info.refreshed_at,
        complete=info.complete,
        reason=reason_view(info.reason, language) if info.reason else None,
    )


class RefreshJobView(View):
    """A refresh that Customer Insights has made or is making; words as its REST API has them."""

    id: str
    operation: str
    kind: str
    status: str
    ended_at: Time | None


class AttributeInfoView(View):
    """An attribute of the unified profile."""

    name: str
    data_type: str
    semantic_type: str | None
    suggested_for: str | None
