"""One person over all exports: why they are (not) in Mailchimp, and how to remove them.

The address comes in the body and goes nowhere else: not into a URL, a log or the audit trail.
"""

from __future__ import annotations

from shared.errors import Conflict, Unavailable
from shared.web.api.answers import listed, shown
from shared.web.call import Call
from shared.web.http import Response
from shared.web.models.people import EraseBody, ReceiptView, SearchBody, SightingView
from shared.web.needs import Desk, Sighting
from shared.web.outcomes_csv import action_text, reason_text
from shared.web.principal import Role
from shared.web.problem import HttpProblem
from shared.web.routes import Route

__all__ = ["ROUTES"]


def _view(sighting: Sighting, language: str) -> SightingView:
    return SightingView(
        export_id=sighting.export_id,
        export_name=sighting.export_name,
        segments=tuple(sighting.segments),
        in_audience=sighting.in_audience,
        outcome=sighting.outcome,
        code=sighting.code,
        reason=reason_text(sighting.code, language),
        action=action_text(sighting.code, language),
        at=sighting.at,
    )


def search(call: Call) -> Response:
    """What every export knows of an address."""
    if call.desk.search is None:
        raise HttpProblem(404, "notFound")
    found = call.desk.search(call.body(SearchBody).email)
    call.audit("person.search", "-", "", None, {"found": len(found)})
    return listed([_view(sighting, call.language) for sighting in found], call)


def erase(call: Call) -> Response:
    """Remove a person everywhere, with a receipt."""
    if call.desk.erase is None:
        raise HttpProblem(404, "notFound")
    body = call.body(EraseBody)
    try:
        receipt = call.desk.erase(body.email, body.delete_in_mailchimp, call.principal.name)
    except (Conflict, Unavailable) as unfinished:
        # Everything but Mailchimp is done by now: that is a change, and recorded as one.
        call.audit("person.erase", "-", "", None, {"unfinished": unfinished.code})
        raise
    view = ReceiptView.model_validate(receipt)
    call.audit(
        "person.erase",
        view.id,
        "",
        None,
        {"deleteInMailchimp": body.delete_in_mailchimp, "exports": view.exports},
    )
    return shown(view, call)


def _has_search(desk: Desk) -> bool:
    return desk.search is not None


def _has_erase(desk: Desk) -> bool:
    return desk.erase is not None


ROUTES = (
    Route(
        "POST",
        "/api/people/search",
        Role.ADMINISTRATOR,
        search,
        "Why someone is (not) in Mailchimp, over all exports",
        takes=SearchBody,
        gives=SightingView,
        gives_list=True,
        there=_has_search,
    ),
    Route(
        "POST",
        "/api/people/erase",
        Role.ADMINISTRATOR,
        erase,
        "Remove a person everywhere",
        takes=EraseBody,
        gives=ReceiptView,
        there=_has_erase,
    ),
)
