"""The form that sends one person of an export. The run's page shows what was sent.

The address is sent in a form only: it is in no link and no title.
"""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from shared.web.access import AccessRoute, Subject, requires
from shared.web.application import people
from shared.web.authentication import Role
from shared.web.models.people import person_named
from shared.web.pages.forms import NO_ERRORS, FormErrors, SentForm
from shared.web.pages.people.removed_export import removed_export
from shared.web.pages.render import CurrentPage, Page, redirect
from shared.web.parameters import Id

router = APIRouter(route_class=AccessRoute, include_in_schema=False)

_PAGE = "/exports/{id:id}/person"


def _shown(
    page: Page, export_id: str, person: str = "", errors: FormErrors = NO_ERRORS
) -> Response:
    return page.render(
        "people/one_person.html",
        errors=errors,
        export=page.services.definitions.read(export_id).value,
        person=person,
    )


@router.get(_PAGE)
@requires(Role.CONTRIBUTOR, shared=Subject.EXPORT)
def show(export_id: Id, page: CurrentPage) -> Response:
    """Choose the person."""
    return _shown(page, export_id)


@router.post(_PAGE)
@requires(Role.CONTRIBUTOR, shared=Subject.EXPORT)
def send(export_id: Id, page: CurrentPage, form: SentForm) -> Response:
    """Send the person."""
    person = form.get("person")
    if page.services.definitions.find(export_id) is None:
        return removed_export(page, person)
    run = page.attempt(lambda: people.send(page.context, export_id, person_named(person)))
    if isinstance(run, FormErrors):
        return _shown(page, export_id, person, run)
    return redirect(f"/runs/{run.id}")
