"""The refresh schedule, and the language of the pages."""

from __future__ import annotations

import re
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from starlette.requests import Request
from starlette.responses import Response

from shared.web.access import AccessRoute, requires
from shared.web.application import schedule
from shared.web.application.etags import etag_of
from shared.web.authentication import Role
from shared.web.chosen_language import language_cookie
from shared.web.models.schedules import RefreshScheduleBody, ScheduleView
from shared.web.pages.conflicts import conflicting_fields
from shared.web.pages.forms import NO_ERRORS, FormErrors, SentForm
from shared.web.pages.render import CurrentPage, Page, redirect
from shared.web.pages.schedule_form import coming_runs, schedule_fields
from shared.web.problems import HttpProblem
from shared.web.texts import LANGUAGES

router = APIRouter(route_class=AccessRoute, include_in_schema=False)

# A path of the app, with the filters of a list.
_PATH = re.compile(r"/(?:[\w-]+(?:/[\w-]+)*)?(?:\?[\w.~%&=+:-]*)?", re.ASCII)


@router.get("/schedule")
@requires(Role.VIEWER)
def show_schedule(page: CurrentPage) -> Response:
    """The refresh schedule."""
    return _schedule(page)


def _schedule(
    page: Page, fields: dict[str, Any] | None = None, errors: FormErrors = NO_ERRORS
) -> Response:
    """The form: as saved, or as sent and refused."""
    stored = schedule.read(page.context)
    saved = ScheduleView.of(stored.value).shown()
    conflict = None
    if errors.is_outdated and fields:
        conflict = conflicting_fields({"schedule": saved}, {"schedule": fields}, page.language)
    return page.render(
        "schedule.html",
        errors=errors,
        schedule=fields or saved,
        coming=coming_runs(stored.value, page.services.clock(), page.language),
        is_new=not fields and not schedule.is_set(stored),
        conflict=conflict,
        etag=etag_of(stored.etag),
    )


@router.post("/schedule")
@requires(Role.ADMINISTRATOR)
def save_schedule(page: CurrentPage, form: SentForm) -> Response:
    """Set the refresh schedule."""
    fields = schedule_fields(form)

    def save() -> object:
        body = RefreshScheduleBody.from_form(fields)
        return schedule.change(page.context, body, form.etag)

    saved = page.attempt(save)
    if isinstance(saved, FormErrors):
        return _schedule(page, fields, saved)
    return redirect("/schedule?done=saved")


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
