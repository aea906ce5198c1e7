"""From a request to its answer: the one way in.

In this order: how large, which route, who, may they, does it come from our own pages, then the
endpoint. Whatever goes wrong becomes a problem in the caller's language; whatever is not an error
of ours is logged by its type alone and answered with 500 and a trace id.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace

from shared.messaging.trace import current, trace_of
from shared.web.call import ANYBODY, Call
from shared.web.csrf import refuse_foreign
from shared.web.http import Request, Response
from shared.web.needs import Desk
from shared.web.pages.render import error_page
from shared.web.pages.settings import LANGUAGE_COOKIE
from shared.web.principal import Principal
from shared.web.problem import HttpProblem, answer, for_error
from shared.web.routes import Route, RouteMap
from shared.web.texts import LANGUAGES, language_of

__all__ = ["MOST_BODY_BYTES", "Site"]

MOST_BODY_BYTES = 1024 * 1024

_LOG = logging.getLogger(__name__)

# https://cheatsheetseries.owasp.org/cheatsheets/HTTP_Headers_Cheat_Sheet.html
SECURITY_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=()",
    "Cache-Control": "no-store",
    "Vary": "Accept-Language",
}


class Site:
    """Answers requests at a desk (`routes_for(desk)`). Keeps nothing between requests."""

    def __init__(self, desk: Desk, routes: Sequence[Route]) -> None:
        self._desk = desk
        self._map = RouteMap(routes)

    @property
    def routes(self) -> tuple[Route, ...]:
        """The routes that are served."""
        return self._map.routes

    def answer(self, request: Request) -> Response:
        """The answer to a request; never raises."""
        language = _language(request)
        trace_id = _trace_id(request) or self._desk.new_id()
        try:
            response = self._answered(request, language, trace_id)
        except Exception as error:  # noqa: BLE001 - the last line: whatever it is, it gets an answer
            problem = for_error(error)
            if problem.status == 500:
                _LOG.error("Request %s failed: %s", trace_id, type(error).__name__)
            response = self._told(request, problem, language, trace_id)
        response = response.with_headers(SECURITY_HEADERS)
        if request.url.startswith("https:"):
            response = response.with_headers({"Strict-Transport-Security": "max-age=31536000"})
        if request.method == "HEAD":
            length = str(len(response.body))
            return replace(response.with_headers({"Content-Length": length}), body=b"")
        return response

    def _answered(self, request: Request, language: str, trace_id: str) -> Response:
        if len(request.body) > MOST_BODY_BYTES:
            raise HttpProblem(413, "tooLarge")
        route, params = self._map.find(request.method, request.path)
        principal = ANYBODY if route.role is None else self._admitted(request, route)
        refuse_foreign(request, self._desk.public_url)
        return route.endpoint(Call(request, self._desk, principal, params, language, trace_id))

    def _told(
        self, request: Request, problem: HttpProblem, language: str, trace_id: str
    ) -> Response:
        """A problem for programs, a page for people."""
        if request.path.startswith("/api"):
            return answer(problem, language, trace_id)
        return error_page(problem, language, trace_id, self._desk.clock())

    def _admitted(self, request: Request, route: Route) -> Principal:
        principal = self._desk.doorkeeper.principal(request)
        if principal is None:
            raise HttpProblem(401, "unauthenticated")
        if route.role is None or not principal.may(route.role):
            role = route.role.label if route.role else ""
            raise HttpProblem(403, "forbidden", values={"role": role})
        return principal


def _language(request: Request) -> str:
    """People may choose a language for the pages; programs say theirs with every request."""
    chosen = request.cookies.get(LANGUAGE_COOKIE, "")
    if chosen in LANGUAGES and not request.path.startswith("/api"):
        return chosen
    return language_of(request.header("accept-language"))


def _trace_id(request: Request) -> str | None:
    """The trace of this request (the caller's, if it named one), so that logs can be joined.

    https://www.w3.org/TR/trace-context/
    """
    trace = current() or trace_of(request.header("traceparent"))
    return trace.trace_id if trace else None
