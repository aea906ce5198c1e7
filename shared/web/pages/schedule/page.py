"""The refresh schedule."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from starlette.responses import Response

from shared.web.access import AccessRoute, requires
from shared.web.application import schedule
from shared.web.application.etags import etag_of
from shared.web.authentication import Role
from shared.web.models.schedules import RefreshScheduleBody, ScheduleView
from shared.web.pages.conflicts import conflicting_fields
from shared.web.pages.forms import NO_ERRORS, FormErrors, SentForm
from shared.web.pages.render import CurrentPage, Page, redirect
from shared.web.pages.schedule.fields import coming_runs, schedule_fields

router = APIRouter(route_class=AccessRoute, include_in_schema=False)


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
        "schedule/page.html",
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
