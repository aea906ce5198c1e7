"""Unused contacts of an audience: their share, and a button that archives them."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from shared.model.run import Run
from shared.web.access import AccessRoute, Subject, requires
from shared.web.application import unused_contacts
from shared.web.authentication import Role
from shared.web.models.unused_contacts import ArchiveBody
from shared.web.pages.forms import FormErrors, SentForm
from shared.web.pages.render import CurrentPage, Page, redirect
from shared.web.parameters import AudienceId, Id
from shared.web.texts import text

router = APIRouter(route_class=AccessRoute, include_in_schema=False)


@router.get("/connections/{id:id}/audiences/{audienceId:id}")
@requires(Role.CONTRIBUTOR, shared=Subject.CONNECTION)
def show(connection_id: Id, audience_id: AudienceId, page: CurrentPage) -> Response:
    """What the audience has."""
    found = page.attempt(
        lambda: page.services.unused_contacts.read(connection_id, audience_id),
        only_reads=True,
    )
    if isinstance(found, FormErrors):
        return page.render("connections/unused_contacts.html", errors=found, found=None)
    return page.render("connections/unused_contacts.html", found=found)


@router.get("/exports/{id:id}/archive-unused")
@requires(Role.CONTRIBUTOR, shared=Subject.EXPORT)
def show_after_archiving(export_id: Id, page: CurrentPage) -> Response:
    """The page of the audience: a refused action leaves the browser at its address."""
    return redirect(_page_of(page, export_id))


@router.post("/exports/{id:id}/archive-unused")
@requires(Role.CONTRIBUTOR, shared=Subject.EXPORT)
def archive(export_id: Id, page: CurrentPage, form: SentForm) -> Response:
    """Archive the unused contacts of an export."""
    if page.switches_language:
        return redirect(_page_of(page, export_id))
    if not form.has("sure"):
        errors = FormErrors(400, text(page.language, "pages.unused.tick"))
        return page.render("connections/unused_contacts.html", errors=errors, found=None)

    def archived() -> Run:
        body = ArchiveBody.from_form({"people": form.whole_number("people")})
        return unused_contacts.archive(page.context, export_id, body.people)

    run = page.attempt(archived)
    if isinstance(run, FormErrors):
        return page.render("connections/unused_contacts.html", errors=run, found=None)
    return redirect(f"/runs/{run.id}")


def _page_of(page: Page, export_id: str) -> str:
    export = page.services.definitions.read(export_id).value
    if not export.connection_id:
        return f"/exports/{export_id}"
    return f"/connections/{export.connection_id}/audiences/{export.audience_id}"
