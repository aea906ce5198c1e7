"""The list of people that an export never sends, over HTTP."""

from __future__ import annotations

from codecs import BOM_UTF8
from typing import Annotated, Any

from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import Response

from shared.model.exclusions import ExclusionList
from shared.web.access import AccessRoute, Subject, requires
from shared.web.application import exclusions, exports
from shared.web.authentication import Role
from shared.web.csv_files.file import CsvResponse, csv_file, csv_response, neutral
from shared.web.models.exclusions import ExclusionsView, exclusions_view
from shared.web.openapi import ETAG_HEADER
from shared.web.parameters import CurrentContext, Id, IfMatch
from shared.web.problems import HttpProblem, refuse_other_types

router = APIRouter(route_class=AccessRoute, tags=["exports"])

_ONE = "/api/exports/{id:id}/exclusions"
_CSV = "text/csv"
_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "A CSV file in UTF-8 of at most 1 MB. Its first column has an email address or "
        "a CustomerId per line; a header is ignored. An empty file is refused. A file with only a header excludes "
        "no one.",
        "content": {
            _CSV: {"schema": {"type": "string"}, "example": "email\nada@contoso.example\n4711\n"}
        },
    }
}


def _shown(listed: ExclusionList, response: Response) -> ExclusionsView:
    if etag := exclusions.etag(listed):
        response.headers["ETag"] = etag
    return exclusions_view(listed)


async def _csv(request: Request) -> bytes:
    """The body of a request. 415 for another type than CSV, and 400 for an empty file.

    A client that lost the list must not clear it. Some programs write a byte order mark and a line end into an empty file.
    """
    refuse_other_types(request, _CSV)
    body = await request.body()
    if not body.removeprefix(BOM_UTF8).strip():
        raise HttpProblem(400, "malformed")
    return body


@router.get(_ONE, summary="Read the size of the list of excluded people")
@requires(Role.VIEWER)
def read(export_id: Id, context: CurrentContext, response: Response) -> ExclusionsView:
    """Returns how many people the list of the export excludes. `exclusions.csv` has the list."""
    return _shown(exclusions.read(context, export_id), response)


@router.get(
    f"{_ONE}.csv",
    summary="Download the list of excluded people",
    response_class=CsvResponse,
    responses={200: {"headers": {"ETag": ETAG_HEADER}}},
)
@requires(Role.CONTRIBUTOR, shared=Subject.EXPORT)
def download(export_id: Id, context: CurrentContext) -> Response:
    """Returns one address or CustomerId per line. Cells that look like formulas are neutralized."""
    listed = exclusions.read(context, export_id)
    people = (*listed.addresses, *listed.customers)
    data = csv_file(["excluded"], ([neutral(person)] for person in people))
    response = csv_response(data, "exclusions", export_id, exports.title_of(context, export_id))
    if etag := exclusions.etag(listed):
        response.headers["ETag"] = etag
    return response


@router.put(_ONE, summary="Replace the list of excluded people", openapi_extra=_BODY)
@requires(Role.CONTRIBUTOR, shared=Subject.EXPORT)
def replace(
    export_id: Id,
    context: CurrentContext,
    data: Annotated[bytes, Depends(_csv)],
    response: Response,
    if_match: IfMatch = None,
) -> ExclusionsView:
    """People on the list are never sent, and the next run removes their tags.

    A list with a malformed address is refused as a whole.
    """
    return _shown(exclusions.put(context, export_id, data, if_match), response)


@router.delete(_ONE, summary="Delete the list of excluded people", status_code=204)
@requires(Role.CONTRIBUTOR, shared=Subject.EXPORT)
def delete(export_id: Id, context: CurrentContext, if_match: IfMatch = None) -> None:
    """The next run sends these people again, unless another rule keeps them out."""
    exclusions.delete(context, export_id, if_match)
