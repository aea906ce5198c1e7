"""One export and its history, and the actions on it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from shared.errors import ConnectorError
from shared.model.export import Export
from shared.model.run import Mode, Run
from shared.runs.history import RunFilter
from shared.scheduling.schedule import next_run
from shared.web.access import AccessRoute, Subject, requires
from shared.web.application import connections, exports, runs
from shared.web.application.connections import may_use
from shared.web.authentication import Role
from shared.web.models.runs import StartBody, finding_views
from shared.web.pages.exports.chart import charts
from shared.web.pages.findings.groups import grouped
from shared.web.pages.forms import NO_ERRORS, FormErrors, SentForm
from shared.web.pages.render import CurrentPage, Page, redirect
from shared.web.parameters import Id

router = APIRouter(route_class=AccessRoute, include_in_schema=False)

_ONE = "/exports/{id:id}"
_HISTORY = 30


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
        "exports/page.html",
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
