"""Segments and attributes as JSON."""

from __future__ import annotations

from shared.web.models.base import Time, View

__all__ = ["AttributeInfoView", "RefreshJobView", "SegmentInfoView"]


class SegmentInfoView(View):
    """A segment that can be exported. `complete` is false while its files are being written."""

    name: str
    display_name: str
    member_count: int | None
    refreshed_at: Time | None
    complete: bool


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
