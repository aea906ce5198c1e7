"""Runs over HTTP: start, look, stop, confirm, retry, undo, and what became of every row."""

from __future__ import annotations

from collections.abc import Callable

from shared.model.outcome import Outcome
from shared.model.run import Run, RunStatus, Trigger
from shared.web.api.answers import listed, page_of, shown
from shared.web.call import Call
from shared.web.http import Response
from shared.web.models.runs import RunView, StartBody, UndoBody, run_view
from shared.web.needs import Desk
from shared.web.outcomes_csv import outcomes_csv
from shared.web.principal import Role
from shared.web.problem import HttpProblem
from shared.web.routes import Param, Route

__all__ = ["ROUTES"]

_TOP = 50
_MOST_TOP = 200
_MOST_SKIP = 10_000
_STATUSES = {status.value: status for status in RunStatus}
_OUTCOMES = {outcome.value: outcome.value for outcome in Outcome}


def _accepted(call: Call, run: Run) -> Response:
    location = {"Location": f"/api/runs/{run.id}"}
    return shown(run_view(run, call.language), call, status=202, headers=location)


def start(call: Call) -> Response:
    """Run an export; while a run is active, that run."""
    mode = call.body_or(StartBody()).mode
    run = call.desk.start(call.id, Trigger.ON_DEMAND, mode, call.principal.name)
    call.audit("run.start", run.id, "", None, {"exportId": call.id, "mode": mode})
    return _accepted(call, run)


def start_all(call: Call) -> Response:
    """Run every export whose schedule is on."""
    runs = call.desk.run_all(call.principal.name)
    for run in runs:
        call.audit("run.start", run.id, "", None, {"exportId": run.export_id, "mode": run.mode})
    return listed([run_view(run, call.language) for run in runs], call, status=202)


def list_all(call: Call) -> Response:
    """Runs, newest first, page by page."""
    status = call.choice("status", _STATUSES)
    top = call.number("top", _TOP, _MOST_TOP)
    skip = call.number("skip", 0, _MOST_SKIP, least=0)
    export_id = call.request.query.get("exportId") or None
    found = call.desk.runs(export_id, status, skip + top + 1)[skip:]
    views = [run_view(run, call.language) for run in found[:top]]
    return listed(views, call, page_of(call, skip, top) if len(found) > top else None)


def read(call: Call) -> Response:
    """One run with its progress as it is now."""
    return shown(run_view(call.desk.run(call.id), call.language), call)


def _act(call: Call, action: str, act: Callable[[str, str], Run]) -> Response:
    before = call.desk.run(call.id)
    run = act(call.id, call.principal.name)
    call.audit(
        action, call.id, "", {"status": before.status}, {"status": run.status, "runId": run.id}
    )
    return _accepted(call, run)


def cancel(call: Call) -> Response:
    """Stop a run after the calls that are on their way."""
    return _act(call, "run.cancel", call.desk.cancel)


def confirm(call: Call) -> Response:
    """Go on although the removal guard stopped the run."""
    return _act(call, "run.confirm", call.desk.confirm)


def retry(call: Call) -> Response:
    """A new run of the rows that failed."""
    return _act(call, "run.retry", call.desk.retry)


def undo(call: Call) -> Response:
    """Take back what a run did."""
    if call.desk.undo is None:
        raise HttpProblem(404, "notFound")
    archive = call.body_or(UndoBody()).archive_created
    take_back = call.desk.undo
    return _act(call, "run.undo", lambda run_id, by: take_back(run_id, by, archive))


def _has_undo(desk: Desk) -> bool:
    return desk.undo is not None


def outcomes(call: Call) -> Response:
    """What became of every row, as a file. Reading it is recorded: it is personal data."""
    only = call.choice("only", _OUTCOMES)
    run = call.desk.run(call.id)
    body = outcomes_csv(call.desk.outcomes(run.id, only), call.language)
    call.audit("run.download", run.id, "", None, {"only": only or "all"})
    headers = {
        "Content-Type": "text/csv; charset=utf-8",
        "Content-Language": call.language,
        "Content-Disposition": f'attachment; filename="outcomes-{run.id}.csv"',
    }
    return Response(200, headers, body)


_ONE = "/api/runs/{id}"


def _action(name: str, endpoint: Callable[[Call], Response], about: str) -> Route:
    return Route(
        "POST", f"{_ONE}/{name}", Role.CONTRIBUTOR, endpoint, about, gives=RunView, status=202
    )


ROUTES = (
    Route(
        "POST",
        "/api/exports/{id}/runs",
        Role.CONTRIBUTOR,
        start,
        "Run an export, or get the run that is active",
        takes=StartBody,
        takes_optional=True,
        gives=RunView,
        status=202,
    ),
    Route(
        "POST",
        "/api/runs",
        Role.CONTRIBUTOR,
        start_all,
        "Run all exports whose schedule is on",
        gives=RunView,
        gives_list=True,
        status=202,
    ),
    Route(
        "GET",
        "/api/runs",
        Role.VIEWER,
        list_all,
        "List runs, newest first",
        gives=RunView,
        gives_list=True,
        params=(
            Param("exportId", "Only the runs of this export"),
            Param("status", "Only runs in this status", {"type": "string", "enum": [*_STATUSES]}),
            Param("top", "How many", {"type": "integer", "minimum": 1, "maximum": _MOST_TOP}),
            Param(
                "skip",
                "How many to leave out first",
                {"type": "integer", "minimum": 0, "maximum": _MOST_SKIP},
            ),
        ),
    ),
    Route("GET", _ONE, Role.VIEWER, read, "Read a run", gives=RunView),
    _action("cancel", cancel, "Stop a run"),
    _action("confirm", confirm, "Go on although the removal guard stopped the run"),
    _action("retry", retry, "Run the rows that failed again"),
    Route(
        "POST",
        f"{_ONE}/undo",
        Role.CONTRIBUTOR,
        undo,
        "Take back what a run did",
        takes=UndoBody,
        takes_optional=True,
        gives=RunView,
        status=202,
        there=_has_undo,
    ),
    Route(
        "GET",
        f"{_ONE}/outcomes.csv",
        Role.CONTRIBUTOR,
        outcomes,
        "Download what became of every row",
        params=(Param("only", "Only this outcome", {"type": "string", "enum": [*_OUTCOMES]}),),
        media="text/csv",
    ),
)
