"""A raw HTTP server that sends scripted responses byte by byte, including malformed ones."""

from __future__ import annotations

import gzip
import socket
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Self
from urllib.parse import parse_qsl, urlsplit


@dataclass
class ReceivedRequest:
    """A received request."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes

    @property
    def query(self) -> dict[str, str]:
        """The query parameters by name."""
        return dict(parse_qsl(urlsplit(self.target).query))


@dataclass
class Answer:
    """A response. `cut` limits the bytes that are sent; `end` is keep, close, reset or hang."""

    status: int = 200
    body: bytes = b"{}"
    headers: dict[str, str] = field(default_factory=dict)
    cut: int | None = None
    end: str = "keep"


def json(body: str | bytes, status: int = 200, **headers: str) -> Answer:
    body = body if isinstance(body, bytes) else body.encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(status, body, {"Content-Type": "application/json", **named})


def problem(status: int, title: str, field: str = "", detail: str = "") -> Answer:
    errors = f',"errors":[{{"field":"{field}","message":"{detail}"}}]' if field else ""
    body = (
        f'{{"type":"about:blank","title":"{title}","status":{status},"detail":"{detail}"{errors}}}'
    )
    return Answer(status, body.encode(), {"Content-Type": "application/problem+json"})


def html(status: int, **headers: str) -> Answer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(status, b"<html>Request Blocked</html>", {"Content-Type": "text/html", **named})


def zipped(body: bytes, cut: int | None = None) -> Answer:
    packed = gzip.compress(body)
    head = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    return Answer(200, packed if cut is None else packed[:cut], head)


RESET = Answer(cut=0, end="reset")
HANG = Answer(cut=0, end="hang")


class ScriptedServer:
    """Sends the responses of its script in order, then repeats the last one. `asked` is the received requests."""

    def __init__(self, *script: Answer | Callable[[ReceivedRequest], Answer]) -> None:
        self.script = list(script)
        self.asked: list[ReceivedRequest] = []
        self.connections = 0
        self._released = threading.Event()
        self._lock = threading.Lock()
        self._open: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._thread = threading.Thread(target=self._accept, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *gone: object) -> None:
        self._released.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()
        with self._lock:
            for connection in self._open:
                try:
                    connection.shutdown(socket.SHUT_RDWR)
                except OSError:
                    continue

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with self._lock:
                self.connections += 1
                self._open.append(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, connection.makefile("rb") as reader:
            try:
                while (asked := _read(reader)) is not None:
                    if not self._answer(connection, asked):
                        return
            except OSError:
                return

    def _answer(self, connection: socket.socket, asked: ReceivedRequest) -> bool:
        """Whether the connection stays."""
        with self._lock:
            self.asked.append(asked)
            step = self.script[min(len(self.asked), len(self.script)) - 1]
        answer = step if isinstance(step, Answer) else step(asked)
        head = {"Content-Length": str(len(answer.body)), **answer.headers}
        lines = "".join(f"{name}: {value}\r\n" for name, value in head.items())
        client = f"HTTP/1.1 {answer.status} X\r\n{lines}\r\n".encode()
        if answer.cut is None:
            client += answer.body
        elif answer.cut:
            client += answer.body[: answer.cut]
        else:
            client = b""
        connection.sendall(client)
        if answer.end == "hang":
            self._released.wait(60)
        if answer.end == "reset":
            linger = struct.pack("ii", 1, 0)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        return answer.end == "keep" and answer.cut is None


def _read(reader) -> ReceivedRequest | None:  # type: ignore[no-untyped-def]
    first = reader.readline().decode().split()
    if len(first) < 2:
        return None
    headers: dict[str, str] = {}
    while line := reader.readline().decode().strip():
        name, _, value = line.partition(":")
        headers[name.lower()] = value.strip()
    return ReceivedRequest(
        first[0], first[1], headers, reader.read(int(headers.get("content-length", 0)))
    )
