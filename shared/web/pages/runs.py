"""One run: progress, counts, consent proof, findings, rejected rows by reason, and actions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from shared.errors import ConnectorError
from shared.model.export import Export
from shared.model.outcome import Outcome
from shared.model.run import Mode, Run, RunStatus
from shared.runs.commands import can_retry
from shared.runs.outcomes import OutcomeReason
from shared.scheduling.schedule import next_run
from shared.web.access import AccessRoute, Subject, requires
from shared.web.application import people, runs
from shared.web.application.connections import may_use_export
from shared.web.authentication import Role
from shared.web.dependencies import Id
from shared.web.models.one_person import SentPersonView, sent_person_view
from shared.web.models.previews import PreviewView, preview_view
from shared.web.models.runs import run_view
from shared.web.pages.forms import NO_REFUSAL, Refusal, SentForm, attempt
from shared.web.pages.render import CurrentPage, Page, redirect
from shared.web.pages.run_summary import (
    billed_contacts,
    retry_changes_something,
    summary,
)
from shared.web.texts import text

router = APIRouter(route_class=AccessRoute, include_in_schema=False)

_ONE = "/runs/{id:id}"
_SAMPLES = 3
_PAGE = 50


def _rejected(page: Page, run: Run) -> Sequence[OutcomeReason]:
    """The reasons of the rejected rows, most frequent first."""
    if not run.counts.rejected or not page.caller.may(Role.CONTRIBUTOR):
        return []
    try:
        return page.services.outcomes.reasons(run.id, Outcome.REJECTED.value, _SAMPLES)
    except ConnectorError:
        return []


@router.get(_ONE)
@requires(Role.VIEWER)
def show(run_id: Id, page: CurrentPage) -> Response:
    """A run."""
    return _show(page, run_id)


@router.get(f"{_ONE}/progress")
@requires(Role.VIEWER)
def progress(run_id: Id, page: CurrentPage) -> Response:
    """The part of the page of an active run that changes. 204 when the run is no longer active."""
    run = page.services.runs.read(run_id)
    if not run.is_active:
        return Response(status_code=204)
    return page.render(
        "progress.html",
        run=run,
        view=run_view(run, page.language),
        is_preview=run.mode is Mode.PREVIEW,
    )


def _show(page: Page, run_id: str, refusal: Refusal = NO_REFUSAL) -> Response:
    services = page.services
    run = services.runs.read(run_id)
    export = services.definitions.find(run.export_id)
    is_preview = run.mode is Mode.PREVIEW
    has_outcomes = not run.is_active and services.outcomes.exist(run.id)
    preview = None
    is_person = run.mode is Mode.ONE_PERSON
    if is_preview and has_outcomes:
        preview, rejected = _preview(page, run)
    else:
        rejected = _rejected(page, run)
    may_act = (
        page.caller.may(Role.CONTRIBUTOR)
        and export is not None
        and may_use_export(page.context, export)
    )
    retries = (
        may_act
        and has_outcomes
        and can_retry(run)
        and retry_changes_something(run, [group.code for group in rejected])
    )
    stopped = run.status in (RunStatus.FAILED, RunStatus.CANCELED, RunStatus.SKIPPED)
    over = may_act and run.is_over and not run.undo_of
    return page.render(
        "run.html",
        refusal=refusal,
        run=run,
        view=run_view(run, page.language),
        is_preview=is_preview,
        export=export,
        may_use=may_act,
        summary=summary(run, page.language),
        billed=billed_contacts(run),
        next_steps=_next_steps(page, run, export, retries=retries, lists_rejected=bool(rejected)),
        rejected=rejected,
        has_outcomes=has_outcomes,
        preview=preview,
        sent_people=_sent(page, run) if is_person and has_outcomes else None,
        calls_expected=_expected_calls(run),
        can_add_archived=any(f.code == "archivedByUndo" for f in run.findings),
        waiting=run.status is RunStatus.AWAITING_CONFIRMATION,
        can_retry=retries,
        can_run=over and (is_preview or (stopped and run.mode in (Mode.EXPORT, Mode.FULL))),
        can_send_again=over and is_person,
        can_edit=over and run.status is RunStatus.FAILED,
        can_undo=may_act and not is_preview and services.undo.is_possible(run),
    )


def _expected_calls(run: Run) -> int:
    """The calls that the run of a preview would make; 0 for other runs."""
    calls = (f.values["calls"] for f in run.findings if f.code in ("expected", "expectedCalls"))
    return int(next(calls, 0))


def _preview(page: Page, run: Run) -> tuple[PreviewView | None, Sequence[OutcomeReason]]:
    """What a preview found, and its rejected rows; nothing for people who may not see it.

    Both come from one download of the outcomes. What was deleted is missing.
    """
    if not page.caller.may(Role.CONTRIBUTOR):
        return None, []
    services = page.services
    try:
        totals, rejected = services.outcomes.totals_and_reasons(
            run.id, Outcome.REJECTED.value, _SAMPLES
        )
    except ConnectorError:
        return None, []
    try:
        found = runs.preview(page.context, run.id, totals)
    except ConnectorError:
        return None, rejected
    return preview_view(found, page.language), rejected


def _sent(page: Page, run: Run) -> list[SentPersonView] | None:
    """What was sent of one person; nothing for people who may not see it, or when it was deleted."""
    if not page.caller.may(Role.CONTRIBUTOR):
        return None
    try:
        found = people.sent(page.context, run.id)
    except ConnectorError:
        return None
    return [sent_person_view(one, page.language) for one in found]


def _next_steps(
    page: Page, run: Run, export: Export | None, *, retries: bool, lists_rejected: bool
) -> list[str]:
    """What a person can do about a run that is not active, in words."""

    def say(name: str, **values: object) -> str:
        return text(page.language, f"pages.next.{name}", values)

    counts = run.counts
    steps = []
    if run.status is RunStatus.AWAITING_CONFIRMATION:
        steps.append(say("confirm"))
    elif run.status is RunStatus.FAILED:
        steps.append(say("failedUndo" if run.undo_of else "failed"))
    elif run.status is RunStatus.CANCELED:
        steps.append(say("canceled"))
    elif run.mode is Mode.PREVIEW:
        steps.append(say("preview"))
    if lists_rejected and run.status is not RunStatus.FAILED:
        steps.append(say("rejected"))
    if retries and counts.not_sent:
        steps.append(say("retry"))
    coming = next_run(export.schedule, page.services.clock()) if export else None
    if coming is not None and export is not None and export.connection_id and not run.is_active:
        steps.append(say("scheduled", when=page.formats.clock_time(coming)))
    return steps


@router.get(f"{_ONE}/rejected")
@requires(Role.CONTRIBUTOR)
def show_rejected(
    run_id: Id, page: CurrentPage, code: Annotated[str, Query(max_length=100)] = ""
) -> Response:
    """The rejected rows, of one reason or of all."""
    return _show_rejected(page, run_id, code)


@router.post(f"{_ONE}/rejected")
@requires(Role.CONTRIBUTOR)
def search_rejected(run_id: Id, page: CurrentPage, form: SentForm) -> Response:
    """The rejected rows that match a search. An address is sent in a form only, never in a URL."""
    skip = form.get("skip")
    return _show_rejected(
        page,
        run_id,
        form.get("code")[:100],
        form.get("wanted")[:320],
        int(skip) if skip.isascii() and skip.isdigit() and len(skip) < 8 else 0,
    )


def _show_rejected(page: Page, run_id: str, code: str, wanted: str = "", skip: int = 0) -> Response:
    run = page.services.runs.read(run_id)
    rows = runs.rejected(page.context, run, code, wanted, skip, _PAGE)
    return page.render(
        "rejected.html",
        run=run,
        export=page.services.definitions.find(run.export_id),
        reasons=_rejected(page, run),
        rows=rows.rows,
        total=rows.total,
        code=code,
        wanted=wanted,
        skip=skip,
        page_size=_PAGE,
    )


def _act(page: Page, run_id: str, act: Callable[[], Run]) -> Response:
    run = attempt(page, act)
    return _show(page, run_id, run) if isinstance(run, Refusal) else redirect(f"/runs/{run.id}")


@router.get(f"{_ONE}/cancel")
@router.get(f"{_ONE}/confirm")
@router.get(f"{_ONE}/retry")
@requires(Role.VIEWER)
def show_after_action(run_id: Id) -> Response:
    """The run: a refused action leaves the browser at its address, where people reload or switch the language."""
    return redirect(f"/runs/{run_id}")


@router.post(f"{_ONE}/cancel")
@requires(Role.CONTRIBUTOR)
def cancel(run_id: Id, page: CurrentPage, _form: SentForm) -> Response:
    """Cancel a run."""
    return _act(page, run_id, lambda: runs.cancel(page.context, run_id))


@router.post(f"{_ONE}/confirm")
@requires(Role.CONTRIBUTOR, shared=Subject.RUN)
def confirm(run_id: Id, page: CurrentPage, _form: SentForm) -> Response:
    """Continue a run that waits."""
    return _act(page, run_id, lambda: runs.confirm(page.context, run_id))


@router.post(f"{_ONE}/retry")
@requires(Role.CONTRIBUTOR, shared=Subject.RUN)
def retry(run_id: Id, page: CurrentPage, _form: SentForm) -> Response:
    """Run the rows that failed again."""
    return _act(page, run_id, lambda: runs.retry(page.context, run_id))


@router.get(f"{_ONE}/undo")
@requires(Role.CONTRIBUTOR, shared=Subject.RUN)
def ask_undo(run_id: Id, page: CurrentPage) -> Response:
    """Explain what undoing does and does not do."""
    return _undo(page, run_id)


def _undo(page: Page, run_id: str, refusal: Refusal = NO_REFUSAL) -> Response:
    run = page.services.runs.read(run_id)
    return page.render(
        "undo.html",
        refusal=refusal,
        run=run,
        audience=run.audience_name,
        export=page.services.definitions.find(run.export_id),
    )


@router.post(f"{_ONE}/undo")
@requires(Role.CONTRIBUTOR, shared=Subject.RUN)
def undo(run_id: Id, page: CurrentPage, form: SentForm) -> Response:
    """Undo a run."""
    run = attempt(page, lambda: runs.undo(page.context, run_id, form.has("archive")))
    return _undo(page, run_id, run) if isinstance(run, Refusal) else redirect(f"/runs/{run.id}")
