"""The way out to a sign-in page and the way back.

The way back ends on a fixed page that carries nothing of the request: no code, no state, no text
of Mailchimp's. It is never cached and sends no referrer on.
"""

from __future__ import annotations

from collections.abc import Callable

from shared.connections.sign_in import ENTRA_CALLBACK, MAILCHIMP_CALLBACK, Departure
from shared.errors import ConnectorError
from shared.model.connection import Connection
from shared.model.ports import Stored
from shared.web.api.answers import shown
from shared.web.api.connections import audited
from shared.web.call import Call
from shared.web.http import Response, reply
from shared.web.models.connections import AuthorizeView, ConnectionView, connection_view
from shared.web.needs import Desk
from shared.web.principal import Role
from shared.web.problem import HttpProblem
from shared.web.result_page import result_page
from shared.web.routes import Param, Route

__all__ = ["COOKIE", "ROUTES"]

# A name with the prefix __Host- is bound to this host and to https; plain http on this machine
# cannot have it. https://developer.mozilla.org/docs/Web/HTTP/Reference/Headers/Set-Cookie
COOKIE = "__Host-signin"
LOCAL_COOKIE = "signin"
_TEN_MINUTES = 600
_LONGEST_VALUE = 4096


def _is_secure(call: Call) -> bool:
    return call.desk.public_url.startswith("https:") or call.request.url.startswith("https:")


def _departure(call: Call, departure: Departure) -> Response:
    name, secure = (COOKIE, "; Secure") if _is_secure(call) else (LOCAL_COOKIE, "")
    # Lax: the way back is a top-level GET that another site starts.
    cookie = (
        f"{name}={departure.cookie}; Path=/; Max-Age={_TEN_MINUTES}; HttpOnly; SameSite=Lax{secure}"
    )
    return reply({"authorizeUrl": departure.url}, headers={"Set-Cookie": cookie})


def _cookie(call: Call) -> str:
    return call.request.cookies.get(COOKIE if _is_secure(call) else LOCAL_COOKIE, "")


def authorize_mailchimp(call: Call) -> Response:
    """Where to send the browser so that Mailchimp asks its user."""
    return _departure(call, call.desk.sign_ins().begin_mailchimp(call.id, call.principal.id))


def authorize_entra(call: Call) -> Response:
    """Where to send the browser so that Entra asks the export user."""
    return _departure(call, call.desk.sign_ins().begin_entra(call.id, call.principal.id))


def _back(
    call: Call,
    finish: Callable[[str, str, str, str, str], Stored[Connection]],
    action: str,
) -> Response:
    """Finish a sign-in and say on a fixed page how it ended."""
    query = call.request.query
    state, code = query.get("state", ""), query.get("code", "")
    if query.get("error"):
        return result_page(call, "signInDenied", 400)
    if not state or not code or len(state) > _LONGEST_VALUE or len(code) > _LONGEST_VALUE:
        return result_page(call, "signInInvalid", 400)
    try:
        stored = finish(state, code, _cookie(call), call.principal.id, call.principal.name)
    except ConnectorError as error:
        return result_page(call, error.code, 400)
    connection = stored.value
    call.audit(action, connection.id, connection.display_name, None, audited(connection))
    return result_page(call, "signedIn", 200)


def back_from_mailchimp(call: Call) -> Response:
    """Mailchimp sends the browser back here."""
    return _back(call, call.desk.sign_ins().finish_mailchimp, "connection.connect")


def back_from_entra(call: Call) -> Response:
    """Entra sends the browser back here."""
    return _back(call, call.desk.sign_ins().finish_entra, "connection.addExportUser")


def drop_export_user(call: Call) -> Response:
    """Forget the export user."""
    before = call.desk.connections_kept.read(call.id)
    call.matched(before.etag)
    if before.value.export_user is None:
        raise HttpProblem(404, "notFound", code="exportUserNotFound")
    stored = call.desk.connections_kept.drop_export_user(call.id, call.principal.name)
    after = stored.value
    call.audit(
        "connection.dropExportUser",
        call.id,
        after.display_name,
        audited(before.value),
        audited(after),
    )
    return shown(connection_view(after, True), call, stored.etag)


def _has_mailchimp(desk: Desk) -> bool:
    return desk.sign_in_states is not None


def _has_entra(desk: Desk) -> bool:
    return desk.sign_in_states is not None and desk.entra_door is not None


_ONE = "/api/connections/{id}"
_BACK = (
    Param("code", "What proves that the user agreed"),
    Param("state", "What proves that the way back belongs to a way out"),
    Param("error", "Why there is no code"),
)

ROUTES = (
    Route(
        "POST",
        f"{_ONE}/mailchimp/authorize",
        Role.ADMINISTRATOR,
        authorize_mailchimp,
        "Begin signing in to Mailchimp",
        gives=AuthorizeView,
        there=_has_mailchimp,
    ),
    Route(
        "GET",
        MAILCHIMP_CALLBACK,
        Role.ADMINISTRATOR,
        back_from_mailchimp,
        "The way back from Mailchimp's sign-in page",
        params=_BACK,
        media="text/html",
        there=_has_mailchimp,
    ),
    Route(
        "POST",
        f"{_ONE}/export-user/authorize",
        Role.ADMINISTRATOR,
        authorize_entra,
        "Begin adding yourself as export user",
        gives=AuthorizeView,
        there=_has_entra,
    ),
    Route(
        "GET",
        ENTRA_CALLBACK,
        Role.ADMINISTRATOR,
        back_from_entra,
        "The way back from Entra's sign-in page",
        params=_BACK,
        media="text/html",
        there=_has_entra,
    ),
    Route(
        "DELETE",
        f"{_ONE}/export-user",
        Role.ADMINISTRATOR,
        drop_export_user,
        "Forget the export user",
        gives=ConnectionView,
        etag=True,
        there=_has_entra,
    ),
)
