"""The style sheet and the script: files of ours, by name, nothing else."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

from shared.web.call import Call
from shared.web.http import Response
from shared.web.problem import HttpProblem
from shared.web.routes import Route

__all__ = ["ROUTES"]

_FOLDER = Path(__file__).parent.parent / "static"
_TYPES = {
    "app-css": ("app.css", "text/css; charset=utf-8"),
    "app-js": ("app.js", "text/javascript; charset=utf-8"),
    "icon-svg": ("icon.svg", "image/svg+xml"),
}


@cache
def _file(name: str) -> tuple[bytes, str]:
    body = (_FOLDER / name).read_bytes()
    return body, f'"{hashlib.sha256(body).hexdigest()[:16]}"'


def static(call: Call) -> Response:
    """One of our files; a browser may keep it and asks whether it is still the same."""
    known = _TYPES.get(call.id)
    if known is None:
        raise HttpProblem(404, "notFound")
    body, etag = _file(known[0])
    headers = {"Content-Type": known[1], "Cache-Control": "no-cache", "ETag": etag}
    if call.request.header("if-none-match") == etag:
        return Response(304, headers)
    return Response(200, headers, body)


ROUTES = (
    Route("GET", "/static/{id}", None, static, "The style sheet and the script", is_page=True),
)
