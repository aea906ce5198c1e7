"""The HTTP server: requests become invocations, results become responses.

h11 implements the protocol; this module adds the behavior of the real host (Kestrel, then the Functions
middleware): chunked request bodies arrive empty, responses without a Content-Length are sent in chunks,
limits, cookies, and empty error responses. tests/devhost/test_real_host.py has the list.
https://learn.microsoft.com/azure/azure-functions/functions-bindings-http-webhook
"""

from __future__ import annotations

import ipaddress
import logging
import re
import socket
import socketserver
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from email.utils import formatdate
from http import HTTPStatus
from http.cookies import Morsel, SimpleCookie
from typing import Any
from urllib.parse import parse_qsl, quote, urlsplit

import h11
from azure.functions.meta import Datum

from devhost.paths import read_path, write_path

LOG = logging.getLogger("devhost.web")
BODY_LIMIT = 100 * 1024 * 1024  # FUNCTIONS_REQUEST_BODY_SIZE_LIMIT of the real host
# Kestrel's defaults: MaxRequestLineSize, MaxRequestHeadersTotalSize, MaxRequestHeaderCount.
LINE_LIMIT = 8 * 1024
HEADERS_LIMIT = 32 * 1024
HEADER_COUNT_LIMIT = 100
IDLE_SECONDS = 120
REFUSED_SECONDS = 2
READ_SIZE = 64 * 1024
_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_VALUE = re.compile(r"[\t\x20-\x7e]*")
_CHUNKED_HEADER = re.compile(rb"\r\ntransfer-encoding: chunked(?=\r\n)", re.IGNORECASE)
# The order in which ASP.NET Core writes the attributes of a cookie.
_COOKIE_ATTRIBUTES = ("expires", "max-age", "domain", "path", "secure", "samesite", "httponly")


@dataclass(frozen=True)
class Request:
    """One HTTP request: the method as sent, the decoded path, headers with lower-case names."""

    method: str
    path: str
    query: str
    url: str
    headers: Mapping[str, str]
    body: bytes
    local: bool

    def datum(self, parameters: Mapping[str, str]) -> Datum:
        """The request as an HTTP trigger delivers it: repeated query values joined by a comma."""
        query: dict[str, list[str]] = {}
        for name, value in parse_qsl(self.query, keep_blank_values=True):
            query.setdefault(name, []).append(value)
        joined = {name: ",".join(values) for name, values in query.items()}
        return Datum(
            {
                "method": _text(self.method),
                "url": _text(self.url),
                "headers": {name: _text(value) for name, value in self.headers.items()},
                "params": {name: _text(value) for name, value in parameters.items()},
                "query": {name: _text(value) for name, value in joined.items() if value},
                "body": Datum(self.body, "bytes"),
            },
            "http",
        )


@dataclass(frozen=True)
class Response:
    """One HTTP response; without a Content-Length among its headers it is sent in chunks."""

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""

    @classmethod
    def empty(cls, status: HTTPStatus) -> Response:
        """A response of the host itself, which has no body."""
        return cls(status, (("Content-Length", "0"),))

    @classmethod
    def from_datum(cls, datum: Datum | None, method: str) -> Response:
        """The response to a request, from the value of an `http` output binding.

        Raises:
            ValueError: the real host answers 500 instead of sending it.
        """
        if datum is None or datum.value is None:
            return cls(HTTPStatus.NO_CONTENT)
        if datum.type != "http":
            text = datum.value if isinstance(datum.value, bytes) else str(datum.value).encode()
            return cls(HTTPStatus.OK, (("content-type", "text/plain; charset=utf-8"),), text)
        value = datum.value
        headers = [(name, str(one.value)) for name, one in value["headers"].items()]
        headers += [("Set-Cookie", text) for text in _cookies(value.get("cookies") or ())]
        body = value["body"].value or b""
        body = body if isinstance(body, bytes) else str(body).encode()
        if any(name.lower() == "transfer-encoding" for name, _ in headers):
            # The real host sends what the app calls encoded as it is, and clients read nothing.
            framing = ("transfer-encoding", "content-length")
            headers = [one for one in headers if one[0].lower() not in framing]
            headers.append(("Content-Length", "0"))
            body = b""
        response = cls(int(value["status_code"].value), tuple(headers), body)
        response._check(method)
        return response

    def _check(self, method: str) -> None:
        """Raises ValueError for a status, a header or a length that Kestrel does not send."""
        if not 200 <= self.status <= 999:
            msg = "the status is not that of a final response"
            raise ValueError(msg)
        for name, value in self.headers:
            if not _NAME.fullmatch(name) or not _VALUE.fullmatch(value):
                msg = "a header has a name or a value that HTTP cannot carry"
                raise ValueError(msg)
            if name.lower() == "content-length":
                free = method == "HEAD" or self.status == HTTPStatus.NOT_MODIFIED
                if not value.isdigit() or (not free and int(value) != len(self.body)):
                    msg = "the Content-Length does not fit the body"
                    raise ValueError(msg)


