"""A fault-injecting proxy for Azurite: it returns 500 or 503, hangs or closes the connection.

Requests fail with a probability derived from one seed, before or after Azurite applied them; during an
outage all requests fail. The proxy can also kill a process at its n-th write. Signatures stay valid,
because they contain the account's path and not the port
(https://learn.microsoft.com/rest/api/storageservices/authorize-with-shared-key).
"""

from __future__ import annotations

import http.client
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from devhost.processes import Azurite

KINDS = ("500", "503", "cut", "hang", "500-applied", "503-applied", "cut-applied", "hang-applied",
         "half-applied")  # fmt: skip
_HOPS = frozenset({"connection", "keep-alive", "transfer-encoding", "content-length", "date"})
_CODES = {"500": "InternalError", "503": "ServerBusy"}


@dataclass
class StorageFaults:
    """The faults to inject: the share of failing requests, or a complete outage."""

    seed: int = 0
    share: float = 0.0
    hang_seconds: float = 3.0
    outage: bool = False
    kill_at: int = 0
    kill: Callable[[], None] = lambda: None
    kill_applied: bool = False
    writes: int = 0
    injected: Counter[str] = field(default_factory=Counter)
    passed: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self._dice = random.Random(self.seed)

    @contextmanager
    def of(self, seed: int, share: float) -> Iterator[None]:
        """Inject faults during a `with` block."""
        self._dice, self.share = random.Random(seed), share
        try:
            yield
        finally:
            self.share = 0.0

    def next(self, *, writes: bool) -> str:
        """Return the fault of the next request, or an empty string. `writes`: it changes data."""
        with self._lock:
            kind = ""
            self.writes += writes
            if writes and self.kill_at and self.writes >= self.kill_at:
                self.kill_at = 0
                kind = "killed-applied" if self.kill_applied else "killed"
            elif self.outage:
                kind = "503"
            elif self._dice.random() < self.share:
                kind = self._dice.choice(KINDS)
            if kind:
                self.injected[kind] += 1
            else:
                self.passed += 1
            return kind


class _Proxy(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, port: int, storage_faults: StorageFaults) -> None:
        self.upstream = port
        self.storage_faults = storage_faults
        super().__init__(("127.0.0.1", 0), _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore clients that close their connection."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Proxy
    _azurite: http.client.HTTPConnection | None = None

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        storage_faults = self.server.storage_faults
        # Messages are received by GET and deleted by DELETE.
        writes = self.command in ("PUT", "POST", "MERGE", "PATCH", "DELETE")
        kind, _, applied = storage_faults.next(writes=writes).partition("-")
        answered = self._forward(body) if applied or not kind else None
        if kind == "killed":
            storage_faults.kill()
            self.close_connection = True
            return
        if kind == "hang":
            time.sleep(storage_faults.hang_seconds)
        if kind in ("hang", "cut"):
            self.close_connection = True
        elif kind in _CODES:
            self._fail(int(kind), _CODES[kind])
        elif answered is not None:
            self._pass_on(*answered, half=kind == "half")

    def _forward(self, body: bytes) -> tuple[http.client.HTTPResponse, bytes]:
        if self._azurite is None:
            self._azurite = http.client.HTTPConnection("127.0.0.1", self.server.upstream)
        self._azurite.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
        for name, value in self.headers.items():
            self._azurite.putheader(name, value)
        self._azurite.endheaders(body or None)
        response = self._azurite.getresponse()
        return response, response.read()

    def _pass_on(self, response: http.client.HTTPResponse, body: bytes, *, half: bool) -> None:
        self.send_response_only(response.status, response.reason)
        given = response.headers.get("Content-Length")
        for name, value in response.getheaders():
            if name.lower() not in _HOPS:
                self.send_header(name, value)
        self.send_header("Date", self.date_time_string())
        if response.status != 204:
            length = given if self.command == "HEAD" and given else str(len(body))
            self.send_header("Content-Length", length)
        self.end_headers()
        if half:
            self.wfile.write(body[: len(body) // 2])
            self.close_connection = True
        elif self.command != "HEAD":
            self.wfile.write(body)

    def _fail(self, status: int, code: str) -> None:
        body = f"<Error><Code>{code}</Code><Message>Rough.</Message></Error>".encode()
        self.send_response_only(status)
        self.send_header("Content-Type", "application/xml")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("x-ms-error-code", code)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = do_MERGE = do_PATCH = do_OPTIONS = _answer

    def finish(self) -> None:
        super().finish()
        if self._azurite is not None:
            self._azurite.close()

    def log_message(self, *_said: Any) -> None:
        """Log nothing: tests check the app's own log."""


@contextmanager
def faulty_storage(azurite: Azurite, storage_faults: StorageFaults) -> Iterator[str]:
    """Run the proxies during a `with` block. Yields their connection string."""
    proxies = [_Proxy(port, storage_faults) for port in azurite.ports]
    text = azurite.connection_string
    for proxy in proxies:
        threading.Thread(target=proxy.serve_forever, daemon=True).start()
        text = text.replace(f":{proxy.upstream}/", f":{proxy.server_address[1]}/")
    try:
        yield text
    finally:
        for proxy in proxies:
            proxy.shutdown()
            proxy.server_close()
