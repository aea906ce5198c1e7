"""One person over all exports: why they are (not) in Mailchimp, and how to erase them.

The address is sent in forms only: it is in no link, no title and no cookie.
"""

from __future__ import annotations

from collections.abc import Sequence

from fastapi import APIRouter
from starlette.responses import Response

from shared.people.erasures import Erasure
from shared.people.search import PersonInExport
from shared.web.access import AccessRoute, requires
from shared.web.application import people
from shared.web.authentication import Role
from shared.web.models.people import EraseBody, person_named, person_view
from shared.web.pages.forms import NO_ERRORS, FormErrors, SentForm
from shared.web.pages.render import CurrentPage, Page, redirect
from shared.web.texts import text

router = APIRouter(route_class=AccessRoute, include_in_schema=False)


@router.get("/people")
@requires(Role.ADMINISTRATOR)
def show(page: CurrentPage) -> Response:
    """The address to search for."""
    return _people(page)


@router.post("/people")
@requires(Role.ADMINISTRATOR)
def search(page: CurrentPage, form: SentForm) -> Response:
    """What every export has stored about the person."""
    return _found(page, form.get("person"))


@router.get("/people/erase")
@requires(Role.ADMINISTRATOR)
def show_after_erasing() -> Response:
    """The search: the browser stays at this address after an erasure, and people reload or switch the language."""
    return redirect("/people")


@router.post("/people/erase")
@requires(Role.ADMINISTRATOR)
def erase(page: CurrentPage, form: SentForm) -> Response:
    """Erase the person everywhere; the receipt."""
    email = form.get("email")
    if not form.has("sure"):
        return _found(page, email, FormErrors(400, text(page.language, "pages.people.tick")))

    def erased() -> Erasure:
        sent = {"email": email, "deleteInMailchimp": form.has("deleteInMailchimp")}
        body = EraseBody.from_form(sent)
        return people.erase(page.context, body.email, body.delete_in_mailchimp)

    receipt = page.attempt(erased)
    if isinstance(receipt, FormErrors):
        return _people(page, email, receipt)
    return _people(page, email, receipt=receipt)


def _found(page: Page, person: str, errors: FormErrors = NO_ERRORS) -> Response:
    """The result of a search by address, or by CustomerId when there is no @ in it."""

    def found() -> Sequence[PersonInExport]:
        return people.search(page.context, person_named(person))

    results = page.attempt(found, only_reads=True)
    if isinstance(results, FormErrors):
        return _people(page, person, results)
    return _people(page, person, errors, found=results)


def _people(
    page: Page,
    person: str = "",
    errors: FormErrors = NO_ERRORS,
    *,
    found: Sequence[PersonInExport] | None = None,
    receipt: Erasure | None = None,
) -> Response:
    shown = [(one.has_person, person_view(one, page.language)) for one in found or ()]
    addresses = {one.email.lower() for one in found or () if one.email}
    return page.render(
        "people/search.html",
        errors=errors,
        person=person,
        # A profile may have several addresses; each is erased by itself.
        emails=[person] if "@" in person else sorted(addresses),
        found=found,
        holding=[view for has_person, view in shown if has_person],
        others=[view for has_person, view in shown if not has_person],
        receipt=receipt,
    )
