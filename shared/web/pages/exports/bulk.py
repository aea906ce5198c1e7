"""Actions on several exports: run all, and one schedule for the exports that were chosen."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query
from starlette.responses import Response

from shared.model.export import Export
from shared.web.access import AccessRoute, requires
from shared.web.application import exports, runs
from shared.web.authentication import Role
from shared.web.models.schedules import ScheduleBody, ScheduleView
from shared.web.pages.forms import NO_ERRORS, FormErrors, SentForm
from shared.web.pages.render import CurrentPage, Page, redirect
from shared.web.pages.schedule.fields import schedule_fields
from shared.web.problems import error_text

router = APIRouter(route_class=AccessRoute, include_in_schema=False)

_MOST = 500
_NOTHING_CHOSEN = "/?done=chooseExports"
_ALL_REMOVED = "/?done=chosenGone"


@router.get("/run-all")
@requires(Role.CONTRIBUTOR)
def ask_start_all(page: CurrentPage) -> Response:
    """Name the exports that would start, and those that would not."""
    found = runs.would_start_all(page.context)
    return page.render("exports/run_all.html", found=found, asks=True)


@router.post("/run-all")
@requires(Role.CONTRIBUTOR)
def start_all(page: CurrentPage, _form: SentForm) -> Response:
    """Run all exports whose schedule is on, and name what was started."""
    found = runs.start_all(page.context)
    return page.render("exports/run_all.html", found=found, asks=False)


@router.get("/exports-schedule")
@requires(Role.CONTRIBUTOR)
def ask_schedules(
    page: CurrentPage, export: Annotated[list[str] | None, Query(max_length=_MOST)] = None
) -> Response:
    """The schedule for the chosen exports."""
    return _ask(page, export or [])


def _ask(page: Page, ids: list[str]) -> Response:
    if not ids:
        return redirect(_NOTHING_CHOSEN)
    chosen, removed = _chosen(page, ids)
    return _schedules(page, chosen, removed) if chosen else redirect(_ALL_REMOVED)


def _chosen(page: Page, ids: list[str]) -> tuple[list[Export], int]:
    """The exports with these ids, and how many of them were removed in the meantime."""
    wanted = set(ids)
    # One query is faster than a read of each of them.
    found = (stored.value for stored in page.services.definitions.all())
    chosen = [export for export in found if export.id in wanted]
    return chosen, len(wanted) - len(chosen)


def _schedules(
    page: Page,
    chosen: list[Export],
    removed: int,
    fields: dict[str, Any] | None = None,
    errors: FormErrors = NO_ERRORS,
    unchanged: list[tuple[Export, str]] | None = None,
) -> Response:
    return page.render(
        "exports/schedules.html",
        errors=errors,
        chosen=chosen,
        removed=removed,
        was_sent=fields is not None,
        schedule=fields or ScheduleView.of(chosen[0].schedule).shown(),
        unchanged=unchanged or [],
    )


@router.post("/exports-schedule")
@requires(Role.CONTRIBUTOR)
def set_schedules(page: CurrentPage, form: SentForm) -> Response:
    """Give the chosen exports one schedule. Without a schedule, show the form for it.

    The list of exports also sends its selection by POST, because the ids of hundreds of exports are too long for a URL.
    """
    if not form.has("repeat"):
        return _ask(page, form.all("export"))
    chosen, removed = _chosen(page, form.all("export"))
    if not chosen:
        return redirect(_ALL_REMOVED)
    fields = schedule_fields(form)

    def changed() -> list[tuple[Export, str]]:
        schedule = ScheduleBody.from_form(fields).value()
        done = exports.set_schedules(page.context, chosen, schedule)
        return [
            (export, error_text(error, page.language))
            for export, error in done
            if error is not None
        ]

    unchanged = page.attempt(changed)
    if isinstance(unchanged, FormErrors):
        return _schedules(page, chosen, removed, fields, unchanged)
    if unchanged:
        again = [one for one, _ in unchanged]
        return _schedules(page, again, removed, fields, NO_ERRORS, unchanged)
    return redirect(f"/?done={'scheduledOthers' if removed else 'scheduled'}")
