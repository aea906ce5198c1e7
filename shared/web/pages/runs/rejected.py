"""The rejected rows of a run, by reason and by search."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from shared.errors import ConnectorError
from shared.model.outcome import Outcome
from shared.model.run import Run
from shared.runs.outcomes import OutcomeReason
from shared.web.access import AccessRoute, requires
from shared.web.application import runs
from shared.web.authentication import Role
from shared.web.pages.forms import SentForm
from shared.web.pages.render import CurrentPage, Page
from shared.web.parameters import Id

router = APIRouter(route_class=AccessRoute, include_in_schema=False)

SAMPLES = 3
"""Rows of each reason on the page of the run."""

_ONE = "/runs/{id:id}"
_PAGE = 50


def rejected_reasons(page: Page, run: Run) -> Sequence[OutcomeReason]:
    """The reasons of the rejected rows, most frequent first; none for people who may not see the rows."""
    if not run.counts.rejected or not page.caller.may(Role.CONTRIBUTOR):
        return []
    try:
        return page.services.outcomes.reasons(run.id, Outcome.REJECTED.value, SAMPLES)
    except ConnectorError:
        return []


@router.get(f"{_ONE}/rejected")
@requires(Role.CONTRIBUTOR)
def show(
    run_id: Id, page: CurrentPage, code: Annotated[str, Query(max_length=100)] = ""
) -> Response:
    """The rejected rows, of one reason or of all."""
    return _show(page, run_id, code)


@router.post(f"{_ONE}/rejected")
@requires(Role.CONTRIBUTOR)
def search(run_id: Id, page: CurrentPage, form: SentForm) -> Response:
    """The rejected rows that match a search. An address is sent in a form only, never in a URL."""
    skip = form.get("skip")
    return _show(
        page,
        run_id,
        form.get("code")[:100],
        form.get("wanted")[:500],
        int(skip) if skip.isascii() and skip.isdigit() and len(skip) < 8 else 0,
    )


def _show(page: Page, run_id: str, code: str, wanted: str = "", skip: int = 0) -> Response:
    run = page.services.runs.read(run_id)
    rows = runs.rejected(page.context, run, code, wanted, skip, _PAGE)
    return page.render(
        "runs/rejected.html",
        run=run,
        export=page.services.definitions.find(run.export_id),
        reasons=rejected_reasons(page, run),
        rows=rows.rows,
        total=rows.total,
        code=code,
        wanted=wanted,
        skip=skip,
        page_size=_PAGE,
    )
