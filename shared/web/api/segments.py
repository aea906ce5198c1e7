"""What can be exported: the segments of Customer Insights and the attributes of their people."""

from __future__ import annotations

from shared.model.run import Finding, Severity
from shared.web.api.answers import listed
from shared.web.call import Call
from shared.web.http import Response
from shared.web.models.catalogue import (
    AttributeInfoView,
    RefreshJobView,
    SegmentInfoView,
    segment_view,
)
from shared.web.models.runs import finding_views
from shared.web.needs import Desk
from shared.web.principal import Role
from shared.web.routes import Param, Route

__all__ = ["ROUTES"]


def segments(call: Call) -> Response:
    """Every segment that Customer Insights has written."""
    found = call.desk.catalogue.listing()
    views = [segment_view(each, call.language) for each in found.segments]
    faults = [Finding(Severity.WARNING, f.code, f.message, f.values) for f in found.faults]
    return listed(views, call, findings=finding_views(faults, call.language))


def attributes(call: Call) -> Response:
    """The attributes of one segment's people, or of everybody's."""
    found = call.desk.catalogue.attributes(call.request.query.get("segment") or None)
    return listed([AttributeInfoView.model_validate(a) for a in found], call)


def refresh_jobs(call: Call) -> Response:
    """The refreshes that Customer Insights remembers, newest first as it lists them."""
    asked = call.desk.refresh_jobs
    found = asked() if asked is not None else ()
    return listed([RefreshJobView.model_validate(job) for job in found], call)


def _has_jobs(desk: Desk) -> bool:
    return desk.refresh_jobs is not None


ROUTES = (
    Route(
        "GET",
        "/api/refresh-jobs",
        Role.VIEWER,
        refresh_jobs,
        "List the refreshes of Customer Insights",
        gives=RefreshJobView,
        gives_list=True,
        there=_has_jobs,
    ),
    Route(
        "GET",
        "/api/segments",
        Role.VIEWER,
        segments,
        "List segments",
        gives=SegmentInfoView,
        gives_list=True,
    ),
    Route(
        "GET",
        "/api/attributes",
        Role.VIEWER,
        attributes,
        "List attributes",
        gives=AttributeInfoView,
        gives_list=True,
        params=(Param("segment", "Only the attributes of this segment, by its name"),),
    ),
)
