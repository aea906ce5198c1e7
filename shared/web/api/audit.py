"""The audit trail over HTTP."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request

from shared.web.access import AccessRoute, requires
from shared.web.api.paging import next_link
from shared.web.application import audit
from shared.web.authentication import Role
from shared.web.dependencies import CurrentContext, Skip, Top
from shared.web.models.audit import AuditEntryList

__all__ = ["router"]

router = APIRouter(route_class=AccessRoute, tags=["audit"])


@router.get("/api/audit", summary="List the audit trail, newest first")
@requires(Role.ADMINISTRATOR)
def list_entries(
    request: Request, context: CurrentContext, top: Top = 50, skip: Skip = 0
) -> AuditEntryList:
    """Returns the changes: who made them, when, and the fields before and after."""
    entries = audit.newest(context, skip, top + 1)
    return AuditEntryList.listing(entries[:top], next_link(request, skip, top, len(entries) > top))
