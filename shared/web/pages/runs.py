"""One run: live progress, counts, consent proof, findings, rejected rows by reason, and actions."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import islice

from shared.errors import ConnectorError
from shared.model.outcome import Outcome
from shared.model.run import Mode, Run, RunStatus
from shared.runs.commands import can_retry
from shared.runs.outcomes import OutcomeRow
from shared.web.api import runs as interface
from shared.web.call import Call
from shared.web.http import Response, redirect
from shared.web.models.runs import run_view
from shared.web.needs import Desk
from shared.web.outcomes_csv import action_text, reason_text
from shared.web.pages.forms import ask, form_of
from shared.web.pages.render import page
from shared.web.principal import Role
from shared.web.routes import Route

__all__ = ["ROUTES"]

# Enough to see what is wrong; the download has them all.
_LOOKED_AT = 5_000
_SAMPLES = 3
_PER_CALL = 500


@dataclass
class Rejected:
    """Rejected rows of one reason."""

    code: str
    reason: str
    action: str
    count: int = 0
    samples: list[OutcomeRow] = field(default_factory=list)


def _rejected(call: Call, run: Run) -> tuple[list[Rejected], bool]:
    """Reasons, most frequent first, with a few rows each; and whether there are more rows."""
    if not run.counts.rejected or not call.principal.may(Role.CONTRIBUTOR):
        return [], False
    groups: dict[str, Rejected] = {}
    looked = 0
    try:
        for row in islice(call.desk.outcomes(run.id, Outcome.REJECTED.value), _LOOKED_AT):
            looked += 1
            code = str(row.code)
            if code not in groups:
                reason, action = reason_text(code, call.language), action_text(code, call.language)
                groups[code] = Rejected(code, reason, action)
            groups[code].count += 1
            if len(groups[code].samples) < _SAMPLES:
                groups[code].samples.append(row)
    except ConnectorError:
        return [], False
    ordered = sorted(groups.values(), key=lambda group: (-group.count, group.code))
    return ordered, looked == _LOOKED_AT


def show(call: Call) -> Response:
    """A run."""
    return _show(call)


def _show(call: Call, message: str = "") -> Response:
    run = call.desk.run(call.id)
    stored = call.desk.exports.read(run.export_id)
    rejected, more = _rejected(call, run)
    counts = run.counts
    return page(
        call,
        "run.html",
        status=409 if message else 200,
        run=run,
        view=run_view(run, call.language),
        export=stored.value if stored else None,
        rejected=rejected,
        more_rejected=more,
        is_preview=run.mode is Mode.PREVIEW,
        calls_expected=math.ceil((counts.new + counts.changed) / _PER_CALL)
        + math.ceil(counts.left / _PER_CALL),
        waiting=run.status is RunStatus.AWAITING_CONFIRMATION,
        can_retry=can_retry(run),
        seconds=(run.finished_at - run.started_at).total_seconds()
        if run.finished_at and run.started_at
        else None,
        has_undo=call.desk.undo is not None,
        message=message,
    )


def _act(call: Call, endpoint: Callable[[Call], Response]) -> Response:
    form_of(call)
    answer = ask(call, endpoint)
    if answer.response is None:
        return _show(call, answer.message)
    return redirect(f"/runs/{answer.response.headers['Location'].rpartition('/')[2]}")


def cancel(call: Call) -> Response:
    """Stop a run."""
    return _act(call, interface.cancel)


def confirm(call: Call) -> Response:
    """Go on with a run that waits."""
    return _act(call, interface.confirm)


def retry(call: Call) -> Response:
    """Run the rows that failed again."""
    return _act(call, interface.retry)


def ask_undo(call: Call) -> Response:
    """Say what taking back will and will not do."""
    return _undo(call)


def _undo(call: Call, message: str = "") -> Response:
    run = call.desk.run(call.id)
    stored = call.desk.exports.read(run.export_id)
    return page(
        call,
        "undo.html",
        status=409 if message else 200,
        run=run,
        export=stored.value if stored else None,
        message=message,
    )


def undo(call: Call) -> Response:
    """Take back what a run did."""
    answer = ask(call, interface.undo, {"archiveCreated": form_of(call).has("archive")})
    if answer.response is None:
        return _undo(call, answer.message)
    return redirect(f"/runs/{answer.response.headers['Location'].rpartition('/')[2]}")


def _has_undo(desk: Desk) -> bool:
    return desk.undo is not None


_ONE = "/runs/{id}"

ROUTES = (
    Route("GET", _ONE, Role.VIEWER, show, "A run", is_page=True),
    Route("POST", f"{_ONE}/cancel", Role.CONTRIBUTOR, cancel, "Stop a run", is_page=True),
    Route("POST", f"{_ONE}/confirm", Role.CONTRIBUTOR, confirm, "Confirm", is_page=True),
    Route("POST", f"{_ONE}/retry", Role.CONTRIBUTOR, retry, "Try again", is_page=True),
    Route(
        "GET",
        f"{_ONE}/undo",
        Role.CONTRIBUTOR,
        ask_undo,
        "Ask to take back",
        is_page=True,
        there=_has_undo,
    ),
    Route(
        "POST",
        f"{_ONE}/undo",
        Role.CONTRIBUTOR,
        undo,
        "Take back",
        is_page=True,
        there=_has_undo,
    ),
)
