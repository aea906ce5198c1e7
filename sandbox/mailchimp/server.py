"""The HTTP server of the sandbox: HTTP/1.1 with keep-alive and gzip, one thread per connection.

`/3.0/...` is the Marketing API, `/oauth2/...` Mailchimp's sign-in, `/sandbox/...` the control API.
"""

from __future__ import annotations

import os
import socket
import struct
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from sandbox.mailchimp import api, control_api, sign_in
from sandbox.mailchimp.answer import PROBLEM, Answer
from sandbox.mailchimp.problems import Problem
from sandbox.mailchimp.world import World


class TooLarge(Exception):
    """The request body is larger than the sandbox takes."""


class Server(ThreadingHTTPServer):
    """Listens on one port of this machine; `close` also ends the connections that are still open."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, world: World, host: str = "127.0.0.1", port: int = 0) -> None:
        """Bind; port 0 takes a free one. Sets `world.url`."""
        self.world = world
        self._open: set[socket.socket] = set()
        self._open_lock = threading.Lock()
        super().__init__((host, port), _Connection)
        self.port = int(self.server_address[1])
        world.url = world.url or f"http://{host}:{self.port}"

    def close(self) -> None:
        """Stop listening and close the open connections."""
        self.shutdown()
        self.server_close()
        with self._open_lock:
            left = list(self._open)
        for connection in left:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue

    def process_request(self, request: Any, client_address: Any) -> None:
        """Register the connection, then serve it on its own thread."""
        with self._open_lock:
            self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """Remove the connection and close it."""
        with self._open_lock:
            self._open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Print the error, unless the client closed the connection."""
        if not isinstance(sys.exception(), ConnectionError | TimeoutError):
            super().handle_error(request, client_address)


class _Connection(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"
    server_version = "openresty"
    sys_version = ""
    disable_nagle_algorithm = True
    wbufsize = 1 << 16

    def do_GET(self) -> None:
        self._serve()

    do_POST = do_PUT = do_PATCH = do_DELETE = do_GET

    def finish(self) -> None:
        """Close both files of the connection; writing the rest fails if the client has closed it."""
        try:
            super().finish()
        finally:
            self.rfile.close()

    def log_message(self, format: str, *args: Any) -> None:
        """Log nothing: paths contain subscriber hashes."""

    def _serve(self) -> None:
        split = urlsplit(self.path)
        query = dict(parse_qsl(split.query, keep_blank_values=True))
        world = self.server.world
        received = world.now()
        takes_gzip = "gzip" in self.headers.get("Accept-Encoding", "")
        try:
            raw = self._body(world.options.max_body_bytes)
        except TooLarge:
            self.close_connection = True
            body = Problem("RequestTooLarge", "large").body(world.sentence, world.hex(32))
            self._send(Answer(413, body, PROBLEM))
            return
        if split.path == "/3.0" or split.path.startswith("/3.0/"):
            authorization = self.headers.get("Authorization", "")
            answer = api.call(
                world,
                self.command,
                split.path[4:],
                query,
                authorization,
                raw,
                received=received,
                takes_gzip=takes_gzip,
            )
        elif split.path.startswith("/oauth2/"):
            answer = sign_in.call(
                world, self.command, split.path, query, self.headers.get("Authorization", ""), raw
            )
        else:
            answer = control_api.call(world, self.command, split.path, query, raw)
        if takes_gzip and answer.stream is None:
            answer.pack()
        self._send(answer)

    def _body(self, most: int) -> bytes:
        if "chunked" in self.headers.get("Transfer-Encoding", "").lower():
            return b"".join(self._chunks(most))
        length = self.headers.get("Content-Length", "0")
        size = int(length) if length.isascii() and length.isdigit() else 0
        if size > most:
            raise TooLarge
        return self.rfile.read(size) if size else b""

    def _chunks(self, most: int) -> Iterator[bytes]:
        total = 0
        while size := int(self.rfile.readline(100).split(b";")[0].strip() or b"0", 16):
            total += size
            if total > most:
                raise TooLarge
            yield self.rfile.read(size)
            self.rfile.readline(3)
        while self.rfile.readline(10_000).strip():
            pass

    def _send(self, answer: Answer) -> None:
        if answer.wire == "reset":
            self._reset()
            return
        if answer.stream is not None:
            self._stream(answer)
            return
        body = answer.body
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        if answer.content_type:
            self.send_header("Content-Type", answer.content_type)
        if answer.status != 204:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if answer.wire == "truncated":
            self.wfile.write(body[: len(body) // 2])
            self.wfile.flush()
            self.close_connection = True
            return
        self.wfile.write(body)

    def _stream(self, answer: Answer) -> None:
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.content_type)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for piece in answer.stream or ():
            self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
        self.wfile.write(b"0\r\n\r\n")

    def _reset(self) -> None:
        """Close the connection with RST and without a response, as a broken network does."""
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        os.close(self.connection.detach())
