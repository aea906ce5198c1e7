"""All runs, newest first, with filters by export, status, trigger and date."""

from __future__ import annotations

from enum import StrEnum
from typing import TypeVar

from fastapi import APIRouter
from starlette.responses import Response

from shared.model.run import RunStatus, Trigger
from shared.runs.history import RunFilter
from shared.web.access import AccessRoute, requires
from shared.web.authentication import Role
from shared.web.pages.filters import Word, day_range
from shared.web.pages.render import CurrentPage
from shared.web.parameters import FollowedIds

router = APIRouter(route_class=AccessRoute, include_in_schema=False)

_PAGE = 40
E = TypeVar("E", bound=StrEnum)


def _choice(kind: type[E], value: str) -> E | None:
    return next((one for one in kind if one.value == value), None)


@router.get("/runs")
@requires(Role.VIEWER)
def list_all(
    page: CurrentPage,
    export: Word = "",
    status: Word = "",
    trigger: Word = "",
    since: Word = "",
    until: Word = "",
    after: Word = "",
) -> Response:
    """Runs that match the filters. `since` and `until` are days, both included."""
    exports = [stored.value for stored in page.services.definitions.all()]
    names = {one.id: one.display_name for one in exports}
    first, before, days = day_range(since, until, page.zone)
    wanted = RunFilter(
        export or None, _choice(RunStatus, status), _choice(Trigger, trigger), first, before
    )
    found = page.services.history.newest(wanted, _PAGE + 1, after)
    shown = found[:_PAGE]
    filters = {
        "export": export,
        "status": wanted.status or "",
        "trigger": wanted.trigger or "",
        **days,
    }
    chosen = {name: str(value) for name, value in filters.items() if value}
    return page.render(
        "runs/list.html",
        runs=shown,
        names=names,
        exports=exports,
        statuses=list(RunStatus),
        triggers=list(Trigger),
        filters=filters,
        chosen=chosen,
        paged=bool(after),
        older={**chosen, "after": shown[-1].id} if len(found) > _PAGE else None,
    )


@router.get("/runs-progress")
@requires(Role.VIEWER)
def progress(page: CurrentPage, run: FollowedIds = None) -> Response:
    """The parts of a list of runs that change while these runs are active."""
    return page.render("runs/list_progress.html", runs=page.services.history.with_ids(run or ()))
