"""What can be exported: the segments of Customer Insights and the attributes of their people."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from shared.model.finding import Finding, Severity
from shared.web.access import AccessRoute, requires
from shared.web.authentication import Role
from shared.web.models.catalogue import (
    AttributeList,
    RefreshJobList,
    SegmentList,
    attribute_view,
    segment_view,
)
from shared.web.models.runs import finding_views
from shared.web.parameters import CurrentContext, Optional

router = APIRouter(route_class=AccessRoute, tags=["segments"])
refresh_jobs_router = APIRouter(route_class=AccessRoute, tags=["segments"])


@router.get("/api/segments", summary="List segments")
@requires(Role.VIEWER)
def segments(context: CurrentContext) -> SegmentList:
    """Returns all segments that Customer Insights has exported, and findings about files that could not be read."""
    found = context.services.catalogue.listing()
    faults = [Finding(Severity.WARNING, f.code, f.values) for f in found.faults]
    return SegmentList(
        value=tuple(segment_view(segment, context.language) for segment in found.segments),
        findings=finding_views(faults, context.language),
    )


@router.get("/api/attributes", summary="List attributes")
@requires(Role.VIEWER)
def attributes(
    context: CurrentContext,
    segment: Annotated[
        Optional[str],
        Query(description="Only the attributes of this segment, by name", examples=["Segment_Vip"]),
    ] = None,
) -> AttributeList:
    """Returns the attributes of one segment, or of all segments."""
    found = context.services.catalogue.attributes(segment)
    return AttributeList.listing(attribute_view(info) for info in found)


@refresh_jobs_router.get("/api/refresh-jobs", summary="List the refreshes of Customer Insights")
@requires(Role.VIEWER)
def refresh_jobs(context: CurrentContext) -> RefreshJobList:
    """Returns the refreshes that Customer Insights has on record, newest first."""
    found = context.services.customer_insights.jobs() if context.services.customer_insights else ()
    return RefreshJobList.listing(found)
