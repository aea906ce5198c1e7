"""Undo a run. A page explains what it does."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from shared.model.run import TAG_EXISTS
from shared.web.access import AccessRoute, Subject, requires
from shared.web.application import runs
from shared.web.authentication import Role
from shared.web.pages.forms import NO_ERRORS, FormErrors, SentForm
from shared.web.pages.render import CurrentPage, Page, redirect
from shared.web.parameters import Id

router = APIRouter(route_class=AccessRoute, include_in_schema=False)

_ONE = "/runs/{id:id}"


@router.get(f"{_ONE}/undo")
@requires(Role.CONTRIBUTOR, shared=Subject.RUN)
def ask_undo(run_id: Id, page: CurrentPage) -> Response:
    """Explain what undoing does and does not do."""
    return _undo(page, run_id)


def _undo(page: Page, run_id: str, errors: FormErrors = NO_ERRORS) -> Response:
    run, services = page.services.runs.read(run_id), page.services
    # The attempt at planning that took the tag over may have been repeated, and its findings are gone then.
    reported = any(finding.code == "tagTakenOver" for finding in run.findings)
    took_over = reported or TAG_EXISTS in run.confirmed
    returns = services.undo.gives_tags_back(run_id)
    about_tags = "undo.takenOver" if returns else "undo.takenOverUnknown" if took_over else ""
    return page.render(
        "runs/undo.html",
        errors=errors,
        run=run,
        audience=run.audience_name,
        about_tags=about_tags,
        export=services.definitions.find(run.export_id),
    )


@router.post(f"{_ONE}/undo")
@requires(Role.CONTRIBUTOR, shared=Subject.RUN)
def undo(run_id: Id, page: CurrentPage, form: SentForm) -> Response:
    """Undo a run."""
    run = page.attempt(lambda: runs.undo(page.context, run_id, form.has("archive")))
    return _undo(page, run_id, run) if isinstance(run, FormErrors) else redirect(f"/runs/{run.id}")
