"""The exports, with search, filter and sort."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from shared.model.connection import Connection
from shared.model.export import Export
from shared.model.run import ACTIVE, Run, RunStatus
from shared.scheduling.schedule import next_run
from shared.web.access import AccessRoute, requires
from shared.web.application.connections import may_use
from shared.web.authentication import Role
from shared.web.pages.exports.first_visit import first_visit
from shared.web.pages.render import CurrentPage, Page
from shared.web.parameters import FollowedIds

router = APIRouter(route_class=AccessRoute, include_in_schema=False)


@dataclass(frozen=True)
class Row:
    """One export of the list. `may_use` is false for a connection that is not shared with the caller."""

    export: Export
    connection: Connection | None
    run: Run | None
    next: datetime | None
    may_use: bool

    @property
    def name(self) -> str:
        """The key by which names are sorted."""
        return self.export.display_name.casefold()

    @property
    def connection_name(self) -> str:
        """The name of the connection; "" without one."""
        return self.connection.display_name if self.connection else ""

    def has_status(self, status: str) -> bool:
        """Whether the export belongs to a choice of the status filter."""
        if status == _NEVER:
            return self.run is None
        if status == _ACTIVE:
            return self.run is not None and self.run.is_active
        return not status or (self.run is not None and self.run.status == status)


_NEVER, _ACTIVE = "never", "active"
_STATUSES = (_ACTIVE, *(status.value for status in RunStatus if status not in ACTIVE), _NEVER)

_SORTS: dict[str, Callable[[Row], str]] = {
    "name": lambda row: row.name,
    "connection": lambda row: row.connection_name.casefold(),
    "status": lambda row: row.run.status.value if row.run else "",
    "last": lambda row: row.run.queued_at.isoformat() if row.run and row.run.queued_at else "",
}


@router.get("/")
@requires(Role.VIEWER)
def list_all(
    page: CurrentPage,
    q: Annotated[str, Query()] = "",
    status: Annotated[str, Query()] = "",
    sort: Annotated[str, Query()] = "name",
    order: Annotated[str, Query()] = "",
) -> Response:
    """The exports, with search, filter and sort."""
    known = page.services.connections.all()
    rows = _rows(page, known)
    wanted = q.strip()
    chosen = status if status in _STATUSES else ""
    found = [
        row
        for row in rows
        if wanted.casefold() in f"{row.name} {row.connection_name.casefold()}"
        and row.has_status(chosen)
    ]
    by = sort if sort in _SORTS else "name"
    found.sort(key=lambda row: (_SORTS[by](row), row.name), reverse=order == "desc")
    return page.render(
        "exports/list.html",
        rows=found,
        total=len(rows),
        q=wanted,
        chosen=chosen,
        statuses=_STATUSES,
        sort=by,
        descending=order == "desc",
        has_connection=bool(known),
        first=None if rows else first_visit(page),
    )


@router.get("/exports-progress")
@requires(Role.VIEWER)
def progress(page: CurrentPage, export: FollowedIds = None) -> Response:
    """The parts of the list that change while runs of these exports are active."""
    return page.render(
        "exports/list_progress.html", runs=page.services.history.last_runs(export or ())
    )


def _rows(page: Page, known: Sequence[Connection]) -> list[Row]:
    """Every export with its connection and its newest run. Reads one run per export."""
    services = page.services
    connection_by_id = {each.id: each for each in known}
    exports = [stored.value for stored in services.definitions.all()]
    runs_by_export = services.history.last_runs(export.id for export in exports)
    rows = []
    for export in exports:
        connection = connection_by_id.get(export.connection_id or "")
        rows.append(
            Row(
                export,
                connection,
                runs_by_export.get(export.id),
                next_run(export.schedule, services.clock()) if export.connection_id else None,
                connection is None or may_use(page.context, connection),
            )
        )
    return rows
