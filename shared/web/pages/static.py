"""The style sheet, the script and the icon, under names that change with their content.

Browsers keep them for a year; a new version of a file has a new name.
"""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path as FilePath
from typing import Annotated

from fastapi import APIRouter, Path
from starlette.responses import Response

from shared.web.access import AccessRoute, public
from shared.web.problems import HttpProblem

router = APIRouter(route_class=AccessRoute, include_in_schema=False)

_FOLDER = FilePath(__file__).parent.parent / "static"
_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
_FOR_A_YEAR = "public, max-age=31536000, immutable"


@cache
def _files() -> dict[str, tuple[str, bytes, str]]:
    """Content and type of every file, by the name under which it is served."""
    found = {}
    for file in sorted(_FOLDER.iterdir()):
        body = file.read_bytes()
        name = f"{file.stem}-{hashlib.sha256(body).hexdigest()[:16]}{file.suffix}"
        found[name] = (file.name, body, _TYPES[file.suffix])
    return found


@cache
def static_url(file: str) -> str:
    """The URL of a file in the folder `static`."""
    return next(f"/static/{name}" for name, (known, _, _) in _files().items() if known == file)


@router.get("/static/{name}")
@public
def static(name: Annotated[str, Path()]) -> Response:
    """Return a static file."""
    if name not in _files():
        raise HttpProblem(404, "notFound")
    _, body, media_type = _files()[name]
    return Response(body, media_type=media_type, headers={"Cache-Control": _FOR_A_YEAR})
