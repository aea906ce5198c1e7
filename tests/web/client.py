"""Calls a site in the process with real request values."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from shared.web.http import Request, Response
from tests.web.desk import KEY, World

ORIGIN = "http://localhost:7071"


def call(
    world: World,
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
    return world.site.answer(Request.of(method, ORIGIN + path, {**given, **(headers or {})}, data))


def get(world: World, path: str, status: int = 200, **headers: str) -> Any:
    """The JSON of an answer that must have this status."""
    answer = call(world, "GET", path, headers={n.replace("_", "-"): v for n, v in headers.items()})
    assert answer.status == status, answer.body
    return answer.json()


def send(world: World, method: str, path: str, body: object = None, status: int = 200) -> Any:
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
    """The least that an export needs."""
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
