"""The refresh schedule over HTTP."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from shared.model.export import Schedule
from shared.model.ports import Stored
from shared.web.access import AccessRoute, requires
from shared.web.application import schedule
from shared.web.application.etags import etag_of
from shared.web.authentication import Role
from shared.web.models.schedules import RefreshScheduleBody, RefreshScheduleView
from shared.web.parameters import CurrentContext, IfMatch

router = APIRouter(prefix="/api/schedule", route_class=AccessRoute, tags=["schedule"])


def _shown(stored: Stored[Schedule], response: Response) -> RefreshScheduleView:
    response.headers["ETag"] = etag_of(stored.etag)
    return RefreshScheduleView.of(stored.value)


@router.get("", summary="Read the refresh schedule")
@requires(Role.VIEWER)
def read(context: CurrentContext, response: Response) -> RefreshScheduleView:
    """The schedule of the exports that run with every refresh."""
    return _shown(schedule.read(context), response)


@router.put("", summary="Set the refresh schedule")
@requires(Role.ADMINISTRATOR)
def change(
    body: RefreshScheduleBody, context: CurrentContext, response: Response, if_match: IfMatch = None
) -> RefreshScheduleView:
    """Times are in the given time zone."""
    return _shown(schedule.change(context, body, if_match), response)
