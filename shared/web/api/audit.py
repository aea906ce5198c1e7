"""The audit trail over HTTP."""

from __future__ import annotations

from fastapi import APIRouter

from shared.web.access import AccessRoute, requires
from shared.web.application import audit
from shared.web.authentication import Role
from shared.web.models.audit import AuditEntryList
from shared.web.parameters import CurrentContext, Paging

router = APIRouter(route_class=AccessRoute, tags=["audit"])


@router.get("/api/audit", summary="List the audit trail, newest first")
@requires(Role.ADMINISTRATOR)
def list_entries(context: CurrentContext, paging: Paging) -> AuditEntryList:
    """Returns the changes: who made them, when, and the fields before and after."""
    found = audit.newest(context, paging.after, paging.skip, paging.top)
    return AuditEntryList.listing(found.entries, paging.next_link(found.after or None))
