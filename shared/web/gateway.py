"""The outermost layer of the web application.

It limits the body and the time of the request, sets its language and its trace, answers HEAD, adds the security headers
and catches unexpected errors: an error that is not a project error is logged by its type only and becomes a
500 with a trace id.
"""

from __future__ import annotations

import logging
import re
from collections.abc import MutableMapping

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.messaging.trace import current, trace_of
from shared.request_time import request_time
from shared.web import problems
from shared.web.chosen_language import chosen_language
from shared.web.pages.render import error_page
from shared.web.problems import HttpProblem, for_error
from shared.web.services import Services
from shared.web.texts import language_of

_MOST_BODY_BYTES = 1024 * 1024

_LOG = logging.getLogger(__name__)

# https://cheatsheetseries.owasp.org/cheatsheets/HTTP_Headers_Cheat_Sheet.html
_SECURITY_HEADERS = {
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
_HSTS = "max-age=31536000"
# What scripts of a portal on another origin may read. App Service answers for CORS, but has no setting for these headers.
# https://github.com/Azure/azure-mobile-apps-node/issues/323
_EXPOSED = "Allow, Content-Disposition, ETag, Location, Retry-After, WWW-Authenticate"

# RFC 9110, 5.1 and 5.5. The Functions host answers 500 without a body for anything else.
_HEADER_NAME = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HEADER_VALUE = re.compile(rb"[\x20-\x7e\t]*")


class Gateway:
    """Wraps the application. `services` provides the clock and the ids."""

    def __init__(self, app: ASGIApp, services: Services) -> None:
        self._app = app
        self._services = services

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request; never raises."""
        request = Request(scope, receive)
        scope["state"].update(
            language=_language(request), trace_id=_trace_id(request) or self._services.new_id()
        )
        outgoing = Outgoing(request, send)
        if request.method == "HEAD":
            scope["method"] = "GET"
        try:
            scope["path"] = _normal(scope["path"])
            body = await request.body()
            _refuse_body(request, body)
            with request_time(self._services.monotonic):
                await self._app(scope, _replay(body), outgoing)
        except Exception as error:  # noqa: BLE001 - the last resort: every request gets a response
            if not outgoing.has_started:
                answer = problem_response(request, error, self._services)
                await answer(scope, receive, outgoing)


def problem_response(request: Request, error: Exception, services: Services) -> Response:
    """The response to an error: JSON for programs, a page for people."""
    problem = for_error(error)
    language, trace_id = request.state.language, request.state.trace_id
    if problem.status_code == 500:
        _LOG.error("Request %s failed: %s", trace_id, type(error).__name__)
    if _is_api(request):
        return problems.response(problem, language, trace_id)
    return error_page(problem, language, trace_id, services.clock())


class Outgoing:
    """Sends a response with the headers that every response has; a HEAD response without its body."""

    def __init__(self, request: Request, send: Send) -> None:
        self._send = send
        self._is_head = request.method == "HEAD"
        self._added = {
            **_SECURITY_HEADERS,
            "Content-Language": request.state.language,
            **({"Strict-Transport-Security": _HSTS} if request.scope["scheme"] == "https" else {}),
            **({"Access-Control-Expose-Headers": _EXPOSED} if _is_api(request) else {}),
        }
        self.has_started = False

    async def __call__(self, message: Message) -> None:
        """Send one message of the response."""
        if message["type"] == "http.response.start":
            self._complete(message)
            self.has_started = True
        elif self._is_head:
            message = {**message, "body": b""}
        await self._send(message)

    def _complete(self, message: MutableMapping[str, object]) -> None:
        """Add the missing headers. ValueError for a header that cannot be sent."""
        headers = list(message.get("headers") or ())  # type: ignore[call-overload]
        known = {name.lower() for name, _ in headers}
        headers += [
            (name.encode(), value.encode())
            for name, value in self._added.items()
            if name.lower().encode() not in known
        ]
        for name, value in headers:
            if not (_HEADER_NAME.fullmatch(name) and _HEADER_VALUE.fullmatch(value)):
                raise ValueError("A response header cannot be sent.")
        message["headers"] = headers


def _refuse_body(request: Request, body: bytes) -> None:
    if len(body) > _MOST_BODY_BYTES:
        raise HttpProblem(413, "tooLarge")
    # The Functions host delivers a chunked body empty (azure-functions-host#4926).
    if not body and "transfer-encoding" in request.headers:
        raise HttpProblem(411, "lengthRequired")


def _replay(body: bytes) -> Receive:
    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    return receive


def _normal(path: str) -> str:
    """Remove the slash at the end of a path. HttpProblem 404 for control characters."""
    if not path.isprintable():
        raise HttpProblem(404, "notFound")
    return path[:-1] if len(path) > 1 and path.endswith("/") else path


def _is_api(request: Request) -> bool:
    return bool(request.scope["path"].startswith("/api"))


def _language(request: Request) -> str:
    """People may choose a language for the pages; programs name theirs with every request."""
    chosen = "" if _is_api(request) else chosen_language(request)
    return chosen or language_of(request.headers.get("accept-language"))


def _trace_id(request: Request) -> str | None:
    """The trace of this request, the caller's if it sent one, so that logs can be joined.

    https://www.w3.org/TR/trace-context/
    """
    trace = current() or trace_of(request.headers.get("traceparent"))
    return trace.trace_id if trace else None
