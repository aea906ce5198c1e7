"""Create a connection: the first step of setting up."""

from __future__ import annotations

from collections.abc import Mapping

from fastapi import APIRouter
from starlette.responses import Response

from shared.web.access import AccessRoute, requires
from shared.web.application import connections
from shared.web.authentication import Role
from shared.web.models.connections import NewConnectionBody
from shared.web.pages.connections.page import shared_with
from shared.web.pages.forms import NO_ERRORS, FormErrors, SentForm
from shared.web.pages.render import CurrentPage, Page, redirect

router = APIRouter(route_class=AccessRoute, include_in_schema=False)


@router.get("/setup/connection")
@requires(Role.ADMINISTRATOR)
def show_new(page: CurrentPage) -> Response:
    """The first step of setting up."""
    return _new(page, {"displayName": "", "agreed": False, "shared": True})


def _new(page: Page, form: Mapping[str, object], errors: FormErrors = NO_ERRORS) -> Response:
    return page.render(
        "connections/new.html",
        errors=errors,
        form=form,
    )


@router.post("/setup/connection")
@requires(Role.ADMINISTRATOR)
def create(page: CurrentPage, form: SentForm) -> Response:
    """Create a connection, and continue with signing in."""

    def created() -> str:
        sent = {
            "displayName": form.get("displayName"),
            "consent": {"agreed": form.has("agreed"), "locale": page.language},
            "sharedWith": shared_with(form),
        }
        body = NewConnectionBody.from_form(sent)
        return connections.create(page.context, body).value.id

    connection_id = page.attempt(created)
    if isinstance(connection_id, FormErrors):
        again = {name: form.has(name) for name in ("agreed", "shared")}
        return _new(page, {"displayName": form.get("displayName"), **again}, connection_id)
    return redirect(f"/connections/{connection_id}")
