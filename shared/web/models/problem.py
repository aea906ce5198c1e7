"""The JSON form of a problem."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from shared.web.models.base import View, is_empty


class ProblemFault(View):
    """A fault of one field of a request."""

    field: Annotated[str, Field(examples=["displayName"])]
    message: Annotated[str, Field(examples=["This field is required."])]


class Problem(View):
    """A problem (RFC 9457), in the language of Accept-Language (en, ko)."""

    type: Annotated[
        str,
        Field(json_schema_extra={"format": "uri"}, examples=["urn:problem-type:badRequest"]),
    ]
    title: Annotated[str, Field(examples=["The request has faults"])]
    status: Annotated[int, Field(examples=[400])]
    detail: Annotated[str, Field(examples=["The export has faults."])]
    code: Annotated[
        str,
        Field(
            exclude_if=is_empty,
            description="A stable name of the problem",
            examples=["exportFaults"],
        ),
    ] = ""
    errors: Annotated[
        tuple[ProblemFault, ...],
        Field(exclude_if=is_empty, description="The first 100 faults of the request, by field"),
    ] = ()
    trace_id: Annotated[
        str,
        Field(
            description="The id to search for in the logs",
            examples=["0af7651916cd43dd8448eb211c80319c"],
        ),
    ]
