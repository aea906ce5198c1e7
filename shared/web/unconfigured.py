"""Answers requests while the settings cannot be used: the app is up, but not configured.

This happens after a first deployment, until the secrets are in the key vault, and after a setting
was changed to something unusable. Callers who are not signed in learn only that the app is not
configured. Administrators and the log get the names of the settings and what is wrong with each,
never a value.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from uuid import uuid4

from shared.errors import ConfigError
from shared.web.http import Request, Response
from shared.web.principal import Doorkeeper, Role
from shared.web.problem import HttpProblem, answer
from shared.web.site import SECURITY_HEADERS
from shared.web.texts import language_of

__all__ = ["unconfigured"]

RETRY_AFTER_SECONDS = 60

_LOG = logging.getLogger(__name__)


def unconfigured(request: Request, error: ConfigError, *, authentication_on: bool) -> Response:
    """The answer to any request while `error` (from `shared.settings.load`) lasts: 503.

    `authentication_on` as for the authenticator: App Service Authentication guards every request.
    """
    trace_id = uuid4().hex
    _LOG.error("The app is not configured (%s): %s", trace_id, error)
    # Outside Azure the caller is the developer at this machine, who reads the log.
    authenticator = Doorkeeper(authentication_on=authentication_on, in_azure=True)
    principal = authenticator.principal(request)
    shown = principal is not None and principal.may(Role.ADMINISTRATOR)
    problem = HttpProblem(
        503,
        "notConfigured",
        faults=error.faults if shown else (),
        headers={"Retry-After": str(RETRY_AFTER_SECONDS)},
    )
    language = language_of(request.header("accept-language"))
    response = answer(problem, language, trace_id).with_headers(SECURITY_HEADERS)
    if request.method == "HEAD":
        length = str(len(response.body))
        return replace(response.with_headers({"Content-Length": length}), body=b"")
    return response
