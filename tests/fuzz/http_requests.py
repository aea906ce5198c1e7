"""Fuzz target: no HTTP request causes a 500 or injects a header.

An input is `METHOD path`, lines of headers, an empty line, and the body. `{connection}`, `{export}`
and `{run}` are replaced by existing ids.
"""

from __future__ import annotations

import logging

import orjson

from shared.model.run import Mode, Trigger
from tests.web.client import ORIGIN, new_connection, new_export, request
from tests.web.world import World

TOKENS = (
    b"POST /api/exports\n", b"PUT /api/exports/{export}\n", b"GET /api/runs?", b"{connection}", b"{run}",
    b"POST /api/connections\n", b"PUT /api/schedule\n", b"POST /api/people/search\n", b"DELETE ",
    b"Content-Type: application/json\n", b"Content-Type: application/x-www-form-urlencoded\n",
    b"If-Match: *\n", b"Accept-Language: ko;q=0.5\n", b"Cookie: language=ko\n", b"Origin: null\n",
    b"traceparent: 00-", b"\n\n{", b'"displayName":', b'"connectionId":', b'"audienceId":"a1"',
    b'"mapping":{"email":"EMail"}', b'"segments":[{"name":"VIP"}]', b'"schedule":{"enabled":true}',
    b'"days":["monday"]', b'"times":["06:00"]', b'"timeZone":"Asia/Seoul"', b'"removalGuard":',
    b'{"maxShare":1e308}', b'"consent":{"agreed":true,"locale":"en"}', b'"apiKey":"k-us1"', b"null",
    b'"newContacts":{"status":"pending"}', b'"attributes":[{"attribute":"A","mergeField":"X"}]',
    b"[]", b"{}", b'"\\u202e"', b'"\\ud800"', b"%0d%0a", b"..%2f", b"\xff", b"1e400", b"-0", b"9" * 40,
    b"/outcomes.csv?only=", b"?done=", b"?top=", b"&skip=", b"?segment=", b'"createdAt":', b"true",
)  # fmt: skip
_METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "PATCH")


def run(data: bytes) -> object:
    """Return what was seen; AssertionError for a response that breaks a rule."""
    head, _, body = data.partition(b"\n\n")
    first, *lines = head.decode("latin-1").split("\n")
    world = World()
    connection = new_connection(world)
    export = new_export(world, connection)
    ids = {"{connection}": connection, "{export}": export}
    ids["{run}"] = world.runs.start(export, Trigger.ON_DEMAND, Mode.EXPORT, "Ada").id
    method, _, path = first.partition(" ")
    for name, known in ids.items():
        path = path.replace(name, known)
        body = body.replace(name.encode(), known.encode())
    headers = dict(line.split(": ", 1) for line in lines if ": " in line)
    logging.disable(logging.CRITICAL)
    try:
        method = method if method in _METHODS else "POST"
        answer = request(world.web, method, ORIGIN + path, headers, body)
    finally:
        logging.disable(logging.NOTSET)
    assert answer.status != 500, "an unexpected error"
    for name, value in answer.raw_headers:
        assert (name + value).isprintable() and value.isascii(), f"the header {name} is not clean"
    kind = answer.headers.get("Content-Type", "")
    code = ""
    if kind.endswith("json") and answer.body:
        problem = orjson.loads(answer.body)
        if kind.endswith("problem+json"):
            assert problem["status"] == answer.status
            code = str(problem.get("code") or problem["type"])
            fields = [fault["field"].partition("[")[0] for fault in problem.get("errors", [])]
            code += ",".join(sorted(set(fields)))[:100]
    return method, answer.status, code[:200]
