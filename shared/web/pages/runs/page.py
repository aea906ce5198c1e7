"""One run: counts, consent proof, findings, some rejected rows, and actions."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from fastapi import APIRouter
from starlette.responses import Response

from shared.errors import ConnectorError
from shared.model.outcome import Outcome
from shared.model.run import Mode, Run
from shared.runs.history import RunFilter
from shared.runs.outcomes import OutcomeReason
from shared.web.access import AccessRoute, Subject, requires
from shared.web.application import people, runs
from shared.web.authentication import Role
from shared.web.models.one_person import SentPersonView, sent_person_view
from shared.web.models.previews import PreviewView, preview_view
from shared.web.models.runs import finding_views, in_words, run_view
from shared.web.pages.findings.groups import FindingGroup, grouped
from shared.web.pages.findings.warnings import by_severity, shown_findings, warnings
from shared.web.pages.forms import NO_ERRORS, FormErrors, SentForm
from shared.web.pages.render import CurrentPage, Page, redirect
from shared.web.pages.runs.actions import actions_of, next_steps
from shared.web.pages.runs.billed_contacts import size_tiles
from shared.web.pages.runs.progress import planning_before, planning_for, waits_until
from shared.web.pages.runs.rejected import SAMPLES, rejected_reasons
from shared.web.pages.runs.summary import summary
from shared.web.parameters import Id

router = APIRouter(route_class=AccessRoute, include_in_schema=False)

_ONE = "/runs/{id:id}"
# How many of the newest runs are searched for those that undo or retry a run. It is a limit because each of them is read.
# Only runs of earlier versions need the search: their undos and retries were not recorded.
_MOST_SEARCHED = 40


@router.get(_ONE)
@requires(Role.VIEWER)
def show(run_id: Id, page: CurrentPage) -> Response:
    """A run."""
    return _show(page, run_id)


def _show(page: Page, run_id: str, errors: FormErrors = NO_ERRORS) -> Response:
    services = page.services
    run = services.runs.read(run_id)
    export = services.definitions.find(run.export_id)
    is_preview = run.mode is Mode.PREVIEW
    has_outcomes = not run.is_active and services.outcomes.exist(run.id)
    preview = sent_people = None
    if is_preview and has_outcomes:
        preview, rejected = _preview(page, run)
    else:
        rejected = rejected_reasons(page, run)
    if run.mode is Mode.ONE_PERSON and has_outcomes:
        sent_people = _sent(page, run)
    actions = actions_of(page, run, export, rejected, has_outcomes=has_outcomes)
    view = run_view(run, page.language)
    return page.render(
        "runs/page.html",
        errors=errors,
        run=run,
        view=view,
        warnings=warnings(run, page.language),
        findings=_findings(page, run),
        waits_until=waits_until(run),
        planning_for=planning_for(page, run),
        planning_before=planning_before(page, run),
        is_preview=is_preview,
        export=export,
        earlier=_earlier(page, run),
        later=_later(page, run),
        summary=summary(run, page.language),
        size_tiles=size_tiles(run),
        actions=actions,
        question_etag=runs.question_etag(run),
        next_steps=next_steps(page, run, export, actions, lists_rejected=bool(rejected)),
        rejected=rejected,
        has_outcomes=has_outcomes,
        preview=preview,
        sent_people=sent_people,
        calls_expected=_expected_calls(run),
    )


def _earlier(page: Page, run: Run) -> Run | None:
    """The run that this one undoes or retries; None for other runs."""
    earlier = run.undo_of or run.retry_of
    return next(iter(page.services.history.with_ids([earlier])), None) if earlier else None


def _later(page: Page, run: Run) -> list[Run]:
    """The undos and retries of a run, newest first."""
    if run.is_active or run.mode is Mode.PREVIEW:
        return []
    ids = set(run.later)
    if not run.later_is_complete:
        newer = RunFilter(run.export_id, since=run.queued_at)
        found = page.services.history.newest(newer, _MOST_SEARCHED)
        ids |= {one.id for one in found if run.id in (one.undo_of, one.retry_of)}
    return page.services.history.with_ids(sorted(ids))


def _findings(page: Page, run: Run) -> list[FindingGroup]:
    """The findings that the status of the run does not show yet, the most serious ones first.

    Those that ask for a confirmation that was given are left out.
    """
    shown = {in_words(one, page.language) for one in (run.reason, *shown_findings(run))}
    answered = run.confirmed if run.is_active else ()
    views = finding_views(by_severity(run.findings), page.language)
    return grouped([one for one in views if one.message not in shown and one.code not in answered])


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
            run.id, Outcome.REJECTED.value, SAMPLES
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


def _act(page: Page, run_id: str, act: Callable[[], Run]) -> Response:
    run = page.attempt(act)
    return _show(page, run_id, run) if isinstance(run, FormErrors) else redirect(f"/runs/{run.id}")


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
def confirm(run_id: Id, page: CurrentPage, form: SentForm) -> Response:
    """Continue a run that waits."""
    return _act(page, run_id, lambda: runs.confirm(page.context, run_id, form.etag))


@router.post(f"{_ONE}/retry")
@requires(Role.CONTRIBUTOR, shared=Subject.RUN)
def retry(run_id: Id, page: CurrentPage, _form: SentForm) -> Response:
    """Run the rows that failed again."""
    return _act(page, run_id, lambda: runs.retry(page.context, run_id))
