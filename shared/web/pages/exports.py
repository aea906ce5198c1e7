"""The list of exports, the actions on one, and its history."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from shared.errors import ConnectorError
from shared.model.connection import Connection
from shared.model.export import Export
from shared.model.run import ACTIVE, Mode, Run, RunStatus
from shared.runs.history import RunFilter
from shared.scheduling.schedule import next_run
from shared.web.access import AccessRoute, Subject, requires
from shared.web.application import connections, exports, runs
from shared.web.application.connections import may_use
from shared.web.application.etags import etag_of
from shared.web.authentication import Role
from shared.web.models.runs import StartBody, finding_views
from shared.web.pages.chart import charts
from shared.web.pages.finding_groups import grouped
from shared.web.pages.first_visit import first_visit
from shared.web.pages.forms import NO_ERRORS, FormErrors, SentForm
from shared.web.pages.render import CurrentPage, Page, redirect
from shared.web.parameters import FollowedIds, Id

router = APIRouter(route_class=AccessRoute, include_in_schema=False)

_ONE = "/exports/{id:id}"
_HISTORY = 30


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
        "exports.html",
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
    return page.render("exports_progress.html", runs=page.services.history.last_runs(export or ()))


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


@router.get(_ONE)
@requires(Role.VIEWER)
def show(export_id: Id, page: CurrentPage, done: Annotated[str, Query()] = "") -> Response:
    """One export with its history."""
    return _show(page, export_id, saved=done in ("saved", "savedAndRun", "savedNotRun"))


def _show(
    page: Page, export_id: str, errors: FormErrors = NO_ERRORS, *, saved: bool = False
) -> Response:
    services = page.services
    details = exports.read(page.context, export_id, saved=saved)
    export = details.export
    history = services.history.newest(RunFilter(export_id), _HISTORY)
    connection = services.connections.find(export.connection_id)
    return page.render(
        "export.html",
        errors=errors,
        export=export,
        may_use=connection is None or may_use(page.context, connection),
        findings=grouped(finding_views(details.findings, page.language)),
        connection=connection,
        runs=history,
        more=len(history) == _HISTORY,
        charts=charts(history),
        audience_name=next((run.audience_name for run in history if run.audience_name), "")
        or _name_of_audience(page, export),
        members=_members(page, history),
        excluded=_excluded(page, export_id),
        next=next_run(export.schedule, services.clock()) if connection else None,
    )


def _name_of_audience(page: Page, export: Export) -> str:
    """The name of an audience that no run has read yet; "" if Mailchimp does not answer."""
    if not export.connection_id:
        return ""
    try:
        audiences = connections.audiences(page.context, export.connection_id)
    except ConnectorError:
        return ""
    return next((each.name for each in audiences if each.id == export.audience_id), "")


def _excluded(page: Page, export_id: str) -> int | None:
    """How many entries the list of excluded people has; None if it cannot be read."""
    try:
        listed = page.services.exclusions.read(export_id)
    except ConnectorError:
        return None
    return len(listed.addresses) + len(listed.customers)


def _members(page: Page, history: Sequence[Run]) -> dict[str, int | None]:
    """The members of each segment in the newest run, without undos; before the first run, those in its files."""
    found: dict[str, int | None] = {
        segment.name: segment.members
        for run in reversed(history)
        if run.mode.sends_everyone and not run.undo_of
        for segment in run.segments
    }
    if found:
        return found
    try:
        return {one.name: one.member_count for one in page.services.catalogue.listing().segments}
    except ConnectorError:
        return {}


@router.get(f"{_ONE}/run")
@router.get(f"{_ONE}/duplicate")
@requires(Role.VIEWER)
def show_after_action(export_id: Id) -> Response:
    """The export: a refused action leaves the browser at its address, where people reload or switch the language."""
    return redirect(f"/exports/{export_id}")


@router.post(f"{_ONE}/run")
@requires(Role.CONTRIBUTOR, shared=Subject.EXPORT)
def start(export_id: Id, page: CurrentPage, form: SentForm) -> Response:
    """Run, or preview."""

    def started() -> Run:
        mode = Mode(StartBody.from_form({"mode": form.get("mode") or Mode.EXPORT}).mode)
        again = bool(form.get("addArchived"))
        return runs.start(page.context, export_id, mode, add_archived=again)

    run = page.attempt(started)
    if isinstance(run, FormErrors):
        return _show(page, export_id, run)
    return redirect(f"/runs/{run.id}")


@router.post(f"{_ONE}/duplicate")
@requires(Role.CONTRIBUTOR, shared=Subject.EXPORT)
def duplicate(export_id: Id, page: CurrentPage, _form: SentForm) -> Response:
    """Copy, and continue with changing the copy."""
    copy = page.attempt(lambda: exports.duplicate(page.context, export_id))
    if isinstance(copy, FormErrors):
        return _show(page, export_id, copy)
    return redirect(f"/exports/{copy.export.id}/edit?done=duplicated")


@router.get(f"{_ONE}/detach")
@requires(Role.CONTRIBUTOR, shared=Subject.EXPORT)
def ask_detach(export_id: Id, page: CurrentPage) -> Response:
    """Explain what detaching the connection does."""
    return _detach(page, export_id)


def _detach(page: Page, export_id: str, errors: FormErrors = NO_ERRORS) -> Response:
    details = exports.read(page.context, export_id)
    connection = page.services.connections.find(details.export.connection_id)
    return page.render(
        "detach.html",
        errors=errors,
        export=details.export,
        connection=connection.display_name if connection else "",
        running=details.last_run is not None and details.last_run.is_active,
    )


@router.post(f"{_ONE}/detach")
@requires(Role.CONTRIBUTOR, shared=Subject.EXPORT)
def detach(export_id: Id, page: CurrentPage, _form: SentForm) -> Response:
    """Detach the connection."""
    detached = page.attempt(lambda: exports.detach(page.context, export_id))
    if isinstance(detached, FormErrors):
        return _detach(page, export_id, detached)
    return redirect(f"/exports/{export_id}?done=detached")


@router.get(f"{_ONE}/remove")
@requires(Role.CONTRIBUTOR, shared=Subject.EXPORT)
def ask_removal(export_id: Id, page: CurrentPage) -> Response:
    """Explain what removing does and does not do."""
    return _removal(page, export_id)


def _removal(page: Page, export_id: str, errors: FormErrors = NO_ERRORS) -> Response:
    stored = page.services.definitions.read(export_id)
    etag = etag_of(stored.etag)
    return page.render("remove_export.html", errors=errors, export=stored.value, etag=etag)


@router.post(f"{_ONE}/remove")
@requires(Role.CONTRIBUTOR, shared=Subject.EXPORT)
def remove(export_id: Id, page: CurrentPage, form: SentForm) -> Response:
    """Remove an export."""
    result = page.attempt(lambda: exports.delete(page.context, export_id, form.etag))
    if isinstance(result, FormErrors):
        return _removal(page, export_id, result)
    return redirect("/?done=removed")
