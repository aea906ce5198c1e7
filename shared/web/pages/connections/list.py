"""The connections, and the exports that use each."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from shared.web.access import AccessRoute, requires
from shared.web.authentication import Role
from shared.web.pages.render import CurrentPage

router = APIRouter(route_class=AccessRoute, include_in_schema=False)


@router.get("/connections")
@requires(Role.VIEWER)
def list_all(page: CurrentPage) -> Response:
    """Every connection and the exports that use it."""
    services = page.services
    exports = [stored.value for stored in services.definitions.all()]
    rows = [
        {
            "connection": each,
            "exports": [export for export in exports if export.connection_id == each.id],
        }
        for each in services.connections.all()
    ]
    return page.render("connections/list.html", rows=rows)
