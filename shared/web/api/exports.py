"""Export definitions over HTTP."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from shared.web.access import AccessRoute, Subject, requires
from shared.web.application import exports
from shared.web.application.exports import ExportDetails
from shared.web.authentication import Role
from shared.web.context import Context
from shared.web.models.exports.body import ExportBody
from shared.web.models.exports.view import ExportList, ExportView, export_view
from shared.web.parameters import CurrentContext, Id, IfMatch

router = APIRouter(prefix="/api/exports", route_class=AccessRoute, tags=["exports"])

_ONE = "/{id:id}"


def _view(details: ExportDetails, context: Context) -> ExportView:
    return export_view(details.export, details.last_run, context.language, details.findings)


def _shown(details: ExportDetails, context: Context, response: Response) -> ExportView:
    response.headers["ETag"] = details.etag
    return _view(details, context)


def _created(details: ExportDetails, context: Context, response: Response) -> ExportView:
    response.headers["Location"] = f"/api/exports/{details.export.id}"
    return _shown(details, context, response)


@router.get("", summary="List exports")
@requires(Role.VIEWER)
def list_all(context: CurrentContext) -> ExportList:
    """Returns all exports, sorted by name, each with its newest run."""
    return ExportList.listing(_view(one, context) for one in exports.list_all(context))


@router.post("", summary="Create an export", status_code=201)
@requires(Role.CONTRIBUTOR)
def create(body: ExportBody, context: CurrentContext, response: Response) -> ExportView:
    """Creating an export does not start a run. In an audience, a tag belongs to only one export."""
    return _created(exports.create(context, body), context, response)


@router.get(_ONE, summary="Read an export")
@requires(Role.VIEWER)
def read(export_id: Id, context: CurrentContext, response: Response) -> ExportView:
    """Returns the definition, the newest run, and findings, such as a segment that another export also sends."""
    return _shown(exports.read(context, export_id), context, response)


@router.put(_ONE, summary="Change an export")
@requires(Role.CONTRIBUTOR, shared=Subject.EXPORT)
def change(
    export_id: Id,
    body: ExportBody,
    context: CurrentContext,
    response: Response,
    if_match: IfMatch = None,
) -> ExportView:
    """Replaces the definition. The body can be the changed response of a GET."""
    return _shown(exports.change(context, export_id, body, if_match), context, response)


@router.delete(
    _ONE,
    summary="Delete an export and its ledger; contacts and tags stay in Mailchimp",
    status_code=204,
)
@requires(Role.CONTRIBUTOR, shared=Subject.EXPORT)
def delete(export_id: Id, context: CurrentContext, if_match: IfMatch = None) -> None:
    """Returns 409 while a run is active; cancel the run first."""
    exports.delete(context, export_id, if_match)


@router.post(f"{_ONE}/duplicate", summary="Copy an export", status_code=201)
@requires(Role.CONTRIBUTOR, shared=Subject.EXPORT)
def duplicate(export_id: Id, context: CurrentContext, response: Response) -> ExportView:
    """The copy has its schedule turned off and different tag names."""
    return _created(exports.duplicate(context, export_id), context, response)


@router.post(f"{_ONE}/detach-connection", summary="Detach the connection of an export")
@requires(Role.CONTRIBUTOR, shared=Subject.EXPORT)
def detach(
    export_id: Id, context: CurrentContext, response: Response, if_match: IfMatch = None
) -> ExportView:
    """The export does not run until another connection is selected."""
    return _shown(exports.detach(context, export_id, if_match), context, response)
