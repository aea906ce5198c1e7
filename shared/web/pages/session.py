"""What pages ask for beside their content: whether a form may be sent, and another language."""

from __future__ import annotations

import re
from typing import Annotated

from fastapi import APIRouter, Path, Query
from starlette.requests import Request
from starlette.responses import Response

from shared.web.access import AccessRoute, requires
from shared.web.authentication import Role
from shared.web.chosen_language import language_cookie
from shared.web.pages.render import redirect
from shared.web.problems import HttpProblem
from shared.web.texts import LANGUAGES

router = APIRouter(route_class=AccessRoute, include_in_schema=False)

# A path of the app, with the filters of a list.
_PATH = re.compile(r"/(?:[\w-]+(?:/[\w-]+)*)?(?:\?[\w.~%&=+:-]*)?", re.ASCII)


@router.get("/session")
@requires(Role.VIEWER)
async def check_session(
    request: Request, form: Annotated[str, Query(max_length=300)] = ""
) -> Response:
    """Respond without content if the caller may send a form to the path `form`.

    A page requests this before it sends the form: after an error, what was typed would be lost.
    """
    await AccessRoute.check_form(request, form)
    return Response(status_code=204)


@router.get("/language/{language}")
@requires(Role.VIEWER)
def choose_language(
    language: Annotated[str, Path()], back: Annotated[str, Query()] = "/"
) -> Response:
    """Remember the language and go back to a page of the app."""
    if language not in LANGUAGES:
        raise HttpProblem(404, "notFound")
    response = redirect(back if _PATH.fullmatch(back) else "/")
    response.headers["Set-Cookie"] = language_cookie(language)
    return response
