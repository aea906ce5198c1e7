"""Remove an export, or detach its connection. Each has a page that explains what it does."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from shared.web.access import AccessRoute, Subject, requires
from shared.web.application import exports
from shared.web.application.etags import etag_of
from shared.web.authentication import Role
from shared.web.pages.forms import NO_ERRORS, FormErrors, SentForm
from shared.web.pages.render import CurrentPage, Page, redirect
from shared.web.parameters import Id

router = APIRouter(route_class=AccessRoute, include_in_schema=False)

_ONE = "/exports/{id:id}"


@router.get(f"{_ONE}/detach")
@requires(Role.CONTRIBUTOR, shared=Subject.EXPORT)
def ask_detach(export_id: Id, page: CurrentPage) -> Response:
    """Explain what detaching the connection does."""
    return _detach(page, export_id)


def _detach(page: Page, export_id: str, errors: FormErrors = NO_ERRORS) -> Response:
    details = exports.read(page.context, export_id)
    connection = page.services.connections.find(details.export.connection_id)
    return page.render(
        "exports/detach.html",
        errors=errors,
        export=details.export,
        connection=connection.display_name if connection else "",
        running=details.last_run is not None and details.last_run.is_active,
    )


@router.post(f"{_ONE}/detach")
@requires(Role.CONTRIBUTOR, shared=Subject.EXPORT)
def detach(export_id: Id, page: CurrentPage, _form: SentForm) -> Response:
    """Detach the connection."""
    detached = page.attempt(lambda: exports.detach(page.context, export_id))
    if isinstance(detached, FormErrors):
        return _detach(page, export_id, detached)
    return redirect(f"/exports/{export_id}?done=detached")


@router.get(f"{_ONE}/remove")
@requires(Role.CONTRIBUTOR, shared=Subject.EXPORT)
def ask_removal(export_id: Id, page: CurrentPage) -> Response:
    """Explain what removing does and does not do."""
    return _removal(page, export_id)


def _removal(page: Page, export_id: str, errors: FormErrors = NO_ERRORS) -> Response:
    stored = page.services.definitions.read(export_id)
    etag = etag_of(stored.etag)
    return page.render("exports/remove.html", errors=errors, export=stored.value, etag=etag)


@router.post(f"{_ONE}/remove")
@requires(Role.CONTRIBUTOR, shared=Subject.EXPORT)
def remove(export_id: Id, page: CurrentPage, form: SentForm) -> Response:
    """Remove an export."""
    result = page.attempt(lambda: exports.delete(page.context, export_id, form.etag))
    if isinstance(result, FormErrors):
        return _removal(page, export_id, result)
    return redirect("/?done=removed")
