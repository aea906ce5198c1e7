"""Answers requests while the settings cannot be used: the app is up, but not configured.

This happens after a first deployment, until the secrets are in the key vault, and after a setting
was changed to something unusable. Callers who are not signed in learn only that the app is not
configured. Administrators and the log get the names of the settings and what is wrong with each,
never a value.
"""

from __future__ import annotations

import logging
from uuid import uuid4

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from shared.errors import ConfigError
from shared.web import problems
from shared.web.authentication import Authenticator, Role
from shared.web.gateway import Outgoing
from shared.web.problems import HttpProblem
from shared.web.texts import language_of

_RETRY_AFTER_SECONDS = 60

_LOG = logging.getLogger(__name__)


def unconfigured(error: ConfigError, *, authentication_on: bool) -> ASGIApp:
    """The application that answers any request with 503, because of `error` from `shared.settings.load`.

    `authentication_on` as for the authenticator: App Service Authentication guards every request.
    """
    # Outside Azure the caller is the developer at this machine, who reads the log.
    authenticator = Authenticator(authentication_on=authentication_on, in_azure=True)

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        trace_id = uuid4().hex
        _LOG.error("The app is not configured (%s): %s", trace_id, error)
        header = request.headers.get("x-ms-client-principal")
        principal = authenticator.principal(header, scope["server"][0])
        shown = principal is not None and principal.may(Role.ADMINISTRATOR)
        problem = HttpProblem(
            503,
            "notConfigured",
            faults=error.faults if shown else (),
            headers={"Retry-After": str(_RETRY_AFTER_SECONDS)},
        )
        request.state.language = language = language_of(request.headers.get("accept-language"))
        response = problems.response(problem, language, trace_id)
        await response(scope, receive, Outgoing(request, send))

    return answer
