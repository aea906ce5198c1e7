"""All runs, newest first, with filters by export, status, trigger and date."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from typing import Annotated, TypeVar
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Query
from starlette.responses import Response

from shared.model.run import Run, RunStatus, Trigger
from shared.runs.history import RunFilter
from shared.web.access import AccessRoute, requires
from shared.web.authentication import Role
from shared.web.models.runs import reason_view
from shared.web.pages.render import CurrentPage, Page
from shared.web.pages.run_summary import rows_per_second, seconds_of

__all__ = ["RunRow", "day_start", "router", "run_rows"]

router = APIRouter(route_class=AccessRoute, include_in_schema=False)

_PAGE = 40
E = TypeVar("E", bound=StrEnum)
Word = Annotated[str, Query(max_length=100)]


@dataclass(frozen=True)
class RunRow:
    """One run of a list."""

    run: Run
    export_name: str
    reason: str
    seconds: float | None
    rate: float | None


def run_rows(page: Page, runs: list[Run], names: dict[str, str]) -> list[RunRow]:
    """The runs with what their lists show; `names` are those of the exports."""
    return [
        RunRow(
            run,
            names.get(run.export_id, ""),
            reason_view(run.reason, page.language).message if run.reason else "",
            seconds_of(run),
            rows_per_second(run),
        )
        for run in runs
    ]


def _choice(kind: type[E], value: str) -> E | None:
    return next((one for one in kind if one.value == value), None)


def day_start(value: str, where: ZoneInfo) -> datetime | None:
    """The beginning of a day; None for an empty or invalid date."""
    try:
        return datetime.combine(date.fromisoformat(value), time(), where)
    except ValueError:
        return None


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
    first, last = day_start(since, page.zone), day_start(until, page.zone)
    wanted = RunFilter(
        export or None,
        _choice(RunStatus, status),
        _choice(Trigger, trigger),
        first,
        last + timedelta(days=1) if last and last.date() < date.max else None,
    )
    found = page.services.history(wanted, _PAGE + 1, after)
    shown = found[:_PAGE]
    filters = {
        "export": export,
        "status": wanted.status or "",
        "trigger": wanted.trigger or "",
        "since": since if first else "",
        "until": until if last else "",
    }
    chosen = {name: str(value) for name, value in filters.items() if value}
    return page.render(
        "runs.html",
        rows=run_rows(page, shown, names),
        exports=exports,
        statuses=list(RunStatus),
        triggers=list(Trigger),
        filters=filters,
        chosen=chosen,
        paged=bool(after),
        older={**chosen, "after": shown[-1].id} if len(found) > _PAGE else None,
    )