Answerer = Callable[[Request], Response]


class Server(socketserver.ThreadingTCPServer):
    """Serves an `Answerer` on one address, one thread a connection; port 0 takes a free one."""

    daemon_threads = True
    request_queue_size = 256
    allow_reuse_address = True

    def __init__(self, host: str, port: int, answer: Answerer) -> None:
        self.answer = answer
        super().__init__((host, port), _Connection)

    @property
    def url(self) -> str:
        """Where it answers, with a slash at the end."""
        return f"http://{self.server_address[0]!s}:{self.server_address[1]}/"


class _Refused(Exception):
    """The server answers a request itself, and ends the connection."""

    def __init__(self, status: HTTPStatus) -> None:
        super().__init__(status.phrase)
        self.status = status


class _Connection(socketserver.BaseRequestHandler):
    """One connection: reads requests from a socket and writes their responses, one by one."""

    server: Server
    request: socket.socket

    def setup(self) -> None:
        """Prepare the socket and the state of the protocol."""
        self.request.settimeout(IDLE_SECONDS)
        self.request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._http = h11.Connection(h11.SERVER, LINE_LIMIT + HEADERS_LIMIT)

    def handle(self) -> None:
        """Serve requests until either side ends the connection."""
        try:
            while self._serve_one():
                self._http.start_next_cycle()
        except OSError:
            LOG.debug("a client closed its connection, or was idle for too long")
        except Exception:
            LOG.exception("a fault of the local host's web server")

    def _serve_one(self) -> bool:
        """Answer the next request; True if another one may follow on this connection."""
        method = b""
        try:
            head = self._next_event()
            if not isinstance(head, h11.Request):
                return False
            method = head.method
            response = self._answer(head)
        except _Refused as refused:
            response = _closing(Response.empty(refused.status))
        except h11.RemoteProtocolError as error:
            response = _closing(Response.empty(self._status_of(error)))
        if self._http.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
            return False
        self._send(response, method)
        if self._http.their_state is not h11.DONE:
            self._discard_rest()
        return set(self._http.states.values()) == {h11.DONE}

    def _answer(self, head: h11.Request) -> Response:
        line = len(head.method) + len(head.target) + len("  HTTP/1.1\r\n")
        if line > LINE_LIMIT:
            raise _Refused(HTTPStatus.REQUEST_URI_TOO_LONG)
        size = sum(len(name) + len(value) + len(": \r\n") for name, value in head.headers)
        if size > HEADERS_LIMIT or len(head.headers) > HEADER_COUNT_LIMIT:
            raise _Refused(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
        target = head.target.decode("ascii")
        raw_path, _, query = target.partition("?")
        if not target.startswith("/"):
            raise _Refused(HTTPStatus.BAD_REQUEST)
        try:
            path = read_path(raw_path)
        except ValueError as error:
            raise _Refused(HTTPStatus.BAD_REQUEST) from error
        headers: dict[str, str] = {}
        for raw_name, raw_value in head.headers:
            name, value = raw_name.decode("ascii"), raw_value.decode("latin-1")
            headers[name] = f"{headers[name]},{value}" if name in headers else value
        host = headers.get("host", "")
        request = Request(
            head.method.decode("ascii"),
            path,
            query,
            f"http://{host}{write_path(path)}{'?' if query else ''}{query}",
            headers,
            self._body(headers),
            local=_is_loopback(str(self.client_address[0])) and _is_loopback_host(host),
        )
        return self.server.answer(request)

    def _body(self, headers: Mapping[str, str]) -> bytes:
        """Read the body to its end. A body that is sent in chunks does not reach a function."""
        if int(headers.get("content-length", 0)) > BODY_LIMIT:
            raise _Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        parts, total = [], 0
        while isinstance(event := self._next_event(), h11.Data):
            total += len(event.data)
            if total > BODY_LIMIT:
                raise _Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
            parts.append(bytes(event.data))
        return b"" if "transfer-encoding" in headers else b"".join(parts)

    def _next_event(self) -> Any:
        while (event := self._http.next_event()) is h11.NEED_DATA:
            if self._http.they_are_waiting_for_100_continue:
                going_on = h11.InformationalResponse(status_code=100, headers=[])
                self.request.sendall(self._http.send(going_on) or b"")
            self._http.receive_data(self.request.recv(READ_SIZE))
        return event

    def _discard_rest(self) -> None:
        """Read what a refused client still sends: closed earlier, it would not see the answer."""
        self.request.shutdown(socket.SHUT_WR)
        self.request.settimeout(REFUSED_SECONDS)
        for _ in range(BODY_LIMIT // READ_SIZE):
            if not self.request.recv(READ_SIZE):
                return

    def _status_of(self, error: h11.RemoteProtocolError) -> HTTPStatus:
        too_large = error.error_status_hint == HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
        if too_large and b"\n" not in self._http.trailing_data[0]:  # still in the request line
            return HTTPStatus.REQUEST_URI_TOO_LONG
        return HTTPStatus(error.error_status_hint)

    def _send(self, response: Response, method: bytes) -> None:
        bodiless = response.status in (HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED)
        headers = [("Server", "devhost"), ("Date", formatdate(usegmt=True))]
        headers += [
            (name, value)
            for name, value in response.headers
            if response.status != HTTPStatus.NO_CONTENT or name.lower() != "content-length"
        ]
        data = self._http.send(
            h11.Response(
                status_code=response.status, headers=headers, reason=_reason(response.status)
            )
        )
        parts = [data or b""]
        if method == b"HEAD":  # h11 announces chunks that do not follow; the real host does not
            parts[0] = _CHUNKED_HEADER.sub(b"", parts[0])
        elif response.body and not bodiless:
            parts.append(self._http.send(h11.Data(data=response.body)) or b"")
        parts.append(self._http.send(h11.EndOfMessage()) or b"")
        self.request.sendall(b"".join(parts))


def _closing(response: Response) -> Response:
    return Response(response.status, (*response.headers, ("Connection", "close")), response.body)


def _reason(status: int) -> bytes:
    try:
        return HTTPStatus(status).phrase.encode()
    except ValueError:
        return b""


def _text(value: str) -> Datum:
    return Datum(value, "string")


def _cookies(cookies: Iterable[Any]) -> list[str]:
    """Set-Cookie lines as ASP.NET Core writes them.

    Values are percent-encoded once more, attributes are in lower case, and a cookie without a domain
    gets an empty one, because the worker sends an empty text for it.
    """
    return [
        _cookie(morsel)
        for cookie in cookies
        for morsel in (SimpleCookie(cookie) if isinstance(cookie, str) else cookie).values()
    ]


def _cookie(morsel: Morsel[Any]) -> str:
    parts = [f"{morsel.key}={quote(morsel.value, safe='')}"]
    for name in _COOKIE_ATTRIBUTES:
        value = morsel[name]
        if name in ("secure", "httponly"):
            parts += [name] if value else []
        elif value or name == "domain":
            parts.append(f"{name}={str(value).lower() if name == 'samesite' else value}")
    return "; ".join(parts)


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


def _is_loopback_host(host: str) -> bool:
    name = urlsplit(f"//{host}").hostname or ""
    return name == "localhost" or _is_loopback(name)
