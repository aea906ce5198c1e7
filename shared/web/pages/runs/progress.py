"""The progress of an active run, and how long it may take."""

from __future__ import annotations

from datetime import datetime

from fastapi import APIRouter
from starlette.responses import Response

from shared.model.run import Mode, Run, RunStatus
from shared.planning.planner import LONGEST_WAIT
from shared.runs.history import RunFilter
from shared.web.access import AccessRoute, requires
from shared.web.authentication import Role
from shared.web.models.runs import run_view
from shared.web.pages.render import CurrentPage, Page
from shared.web.parameters import Id

router = APIRouter(route_class=AccessRoute, include_in_schema=False)

_ONE = "/runs/{id:id}"
# How many of the newest runs are searched for one that shows how long reading and comparing takes.
_MOST_COMPARED = 5


@router.get(f"{_ONE}/progress")
@requires(Role.VIEWER)
def progress(run_id: Id, page: CurrentPage) -> Response:
    """The part of the page of an active run that changes. 204 when the run is no longer active."""
    run = page.services.runs.read(run_id)
    if not run.is_active:
        return Response(status_code=204)
    return page.render(
        "runs/progress.html",
        run=run,
        view=run_view(run, page.language),
        waits_until=waits_until(run),
        planning_for=planning_for(page, run),
        is_preview=run.mode is Mode.PREVIEW,
    )


def waits_until(run: Run) -> datetime | None:
    """The latest time at which a run that waits during planning ends, give or take a few minutes."""
    return run.waiting_since + LONGEST_WAIT if run.waiting_since else None


def planning_for(page: Page, run: Run) -> int:
    """For how many seconds the run has been reading and comparing."""
    began = run.confirmed_at or run.started_at
    return int((page.services.clock() - began).total_seconds()) if began else 0


def planning_before(page: Page, run: Run) -> float | None:
    """How long reading and comparing took the last time; None if that is unknown, or this run has already done it.

    It is part of the page and not of its progress, because the query may read the runs of other exports as well.
    """
    if run.status not in (RunStatus.QUEUED, RunStatus.PLANNING) or not _reads_segments(run):
        return None
    found = page.services.history.newest(RunFilter(run.export_id), _MOST_COMPARED)
    known = (one.planning_seconds for one in found if one.id != run.id and _reads_segments(one))
    return next((seconds for seconds in known if seconds is not None), None)


def _reads_segments(run: Run) -> bool:
    """Whether planning reads the segments and compares all of their people."""
    everyone = run.mode.sends_everyone or run.mode is Mode.PREVIEW
    return everyone and run.undo_of is None and run.retry_of is None
