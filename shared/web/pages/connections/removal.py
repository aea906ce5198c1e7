"""Remove a connection. A page explains what it does."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from shared.web.access import AccessRoute, requires
from shared.web.application import connections
from shared.web.application.etags import etag_of
from shared.web.authentication import Role
from shared.web.pages.forms import NO_ERRORS, FormErrors, SentForm
from shared.web.pages.render import CurrentPage, Page, redirect
from shared.web.parameters import Id

router = APIRouter(route_class=AccessRoute, include_in_schema=False)

_ONE = "/connections/{id:id}"


@router.get(f"{_ONE}/remove")
@requires(Role.ADMINISTRATOR)
def ask_removal(connection_id: Id, page: CurrentPage) -> Response:
    """Explain what removing does and does not do, and list the exports that use the connection."""
    return _removal(page, connection_id)


def _removal(page: Page, connection_id: str, errors: FormErrors = NO_ERRORS) -> Response:
    stored = page.services.connections.read(connection_id)
    return page.render(
        "connections/remove.html",
        errors=errors,
        connection=stored.value,
        etag=etag_of(stored.etag),
        exports=page.services.definitions.using(connection_id),
    )


@router.post(f"{_ONE}/remove")
@requires(Role.ADMINISTRATOR)
def remove(connection_id: Id, page: CurrentPage, form: SentForm) -> Response:
    """Remove a connection, detaching the exports first if that was ticked."""
    result = page.attempt(
        lambda: connections.delete(
            page.context, connection_id, detach_exports=form.has("detach"), if_match=form.etag
        ),
    )
    if isinstance(result, FormErrors):
        return _removal(page, connection_id, result)
    return redirect("/connections?done=removed")
