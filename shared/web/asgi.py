"""Runs an ASGI application for one request that the platform has received completely.

`azure.functions.AsgiMiddleware` is not used: at DEBUG it logs every response with its body, which holds
personal data, and it fails without a response for a URL that it cannot parse (docs/decisions/0049).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Scope


_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True)
class CompleteResponse:
    """An HTTP response with its whole body. A header may occur more than once (`Set-Cookie`)."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes = field(repr=False)


async def answer(
    app: ASGIApp, method: str, url: str, headers: Mapping[str, str], body: bytes
) -> CompleteResponse:
    """The application's response to a request with an absolute URL, as the platform reports it."""
    received: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Message) -> None:
        received.append(message)

    await app(_scope(method, url, headers), receive, send)
    start = received[0]
    return CompleteResponse(
        start["status"],
        tuple((name.decode("ascii"), value.decode("ascii")) for name, value in start["headers"]),
        b"".join(message.get("body", b"") for message in received[1:]),
    )


def _scope(method: str, url: str, headers: Mapping[str, str]) -> Scope:
    try:
        parts = urlsplit(url)
        server = (parts.hostname or "", parts.port or _PORTS.get(parts.scheme, 80))
    except ValueError:
        # The host part is what the caller sent: a URL that cannot be parsed matches no route.
        parts, server = urlsplit("*"), ("", 80)
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": method.upper(),
        "scheme": parts.scheme or "http",
        "path": unquote(parts.path) or "/",
        "raw_path": parts.path.encode(),
        "query_string": parts.query.encode(),
        "root_path": "",
        "headers": [
            (name.lower().encode("latin-1", "replace"), value.encode("latin-1", "replace"))
            for name, value in headers.items()
        ],
        "server": server,
        "client": None,
        "state": {},
    }
