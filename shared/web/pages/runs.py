"""One run: progress, counts, consent proof, findings, rejected rows by reason, and actions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import islice

from fastapi import APIRouter
from starlette.responses import Response

from shared.errors import ConnectorError
from shared.model.outcome import Outcome
from shared.model.run import Mode, Run, RunStatus
from shared.runs.commands import can_retry
from shared.runs.outcomes import OutcomeRow
from shared.web.access import AccessRoute, Subject, requires
from shared.web.application import runs
from shared.web.application.connections import may_use_export
from shared.web.authentication import Role
from shared.web.dependencies import Id
from shared.web.models.runs import run_view
from shared.web.outcomes_csv import action_text, reason_text
from shared.web.pages.forms import NO_REFUSAL, Refusal, SentForm, attempt
from shared.web.pages.render import CurrentPage, Page, redirect

__all__ = ["router"]

router = APIRouter(route_class=AccessRoute, include_in_schema=False)

_ONE = "/runs/{id:id}"
# Enough to see what is wrong; the download has all rows.
_MOST_ROWS = 5_000
_SAMPLES = 3


@dataclass
class Rejected:
    """Rejected rows of one reason."""

    code: str
    reason: str
    action: str
    count: int = 0
    samples: list[OutcomeRow] = field(default_factory=list)


def _rejected(page: Page, run: Run) -> tuple[list[Rejected], bool]:
    """Reasons, most frequent first, with a few rows each; and whether there are more rows."""
    if not run.counts.rejected or not page.caller.may(Role.CONTRIBUTOR):
        return [], False
    groups: dict[str, Rejected] = {}
    read = 0
    language = page.language
    try:
        for row in islice(page.services.outcomes(run.id, Outcome.REJECTED.value), _MOST_ROWS):
            read += 1
            code = str(row.code)
            if code not in groups:
                reason, action = reason_text(code, language), action_text(code, language)
                groups[code] = Rejected(code, reason, action)
            groups[code].count += 1
            if len(groups[code].samples) < _SAMPLES:
                groups[code].samples.append(row)
    except ConnectorError:
        return [], False
    ordered = sorted(groups.values(), key=lambda group: (-group.count, group.code))
    return ordered, read == _MOST_ROWS


@router.get(_ONE)
@requires(Role.VIEWER)
def show(run_id: Id, page: CurrentPage) -> Response:
    """A run."""
    return _show(page, run_id)


def _show(page: Page, run_id: str, refusal: Refusal = NO_REFUSAL) -> Response:
    run = runs.read(page.services, run_id)
    stored = page.services.export_records.read(run.export_id)
    rejected, more = _rejected(page, run)
    return page.render(
        "run.html",
        status=refusal.status,
        run=run,
        view=run_view(run, page.language),
        export=stored.value if stored else None,
        may_use=may_use_export(page.services, page.caller, run.export_id),
        rejected=rejected,
        more_rejected=more,
        is_preview=run.mode is Mode.PREVIEW,
        calls_expected=next(
            (int(f.values["calls"]) for f in run.findings if f.code == "expected"), 0
        ),
        can_add_archived=any(f.code == "archivedByUndo" for f in run.findings),
        waiting=run.status is RunStatus.AWAITING_CONFIRMATION,
        can_retry=can_retry(run),
        seconds=(run.finished_at - run.started_at).total_seconds()
        if run.finished_at and run.started_at
        else None,
        message=refusal.message,
    )


def _act(page: Page, run_id: str, act: Callable[[], Run]) -> Response:
    run = attempt(page.language, act)
    return _show(page, run_id, run) if isinstance(run, Refusal) else redirect(f"/runs/{run.id}")


@router.post(f"{_ONE}/cancel")
@requires(Role.CONTRIBUTOR)
def cancel(run_id: Id, page: CurrentPage, _form: SentForm) -> Response:
    """Cancel a run."""
    return _act(page, run_id, lambda: runs.cancel(page.services, page.caller, run_id))


@router.post(f"{_ONE}/confirm")
@requires(Role.CONTRIBUTOR, shared=Subject.RUN)
def confirm(run_id: Id, page: CurrentPage, _form: SentForm) -> Response:
    """Continue a run that waits."""
    return _act(page, run_id, lambda: runs.confirm(page.services, page.caller, run_id))


@router.post(f"{_ONE}/retry")
@requires(Role.CONTRIBUTOR, shared=Subject.RUN)
def retry(run_id: Id, page: CurrentPage, _form: SentForm) -> Response:
    """Run the rows that failed again."""
    return _act(page, run_id, lambda: runs.retry(page.services, page.caller, run_id))


@router.get(f"{_ONE}/undo")
@requires(Role.CONTRIBUTOR, shared=Subject.RUN)
def ask_undo(run_id: Id, page: CurrentPage) -> Response:
    """Explain what undoing does and does not do."""
    return _undo(page, run_id)


def _undo(page: Page, run_id: str, refusal: Refusal = NO_REFUSAL) -> Response:
    run = runs.read(page.services, run_id)
    stored = page.services.export_records.read(run.export_id)
    return page.render(
        "undo.html",
        status=refusal.status,
        run=run,
        export=stored.value if stored else None,
        message=refusal.message,
    )


@router.post(f"{_ONE}/undo")
@requires(Role.CONTRIBUTOR, shared=Subject.RUN)
def undo(run_id: Id, page: CurrentPage, form: SentForm) -> Response:
    """Undo a run."""
    run = attempt(
        page.language,
        lambda: runs.undo(page.services, page.caller, run_id, form.has("archive")),
    )
    return _undo(page, run_id, run) if isinstance(run, Refusal) else redirect(f"/runs/{run.id}")
