"""Sends requests to the web application as the triggers of function_app.py do."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Coroutine, Iterable, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from http import HTTPStatus
from http.cookies import SimpleCookie
from typing import Any, Protocol, TypeVar

from starlette.types import ASGIApp
from werkzeug.wrappers import Request as WsgiRequest

from shared.web.asgi import answer
from tests.web.world import KEY, World

ORIGIN = "http://localhost:7071"
T = TypeVar("T")


class Served(Protocol):
    """What has the web application: the world of a test, or an app."""

    @property
    def web(self) -> ASGIApp: ...


@dataclass(frozen=True)
class Response:
    """What a caller receives. Names of headers in any case."""

    status: int
    raw_headers: tuple[tuple[str, str], ...]
    body: bytes

    @cached_property
    def headers(self) -> Headers:
        return Headers(self.raw_headers)

    @property
    def cookies(self) -> dict[str, str]:
        jar = SimpleCookie()
        for name, value in self.raw_headers:
            if name.lower() == "set-cookie":
                jar.load(value)
        return {name: morsel.value for name, morsel in jar.items()}

    def json(self) -> Any:
        return json.loads(self.body)


class Headers(dict[str, str]):
    """Of a header that occurs twice the last one counts."""

    def __init__(self, raw: tuple[tuple[str, str], ...]) -> None:
        super().__init__({name.lower(): value for name, value in raw})

    def __getitem__(self, name: str) -> str:
        return super().__getitem__(name.lower())

    def __contains__(self, name: object) -> bool:
        return super().__contains__(str(name).lower())

    def get(self, name: str, default: Any = None) -> Any:
        return super().get(name.lower(), default)


@cache
def _loop() -> asyncio.AbstractEventLoop:
    """A loop in a separate thread, as in the platform's worker; Playwright has one in this thread."""
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, name="requests", daemon=True).start()
    return loop


def run_async(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine in the loop of that thread, and return its result."""
    return asyncio.run_coroutine_threadsafe(work, _loop()).result()


def request(
    app: ASGIApp, method: str, url: str, headers: Mapping[str, str] | None = None, body: bytes = b""
) -> Response:
    """One request to an application, with an absolute URL."""
    got = run_async(answer(app, method, url, headers or {}, body))
    return Response(got.status, got.headers, got.body)


Start = Callable[[str, list[tuple[str, str]]], object]


def wsgi(world: Served) -> Callable[[dict[str, Any], Start], Iterable[bytes]]:
    """A world behind WSGI, for servers and tools that speak it."""

    def application(environ: dict[str, Any], start: Start) -> Iterable[bytes]:
        sent = WsgiRequest(environ)
        got = request(world.web, sent.method, sent.url, dict(sent.headers), sent.get_data())
        start(f"{got.status} {HTTPStatus(got.status).phrase}", list(got.raw_headers))
        return [got.body]

    return application


def call(
    world: Served,
    method: str,
    path: str,
    body: object = None,
    headers: Mapping[str, str] | None = None,
    *,
    raw: bytes | None = None,
) -> Response:
    """One request; a body is sent as JSON."""
    sent = json.dumps(body).encode() if body is not None else b""
    given = {"Content-Type": "application/json"} if body is not None or raw is not None else {}
    data = raw if raw is not None else sent
    return request(world.web, method, ORIGIN + path, {**given, **(headers or {})}, data)


def get(world: Served, path: str, status: int = 200, **headers: str) -> Any:
    """The JSON of an answer that must have this status."""
    answer = call(world, "GET", path, headers={n.replace("_", "-"): v for n, v in headers.items()})
    assert answer.status == status, answer.body
    return answer.json()


def send(world: Served, method: str, path: str, body: object = None, status: int = 200) -> Any:
    """The JSON of an answer to a change, {} without a body."""
    answer = call(world, method, path, body)
    assert answer.status == status, answer.body
    return answer.json() if answer.body else {}


def faults(answer: Response) -> dict[str, str]:
    """The faults of a problem by field."""
    problem: Any = answer.json()
    return {fault["field"]: fault["message"] for fault in problem.get("errors", [])}


def new_connection(world: World, name: str = "Main", *, connected: bool = True, **more: Any) -> str:
    """A connection's id."""
    body = {"displayName": name, "consent": {"agreed": True, "locale": "en"}, **more}
    made = send(world, "POST", "/api/connections", body, 201)
    if connected:
        path = f"/api/connections/{made['id']}/mailchimp/api-key"
        send(world, "PUT", path, {"apiKey": KEY})
    return made["id"]


def export_body(connection: str | None, **changes: Any) -> dict[str, Any]:
    """The smallest body of an export."""
    return {
        "displayName": "Weekly news",
        "connectionId": connection,
        "audienceId": "a1b2c3d4e5",
        "mapping": {"email": "Email", "firstName": "FirstName"},
        "segments": [{"name": "Segment_Vip", "tag": "VIP"}],
        **changes,
    }


def new_export(world: World, connection: str | None = None, **changes: Any) -> str:
    """An export's id."""
    body = export_body(connection or new_connection(world), **changes)
    made = send(world, "POST", "/api/exports", body, 201)
    return made["id"]
