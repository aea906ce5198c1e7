"""The list of exports, what can be done with one, and its history."""

from __future__ import annotations

from shared.exports.definitions import meetings
from shared.model.export import Export
from shared.model.ports import readable
from shared.model.run import Run
from shared.scheduling.schedule import next_run
from shared.web.api import exports as interface
from shared.web.api import runs as run_interface
from shared.web.call import Call
from shared.web.http import Response, redirect
from shared.web.models.runs import finding_views
from shared.web.pages.chart import history_chart
from shared.web.pages.forms import ask, form_of
from shared.web.pages.render import page
from shared.web.principal import Role
from shared.web.routes import Route

__all__ = ["ROUTES"]

_HISTORY = 30
_SORTS = ("name", "connection", "status", "last", "updated")


def _row(call: Call, export: Export, connections: dict[str, str]) -> dict[str, object]:
    run = call.desk.last_run(export.id)
    return {
        "export": export,
        "connection": connections.get(export.connection_id or "", ""),
        "run": run,
        "next": next_run(export.schedule, call.desk.clock()) if export.connection_id else None,
    }


def _sorted(rows: list[dict[str, object]], by: str, descending: bool) -> list[dict[str, object]]:
    def key(row: dict[str, object]) -> tuple[str, str]:
        export, run = row["export"], row["run"]
        name = export.display_name.casefold() if isinstance(export, Export) else ""
        ran = run if isinstance(run, Run) else None
        first = {
            "connection": str(row["connection"]).casefold(),
            "status": ran.status.value if ran else "",
            "last": ran.queued_at.isoformat() if ran and ran.queued_at else "",
            "updated": export.updated_at.isoformat()
            if isinstance(export, Export) and export.updated_at
            else "",
        }.get(by, name)
        return first, name

    return sorted(rows, key=key, reverse=descending)


def list_all(call: Call) -> Response:
    """My export destinations, with search and sort."""
    query = call.request.query
    connections = {s.value.id: s.value.display_name for s in call.desk.connections_kept.all()}
    rows = [_row(call, stored.value, connections) for stored in readable(call.desk.exports.all())]
    has_any = bool(rows)
    wanted = query.get("q", "").strip()
    if wanted:
        rows = [
            row
            for row in rows
            if isinstance(row["export"], Export)
            and wanted.casefold() in f"{row['export'].display_name} {row['connection']}".casefold()
        ]
    by = query.get("sort", "name") if query.get("sort") in _SORTS else "name"
    descending = query.get("order") == "desc"
    return page(
        call,
        "exports.html",
        rows=_sorted(rows, by, descending),
        q=wanted,
        sort=by,
        descending=descending,
        has_any=has_any,
        has_connection=bool(connections),
    )


def show(call: Call) -> Response:
    """One export with its history."""
    return _show(call)


def _show(call: Call, message: str = "") -> Response:
    export = call.desk.definitions.read(call.id).value
    runs = call.desk.runs(call.id, None, _HISTORY)
    connection = call.desk.connections.read(export.connection_id) if export.connection_id else None
    return page(
        call,
        "export.html",
        status=409 if message else 200,
        export=export,
        findings=finding_views(
            meetings(export, (stored.value for stored in call.desk.exports.all())), call.language
        ),
        connection=connection.value if connection else None,
        runs=runs,
        chart=history_chart(runs, call.language),
        next=next_run(export.schedule, call.desk.clock()) if connection else None,
        busy=any(run.is_active for run in runs),
        message=message,
    )


def start(call: Call) -> Response:
    """Run, or preview."""
    form = form_of(call)
    mode = form.get("mode") or "export"
    answer = ask(call, run_interface.start, {"mode": mode})
    if answer.response is None:
        return _show(call, answer.message)
    run = answer.response.headers["Location"].rpartition("/")[2]
    return redirect(f"/runs/{run}")


def start_all(call: Call) -> Response:
    """Run all exports whose schedule is on."""
    form_of(call)
    ask(call, run_interface.start_all)
    return redirect("/?done=startedAll")


def duplicate(call: Call) -> Response:
    """Copy, and go on with changing the copy."""
    form_of(call)
    answer = ask(call, interface.duplicate)
    if answer.response is None:
        return _show(call, answer.message)
    copy = answer.response.headers["Location"].rpartition("/")[2]
    return redirect(f"/exports/{copy}/edit?done=duplicated")


def detach(call: Call) -> Response:
    """Take the connection away."""
    form_of(call)
    answer = ask(call, interface.detach)
    if answer.response is None:
        return _show(call, answer.message)
    return redirect(f"/exports/{call.id}?done=detached")


def ask_removal(call: Call) -> Response:
    """Say what removing will and will not do."""
    return _removal(call)


def _removal(call: Call, message: str = "") -> Response:
    export = call.desk.definitions.read(call.id).value
    return page(
        call, "remove_export.html", status=409 if message else 200, export=export, message=message
    )


def remove(call: Call) -> Response:
    """Remove an export."""
    form_of(call)
    answer = ask(call, interface.remove)
    return redirect("/?done=removed") if answer.is_good else _removal(call, answer.message)


_ONE = "/exports/{id}"

ROUTES = (
    Route("GET", "/", Role.VIEWER, list_all, "The exports", is_page=True),
    Route("POST", "/run-all", Role.CONTRIBUTOR, start_all, "Run all", is_page=True),
    Route("GET", _ONE, Role.VIEWER, show, "An export and its history", is_page=True),
    Route("POST", f"{_ONE}/run", Role.CONTRIBUTOR, start, "Run or preview", is_page=True),
    Route("POST", f"{_ONE}/duplicate", Role.CONTRIBUTOR, duplicate, "Copy", is_page=True),
    Route("POST", f"{_ONE}/detach", Role.CONTRIBUTOR, detach, "Detach", is_page=True),
    Route("GET", f"{_ONE}/remove", Role.CONTRIBUTOR, ask_removal, "Ask to remove", is_page=True),
    Route("POST", f"{_ONE}/remove", Role.CONTRIBUTOR, remove, "Remove", is_page=True),
)
