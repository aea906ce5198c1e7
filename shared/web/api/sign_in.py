"""Sign-in to Mailchimp and Entra: the URLs of their pages, and the callbacks.

A callback redirects to the page of the connection. If the sign-in failed, it ends on a page with the cause and
nothing of the request: no code, no state, no text of Mailchimp. It is never cached and sends no referrer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from shared.connections.sign_in import Provider
from shared.errors import ConfigError, ConnectorError
from shared.web.access import AccessRoute, requires
from shared.web.api.connections import shown
from shared.web.application import connections
from shared.web.authentication import Role
from shared.web.context import Context
from shared.web.cookies import returned_cookie, sign_in_cookie
from shared.web.csrf import has_only_token
from shared.web.models.connections import AuthorizeView, ConnectionView
from shared.web.pages.render import redirect, sign_in_page
from shared.web.parameters import CurrentContext, Id, IfMatch
from shared.web.texts import has, text

mailchimp_router = APIRouter(route_class=AccessRoute, tags=["connections"])
entra_router = APIRouter(route_class=AccessRoute, tags=["connections"])

_ONE = "/api/connections/{id:id}"
_LONGEST_VALUE = 4096

# What the page of a connection confirms after a sign-in.
_DONE = {Provider.MAILCHIMP: "connected", Provider.ENTRA: "exportUserAdded"}


@dataclass(frozen=True)
class _CallbackQuery:
    """What a sign-in page sends back with the browser."""

    request: Request
    code: Annotated[str, Query(description="The authorization code", examples=["abc"])] = ""
    state: Annotated[
        str, Query(description="The state that the sign-in was started with", examples=["abc"])
    ] = ""
    error: Annotated[
        str, Query(description="The error, when there is no code", examples=["access_denied"])
    ] = ""

    def refuse(self) -> None:
        """Raise ConfigError unless the person agreed."""
        if self.error == "access_denied":
            raise ConfigError("signInDenied")
        if self.error:
            raise ConfigError("signInUnfinished")
        if not all(0 < len(value) <= _LONGEST_VALUE for value in (self.code, self.state)):
            raise ConfigError("signInInvalid")


CallbackQuery = Annotated[_CallbackQuery, Depends()]


def _begin(
    provider: Provider, connection_id: str, request: Request, context: Context, response: Response
) -> AuthorizeView:
    in_browser = not has_only_token(request)
    begun = connections.begin_sign_in(context, provider, connection_id, in_browser=in_browser)
    if begun.cookie:
        cookie = sign_in_cookie(request, context.services.public_url, begun.cookie)
        response.headers["Set-Cookie"] = cookie
    return AuthorizeView(authorize_url=begun.url)


def _finish(provider: Provider, query: _CallbackQuery, context: Context) -> Response:
    """Finish a sign-in and continue at the connection; a failure is shown on a page of its own."""
    try:
        query.refuse()
        cookie = returned_cookie(query.request, context.services.public_url)
        connection_id = connections.finish_sign_in(
            context, provider, query.state, query.code, cookie
        )
    except ConnectorError as refused:
        key = refused.code if has(refused.code) else "signIn.failed"
        words = text(context.language, key, refused.values)
        return sign_in_page(context.language, words, context.services.clock())
    return redirect(f"/connections/{connection_id}?done={_DONE[provider]}")


@mailchimp_router.post(f"{_ONE}/mailchimp/authorize", summary="Start the sign-in to Mailchimp")
@requires(Role.ADMINISTRATOR)
def sign_in(
    connection_id: Id, request: Request, context: CurrentContext, response: Response
) -> AuthorizeView:
    """Returns the sign-in URL for the browser, and sets a cookie that the callback checks.

    A request with a token and without cookies, such as from a portal on another site, gets no cookie, and the callback
    needs none. In each case, the person who starts the sign-in must be signed in to the app at the callback.
    """
    return _begin(Provider.MAILCHIMP, connection_id, request, context, response)


@mailchimp_router.get(
    Provider.MAILCHIMP.callback,
    summary="Receive the result of the Mailchimp sign-in",
    response_class=HTMLResponse,
    status_code=303,
)
@requires(Role.ADMINISTRATOR)
def finish_mailchimp(query: CallbackQuery, context: CurrentContext) -> Response:
    """Mailchimp redirects the browser to this address, which redirects to the page of the connection."""
    return _finish(Provider.MAILCHIMP, query, context)


@entra_router.post(
    f"{_ONE}/export-user/authorize", summary="Start to add yourself as the export user"
)
@requires(Role.ADMINISTRATOR)
def add_export_user(
    connection_id: Id, request: Request, context: CurrentContext, response: Response
) -> AuthorizeView:
    """Returns the sign-in URL for the browser, and sets a cookie that the callback checks.

    A request with a token and without cookies, such as from a portal on another site, gets no cookie, and the callback
    needs none. In each case, the person who starts the sign-in must be signed in to the app at the callback.
    """
    return _begin(Provider.ENTRA, connection_id, request, context, response)


@entra_router.get(
    Provider.ENTRA.callback,
    summary="Receive the result of the Entra sign-in",
    response_class=HTMLResponse,
    status_code=303,
)
@requires(Role.ADMINISTRATOR)
def finish_entra(query: CallbackQuery, context: CurrentContext) -> Response:
    """Entra redirects the browser to this address, which redirects to the page of the connection."""
    return _finish(Provider.ENTRA, query, context)


@entra_router.delete(f"{_ONE}/export-user", summary="Remove the export user")
@requires(Role.ADMINISTRATOR)
def drop_export_user(
    connection_id: Id, context: CurrentContext, response: Response, if_match: IfMatch = None
) -> ConnectionView:
    """The app then reads Customer Insights with its own identity."""
    stored = connections.drop_export_user(context, connection_id, if_match)
    return shown(stored, context, response)
