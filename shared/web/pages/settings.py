"""The refresh schedule, the audit trail, and the language of the pages."""

from __future__ import annotations

import re
from itertools import islice
from typing import Any

from shared.scheduling.schedule import next_run
from shared.web.api import refresh_schedule as interface
from shared.web.audit import PARTITION
from shared.web.call import Call
from shared.web.http import Response, redirect
from shared.web.models.schedules import schedule_view
from shared.web.pages.forms import Answer, ask, form_of
from shared.web.pages.render import page
from shared.web.pages.schedule_form import schedule_body
from shared.web.principal import Role
from shared.web.problem import HttpProblem
from shared.web.routes import Route
from shared.web.texts import LANGUAGES

__all__ = ["LANGUAGE_COOKIE", "ROUTES"]

LANGUAGE_COOKIE = "language"
_PATH = re.compile(r"(?:/[A-Za-z0-9_-]+)+", re.ASCII)

_ENTRIES = 50


def show_schedule(call: Call) -> Response:
    """The refresh schedule."""
    stored = call.desk.schedule.read(interface.KEY)
    schedule = stored.value if stored else interface.DEFAULT
    return _schedule(call, schedule_view(schedule).shown(), Answer())


def _schedule(call: Call, body: dict[str, Any], answer: Answer) -> Response:
    stored = call.desk.schedule.read(interface.KEY)
    return page(
        call,
        "schedule.html",
        status=400 if answer.message else 200,
        schedule=body,
        next=next_run(stored.value, call.desk.clock()) if stored else None,
        message=answer.message,
        faults=dict(answer.faults),
    )


def save_schedule(call: Call) -> Response:
    """Set the refresh schedule."""
    body = schedule_body(form_of(call))
    answer = ask(call, interface.change, body)
    if answer.response is None:
        return _schedule(call, body, answer)
    return redirect("/schedule?done=saved")


def show_audit(call: Call) -> Response:
    """Who changed what, newest first."""
    skip = call.number("skip", 0, 10_000, least=0)
    entries = [
        stored.value for stored in islice(call.desk.audit.all(PARTITION), skip, skip + _ENTRIES + 1)
    ]
    return page(
        call,
        "audit.html",
        entries=entries[:_ENTRIES],
        older=skip + _ENTRIES if len(entries) > _ENTRIES else None,
    )


def choose_language(call: Call) -> Response:
    """Remember the language and go back to a page of ours."""
    if call.id not in LANGUAGES:
        raise HttpProblem(404, "notFound")
    back = call.request.query.get("back", "/")
    where = back if _PATH.fullmatch(back) else "/"
    cookie = f"{LANGUAGE_COOKIE}={call.id}; Path=/; Max-Age=31536000; HttpOnly; SameSite=Lax"
    return redirect(where, {"Set-Cookie": cookie})


ROUTES = (
    Route("GET", "/language/{id}", Role.VIEWER, choose_language, "Language", is_page=True),
    Route("GET", "/schedule", Role.VIEWER, show_schedule, "The refresh schedule", is_page=True),
    Route("POST", "/schedule", Role.ADMINISTRATOR, save_schedule, "Set it", is_page=True),
    Route("GET", "/audit", Role.ADMINISTRATOR, show_audit, "The audit trail", is_page=True),
)
