"""One person over all exports: why they are (not) in Mailchimp, and how to remove them.

The address travels in forms only, and stands in no link, no title and no cookie.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from shared.web.api import people as interface
from shared.web.call import Call
from shared.web.http import Response
from shared.web.needs import Desk
from shared.web.pages.forms import Answer, ask, form_of
from shared.web.pages.render import page
from shared.web.principal import Role
from shared.web.routes import Route
from shared.web.texts import text

__all__ = ["ROUTES"]


def show(call: Call) -> Response:
    """Whom to look for."""
    return _page(call, "", Answer())


def search(call: Call) -> Response:
    """What every export knows of the person."""
    email = form_of(call).get("email")
    return _page(call, email, ask(call, interface.search, {"email": email}), searched=True)


def erase(call: Call) -> Response:
    """Remove the person everywhere; the receipt."""
    form = form_of(call)
    if not form.has("sure"):
        again = ask(call, interface.search, {"email": form.get("email")})
        unsure = text(call.language, "pages.people.tick")
        return _page(call, form.get("email"), replace(again, message=unsure), searched=True)
    body = {"email": form.get("email"), "deleteInMailchimp": form.has("deleteInMailchimp")}
    return _page(call, body["email"], ask(call, interface.erase, body), erased=True)


def _page(
    call: Call, email: object, answer: Answer, *, searched: bool = False, erased: bool = False
) -> Response:
    found: Any = answer.response.json() if answer.response else None
    return page(
        call,
        "people.html",
        status=400 if answer.message else 200,
        email=email,
        found=found["value"] if searched and found else None,
        receipt=found if erased else None,
        has_erase=call.desk.erase is not None,
        message=answer.message,
        faults=dict(answer.faults),
    )


def _has_search(desk: Desk) -> bool:
    return desk.search is not None


def _has_erase(desk: Desk) -> bool:
    return desk.search is not None and desk.erase is not None


_ADMINISTRATOR = Role.ADMINISTRATOR

ROUTES = (
    Route("GET", "/people", _ADMINISTRATOR, show, "Find", is_page=True, there=_has_search),
    Route("POST", "/people", _ADMINISTRATOR, search, "Search", is_page=True, there=_has_search),
    Route("POST", "/people/erase", _ADMINISTRATOR, erase, "Erase", is_page=True, there=_has_erase),
)
