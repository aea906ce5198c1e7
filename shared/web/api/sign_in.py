"""Sign-in to Mailchimp and Entra: the URLs of their pages, and the callbacks.

A callback redirects to the page of the connection. If the sign-in failed, it ends on a page with the cause and
nothing of the request: no code, no state, no text of Mailchimp. It is never cached and sends no referrer.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from shared.connections.sign_in import ENTRA_CALLBACK, MAILCHIMP_CALLBACK, Departure
from shared.errors import ConnectorError
from shared.web.access import AccessRoute, requires
from shared.web.api.connections import shown
from shared.web.application import connections
from shared.web.authentication import Role
from shared.web.context import Context
from shared.web.cookies import departure_cookie, returning_cookie
from shared.web.dependencies import CurrentContext, Id, IfMatch
from shared.web.models.connections import AuthorizeView, ConnectionView
from shared.web.pages.render import redirect, sign_in_page
from shared.web.texts import has, text

__all__ = ["entra_router", "mailchimp_router"]

mailchimp_router = APIRouter(route_class=AccessRoute, tags=["connections"])
entra_router = APIRouter(route_class=AccessRoute, tags=["connections"])

_ONE = "/api/connections/{id:id}"
_LONGEST_VALUE = 4096

Code = Annotated[str, Query(description="The authorization code", examples=["abc"])]
State = Annotated[
    str, Query(description="The state that the sign-in was started with", examples=["abc"])
]
Error = Annotated[
    str, Query(description="The error, when there is no code", examples=["access_denied"])
]
Finish = Callable[[Context, str, str, str], str]


def _leave(
    request: Request, context: Context, departure: Departure, response: Response
) -> AuthorizeView:
    response.headers["Set-Cookie"] = departure_cookie(
        request, context.services.public_url, departure.cookie
    )
    return AuthorizeView(authorize_url=departure.url)


def _return(
    request: Request, context: Context, finish: Finish, values: tuple[str, str, str], done: str
) -> Response:
    """Finish a sign-in and continue at the connection; a failure is shown on a page of its own."""
    state, code, error = values
    if error:
        was_denied = error == "access_denied"
        denied = text(context.language, "signInDenied")
        words = denied if was_denied else text(context.language, "signInUnfinished")
        return sign_in_page(context.language, words, context.services.clock())
    if not state or not code or len(state) > _LONGEST_VALUE or len(code) > _LONGEST_VALUE:
        words = text(context.language, "signInInvalid")
        return sign_in_page(context.language, words, context.services.clock())
    try:
        cookie = returning_cookie(request, context.services.public_url)
        connection_id = finish(context, state, code, cookie)
    except ConnectorError as refused:
        known = has(refused.code)
        key = refused.code if known else "signIn.failed"
        words = text(context.language, key, refused.values)
        return sign_in_page(context.language, words, context.services.clock())
    return redirect(f"/connections/{connection_id}?done={done}")


@mailchimp_router.post(f"{_ONE}/mailchimp/authorize", summary="Start the sign-in to Mailchimp")
@requires(Role.ADMINISTRATOR)
def sign_in(
    connection_id: Id, request: Request, context: CurrentContext, response: Response
) -> AuthorizeView:
    """Returns the sign-in URL for the browser, and sets a cookie that the callback checks."""
    departure = connections.sign_in(context, connection_id)
    return _leave(request, context, departure, response)


@mailchimp_router.get(
    MAILCHIMP_CALLBACK,
    summary="Receive the result of the Mailchimp sign-in",
    response_class=HTMLResponse,
)
@requires(Role.ADMINISTRATOR)
def back_from_mailchimp(
    request: Request, context: CurrentContext, code: Code = "", state: State = "", error: Error = ""
) -> Response:
    """Mailchimp redirects the browser to this address, which redirects to the page of the connection."""
    values = (state, code, error)
    return _return(request, context, connections.finish_sign_in, values, "connected")


@entra_router.post(
    f"{_ONE}/export-user/authorize", summary="Start to add yourself as the export user"
)
@requires(Role.ADMINISTRATOR)
def add_export_user(
    connection_id: Id, request: Request, context: CurrentContext, response: Response
) -> AuthorizeView:
    """Returns the sign-in URL for the browser, and sets a cookie that the callback checks."""
    departure = connections.add_export_user(context, connection_id)
    return _leave(request, context, departure, response)


@entra_router.get(
    ENTRA_CALLBACK, summary="Receive the result of the Entra sign-in", response_class=HTMLResponse
)
@requires(Role.ADMINISTRATOR)
def back_from_entra(
    request: Request, context: CurrentContext, code: Code = "", state: State = "", error: Error = ""
) -> Response:
    """Entra redirects the browser to this address, which redirects to the page of the connection."""
    values = (state, code, error)
    finish = connections.finish_export_user
    return _return(request, context, finish, values, "exportUserAdded")


@entra_router.delete(f"{_ONE}/export-user", summary="Remove the export user")
@requires(Role.ADMINISTRATOR)
def drop_export_user(
    connection_id: Id, context: CurrentContext, response: Response, if_match: IfMatch = None
) -> ConnectionView:
    """The app then reads Customer Insights with its own identity."""
    stored = connections.drop_export_user(context, connection_id, if_match)
    return shown(stored, context, response)
