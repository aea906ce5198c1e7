"""The HTTP side: requests become invocations, answers become responses.

HTTP/1.1 with kept-open connections, one thread each; a request's body is always read whole, so that
the next request on the connection starts where it should. Values reach the function as from the
cloud's host: header names in lower case, several values of a query joined by a comma, empty query
values left out. https://learn.microsoft.com/azure/azure-functions/functions-bindings-http-webhook
"""

from __future__ import annotations

import ipaddress
import json
import logging
import socketserver
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from http.cookies import SimpleCookie
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, quote, urlsplit

from azure.functions.meta import Datum

LOG = logging.getLogger("devhost.web")
BODY_LIMIT = 100 * 1024 * 1024  # the cloud's, FUNCTIONS_REQUEST_BODY_SIZE_LIMIT
IDLE_SECONDS = 120


@dataclass(frozen=True)
class Request:
    """One HTTP request: method and raw path as sent, headers with lower-case names."""

    method: str
    path: str
    query: str
    url: str
    headers: Mapping[str, str]
    body: bytes
    local: bool

    def datum(self, parameters: Mapping[str, str]) -> Datum:
        """The request as an HTTP trigger delivers it."""
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
    """One HTTP response."""

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""

    @classmethod
    def from_datum(cls, datum: Datum | None) -> Response:
        """What an `http` output binding carries; raises ValueError where HTTP cannot."""
        if datum is None or datum.value is None:
            return cls(HTTPStatus.NO_CONTENT)
        if datum.type == "http":
            value = datum.value
            headers = [(name, str(one.value)) for name, one in value["headers"].items()]
            headers += [("Set-Cookie", text) for text in _cookies(value.get("cookies") or ())]
            body = value["body"].value or b""
            body = body if isinstance(body, bytes) else str(body).encode()
            response = cls(int(value["status_code"].value), tuple(headers), body)
        else:
            text = datum.value if isinstance(datum.value, bytes) else str(datum.value).encode()
            response = cls(HTTPStatus.OK, (("content-type", "text/plain; charset=utf-8"),), text)
        if not 100 <= response.status <= 999 or any(
            "\n" in part or "\r" in part for pair in response.headers for part in pair
        ):
            msg = "the function's response is not valid HTTP"
            raise ValueError(msg)
        return response


Answerer = Callable[[Request], Response]


class Server(ThreadingHTTPServer):
    """Serves an `Answerer` on one address; `port` 0 takes a free one."""

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

    def server_bind(self) -> None:
        """Bind without asking DNS for this machine's name, which can take seconds."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), self.server_address[1]

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no event."""
        LOG.debug("a connection ended early")


class _Refused(Exception):
    def __init__(self, status: HTTPStatus) -> None:
        super().__init__(status.phrase)
        self.status = status


class _Connection(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "devhost"
    sys_version = ""
    disable_nagle_algorithm = True
    wbufsize = -1
    timeout = IDLE_SECONDS
    server: Server

    def version_string(self) -> str:
        """The Server header."""
        return self.server_version

    def log_message(self, format: str, *args: Any) -> None:
        """Invocations are logged by the host, with no path or query."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("do_"):
            return self._serve
        raise AttributeError(name)

    def _serve(self) -> None:
        try:
            body = self._body()
        except _Refused as refused:
            self.close_connection = True
            self._send(Response(refused.status))
            return
        self._send(self.server.answer(self._request(body)))

    def _request(self, body: bytes) -> Request:
        parts = urlsplit(self.path if self.path.startswith("/") else urlsplit(self.path).path)
        host = self.headers.get("Host", "")
        headers: dict[str, str] = {}
        for name, value in self.headers.items():
            key = name.lower()
            headers[key] = f"{headers[key]},{value}" if key in headers else value
        query = f"?{parts.query}" if parts.query else ""
        return Request(
            self.command,
            parts.path,
            parts.query,
            f"http://{host}{parts.path}{query}",
            headers,
            body,
            local=_is_loopback(self.client_address[0]) and _is_loopback_host(host),
        )

    def _body(self) -> bytes:
        if "chunked" in self.headers.get("Transfer-Encoding", "").lower():
            return b"".join(self._chunks())
        length = self.headers.get("Content-Length", "0")
        if not length.isascii() or not length.isdigit():
            raise _Refused(HTTPStatus.BAD_REQUEST)
        if int(length) > BODY_LIMIT:
            raise _Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        return self._exactly(int(length))

    def _chunks(self) -> Iterator[bytes]:
        total = 0
        while True:
            try:
                size = int(self.rfile.readline(1026).partition(b";")[0], 16)
            except ValueError:
                raise _Refused(HTTPStatus.BAD_REQUEST) from None
            total += size
            if size < 0 or total > BODY_LIMIT:
                raise _Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
            if size == 0:
                break
            yield self._exactly(size)
            self.rfile.readline(8)
        while self.rfile.readline(65537) not in (b"\r\n", b"\n", b""):
            pass  # trailers

    def _exactly(self, size: int) -> bytes:
        data = self.rfile.read(size)
        if len(data) < size:
            raise _Refused(HTTPStatus.BAD_REQUEST)
        return data

    def _send(self, response: Response) -> None:
        self.send_response(response.status)
        bodyless = response.status in (204, 304) or response.status < 200
        for name, value in response.headers:
            if name.lower() not in ("content-length", "transfer-encoding", "connection"):
                self.send_header(name, value)
        if not bodyless:
            self.send_header("Content-Length", str(len(response.body)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if not bodyless and self.command != "HEAD":
            self.wfile.write(response.body)
        self.wfile.flush()


def problem(status: HTTPStatus, detail: str = "") -> Response:
    """A short answer of the host's own, where no function gives one."""
    body = json.dumps({"status": status, "title": status.phrase, "detail": detail}).encode()
    return Response(status, (("content-type", "application/problem+json"),), body)


def _text(value: str) -> Datum:
    return Datum(value, "string")


def _cookies(cookies: Any) -> list[str]:
    """Set-Cookie lines; the cloud's server percent-encodes each value, so it is done here too."""
    lines = []
    for cookie in cookies:
        for morsel in SimpleCookie(cookie).values() if isinstance(cookie, str) else cookie.values():
            attributes = morsel.OutputString().partition(";")
            lines.append(
                f"{morsel.key}={quote(morsel.value, safe='')}{attributes[1]}{attributes[2]}"
            )
    return lines


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


def _is_loopback_host(host: str) -> bool:
    name = urlsplit(f"//{host}").hostname or ""
    return name == "localhost" or _is_loopback(name)
