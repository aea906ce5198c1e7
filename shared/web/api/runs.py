"""Runs over HTTP: start, read, cancel, confirm, retry, undo, and the outcome of every row."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Body, Query
from starlette.responses import Response

from shared.errors import TimeUp
from shared.model.outcome import Outcome
from shared.model.run import Mode, Run, RunStatus
from shared.request_time import TIME_UP
from shared.runs.history import RunFilter
from shared.web.access import AccessRoute, Subject, requires
from shared.web.application import people, runs
from shared.web.authentication import Role
from shared.web.context import Context
from shared.web.csv_files.differences import differences_csv
from shared.web.csv_files.file import CsvResponse, csv_response
from shared.web.csv_files.outcomes import outcomes_csv
from shared.web.models.one_person import SentPersonList, sent_person_view
from shared.web.models.people import SearchBody
from shared.web.models.previews import PreviewView, preview_view
from shared.web.models.runs import RunList, RunView, StartBody, UndoBody, run_view
from shared.web.openapi import ETAG_HEADER
from shared.web.parameters import CurrentContext, Id, IfMatch, Optional, Paging

router = APIRouter(route_class=AccessRoute, tags=["runs"])

_ONE = "/api/runs/{id:id}"


def accepted(run: Run, context: Context, response: Response) -> RunView:
    """The run that a request started or changed, with its address."""
    response.headers["Location"] = f"/api/runs/{run.id}"
    return run_view(run, context.language)


@router.post("/api/exports/{id:id}/runs", summary="Run an export", status_code=202)
@requires(Role.CONTRIBUTOR, shared=Subject.EXPORT)
def start(
    export_id: Id,
    context: CurrentContext,
    response: Response,
    body: Annotated[StartBody, Body()] = StartBody(),  # noqa: B008 - frozen
) -> RunView:
    """Returns the active run if there is one, and starts no other. An export replaces a run that waits for a confirmation;
    a preview returns 409 while one waits. With `addArchived`, returns 409 if the active run does not add these contacts."""
    run = runs.start(context, export_id, Mode(body.mode), add_archived=body.add_archived)
    return accepted(run, context, response)


@router.post("/api/runs", summary="Run all exports whose schedule is on", status_code=202)
@requires(Role.CONTRIBUTOR)
def start_all(context: CurrentContext) -> RunList:
    """Contributors start only the exports whose connection is shared with them. Returns 503 if there was no time to start
    all of them; the same request then starts the others, and again those whose run has ended meanwhile."""
    started = runs.start_all(context)
    if not started.is_complete:
        raise TimeUp(TIME_UP)
    return RunList.listing(run_view(run, context.language) for run in started.runs)


@router.get("/api/runs", summary="List runs, newest first")
@requires(Role.VIEWER)
def list_all(
    context: CurrentContext,
    paging: Paging,
    export_id: Annotated[
        Optional[str],
        Query(
            alias="exportId", description="Only runs of this export", examples=["5d1f0c2b8e7a4936"]
        ),
    ] = None,
    status: Annotated[
        Optional[RunStatus], Query(description="Only runs in this status", examples=["failed"])
    ] = None,
) -> RunList:
    """Returns the runs of all exports, or of one export."""
    wanted, top = RunFilter(export_id, status), paging.top
    found = context.services.history.newest(wanted, paging.skip + top + 1, paging.after)
    shown = found[paging.skip : paging.skip + top]
    last = shown[-1].id if len(found) > paging.skip + top else None
    views = (run_view(run, context.language) for run in shown)
    return RunList.listing(views, paging.next_link(last))


@router.get(_ONE, summary="Read a run", responses={200: {"headers": {"ETag": ETAG_HEADER}}})
@requires(Role.VIEWER)
def read(run_id: Id, context: CurrentContext, response: Response) -> RunView:
    """Returns the status, progress, counts and findings of the run. While it waits for a confirmation, the ETag stands for
    what it asks: its reason and the numbers of people."""
    run = context.services.runs.read(run_id)
    etag = runs.question_etag(run)
    if etag is not None:
        response.headers["ETag"] = etag
    return run_view(run, context.language)


@router.post(f"{_ONE}/cancel", summary="Cancel a run", status_code=202)
@requires(Role.CONTRIBUTOR)
def cancel(run_id: Id, context: CurrentContext, response: Response) -> RunView:
    """Calls to Mailchimp that have already started are completed."""
    return accepted(runs.cancel(context, run_id), context, response)


@router.post(f"{_ONE}/confirm", summary="Confirm a run that waits", status_code=202)
@requires(Role.CONTRIBUTOR, shared=Subject.RUN)
def confirm(
    run_id: Id, context: CurrentContext, response: Response, if_match: IfMatch = None
) -> RunView:
    """Continues a run that waits for a confirmation. Returns a new run that replaces it if the run has to be planned
    again, for example because the export or its files were changed since. With If-Match, confirms only what the person
    was shown: the response is 412 if what the run asks has changed since."""
    return accepted(runs.confirm(context, run_id, if_match), context, response)


@router.post(f"{_ONE}/retry", summary="Retry the rows that failed", status_code=202)
@requires(Role.CONTRIBUTOR, shared=Subject.RUN)
def retry(run_id: Id, context: CurrentContext, response: Response) -> RunView:
    """Starts a new run that sends only these rows."""
    return accepted(runs.retry(context, run_id), context, response)


@router.post(f"{_ONE}/undo", summary="Undo a run", status_code=202)
@requires(Role.CONTRIBUTOR, shared=Subject.RUN)
def undo(
    run_id: Id,
    context: CurrentContext,
    response: Response,
    body: Annotated[UndoBody, Body()] = UndoBody(),  # noqa: B008 - frozen
) -> RunView:
    """Starts a new run that reverts tags and values. No one is subscribed or unsubscribed, except that contacts
    which the run archived as unused are added again."""
    run = runs.undo(context, run_id, body.archive_created)
    return accepted(run, context, response)


@router.post(
    "/api/exports/{id:id}/send-person", summary="Send one person of an export", status_code=202
)
@requires(Role.CONTRIBUTOR, shared=Subject.EXPORT)
def send_person(
    export_id: Id, body: SearchBody, context: CurrentContext, response: Response
) -> RunView:
    """Starts a run that reads the segments and sends only this person, by the rules of the export, even if
    nothing changed. No other person is sent, and no other run is active meanwhile."""
    run = people.send(context, export_id, body)
    return accepted(run, context, response)


@router.get(f"{_ONE}/sent-person", summary="Read what was sent of one person")
@requires(Role.CONTRIBUTOR)
def sent_person(run_id: Id, context: CurrentContext) -> SentPersonList:
    """Returns each contact of the person with the values that were sent, the values, tags and status that
    Mailchimp has after the run, and why something was not sent."""
    found = people.sent(context, run_id)
    return SentPersonList.listing(sent_person_view(one, context.language) for one in found)


@router.get(f"{_ONE}/preview", summary="Read what a preview found")
@requires(Role.CONTRIBUTOR)
def preview(run_id: Id, context: CurrentContext) -> PreviewView:
    """Returns the rows by outcome, code and field, and up to 20 people with their values in Mailchimp now and
    after the run. Refusals by Mailchimp are not foreseeable."""
    return preview_view(runs.preview(context, run_id), context.language)


@router.get(
    f"{_ONE}/differences.csv",
    summary="Download the whole difference of a preview",
    response_class=CsvResponse,
)
@requires(Role.CONTRIBUTOR)
def differences(run_id: Id, context: CurrentContext) -> Response:
    """One line per person that the run would change: new, changed or leaving. `sentLast` columns have what this
    export sent last, which may differ from Mailchimp; they are empty for people that it has never sent."""
    fields, rows = runs.differences(context, run_id)
    data = differences_csv(fields, rows)
    return csv_response(data, "differences", run_id, runs.title(context, run_id))


@router.get(
    f"{_ONE}/outcomes.csv", summary="Download the outcome of every row", response_class=CsvResponse
)
@requires(Role.CONTRIBUTOR)
def outcomes(
    run_id: Id,
    context: CurrentContext,
    only: Annotated[
        Optional[Outcome], Query(description="Only rows with this outcome", examples=["rejected"])
    ] = None,
) -> Response:
    """One line per profile, even if it is in several segments, and per rejected row, with the reason and what to do.
    Cells that look like formulas are neutralized."""
    rows = runs.outcomes(context, run_id, only.value if only else None)
    data = outcomes_csv(rows, context.language)
    return csv_response(data, "outcomes", run_id, runs.title(context, run_id))
