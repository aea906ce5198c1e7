"""The OpenAPI document: what FastAPI finds in the routes and models, and what all operations share."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.openapi.utils import get_openapi
from starlette.responses import JSONResponse

from shared.web.access import Access, AccessRoute, Subject, public
from shared.web.models.problem import Problem
from shared.web.problems import PROBLEM_JSON

PATH = "/api/openapi.json"

ETAG_HEADER = {"description": "For If-Match", "schema": {"type": "string"}}

_RETRY_AFTER_HEADER = {
    "description": "Seconds to wait before the next try",
    "schema": {"type": "integer", "minimum": 1},
}

_CHALLENGE_HEADER = {
    "description": "How to authenticate: with a token of Microsoft Entra ID",
    "schema": {"type": "string", "const": "Bearer"},
}

_SCHEMA = "#/components/schemas/{model}"
_PROBLEMS = {
    "400": "The request has faults, listed by field, or someone must correct a setting of the app, which the detail names",
    "401": "Not signed in",
    "403": "The caller's role is not sufficient, or the connection is not shared with the caller",
    "404": "Not found",
    "409": "The request conflicts with the current state",
    "411": "The body has no Content-Length",
    "412": "The ETag of If-Match is out of date",
    "413": "The body is larger than 1 MB",
    "415": "The body has another media type than the described one",
    "500": "An unexpected error, or a record that this version of the app cannot read; the log has it with the traceId",
    "502": "Mailchimp refused the request, or a file of Customer Insights cannot be read",
    "503": "Temporarily unavailable; Retry-After says when to try again",
}
_TAGS = {
    "health": "Check the health of the app",
    "connections": "Mailchimp accounts, the consent to send data to them, and export users",
    "segments": "The segments and attributes that Customer Insights has exported",
    "exports": "Definitions: the segments, the audience and the mapping",
    "runs": "Exports in progress and their outcomes",
    "people": "Search for a person, erase a person",
    "schedule": "The refresh schedule",
    "audit": "The audit trail",
    "webhooks": "The address that Mailchimp calls when contacts change",
}


def add_document(app: FastAPI, public_url: str) -> None:
    """Serve the document of the routes that the application has, this one included."""

    @cache
    def document() -> dict[str, Any]:
        return _document(app, public_url)

    router = APIRouter(route_class=AccessRoute, tags=["health"])

    @router.get(PATH, summary="Read this document")
    @public
    def openapi() -> JSONResponse:
        """The OpenAPI document."""
        return JSONResponse(document())

    app.router.routes += router.routes


def _operation_id(route: AccessRoute) -> str:
    """`getExportsId` for `GET /api/exports/{id}`.

    Generators name the methods of a client after it, so it must not depend on the names of functions here.
    """
    words = re.findall(r"[A-Za-z]+", route.path_format.removeprefix("/api"))
    return route.method.lower() + "".join(word[0].upper() + word[1:] for word in words)


def _document(app: FastAPI, public_url: str) -> dict[str, Any]:
    document = get_openapi(
        title=app.title,
        version=app.version,
        description=app.description,
        contact={"name": "The maintainers of this project"},
        license_info={"name": "MIT", "identifier": "MIT"},
        routes=app.routes,
        servers=[{"url": public_url or "/"}],
        tags=[{"name": name, "description": text} for name, text in _TAGS.items()],
    )
    for route in app.routes:
        if isinstance(route, AccessRoute) and route.include_in_schema:
            _complete(document["paths"][route.path_format][route.method.lower()], route)
    components = document["components"]
    for unused in ("HTTPValidationError", "ValidationError"):
        components["schemas"].pop(unused, None)
    problem = Problem.model_json_schema(mode="serialization", ref_template=_SCHEMA)
    components["schemas"] |= {**problem.pop("$defs"), "Problem": problem}
    components["responses"] = {status: _problem(about) for status, about in _PROBLEMS.items()}
    components["responses"]["401"]["headers"] = {"WWW-Authenticate": _CHALLENGE_HEADER}
    components["responses"]["503"]["headers"] = {"Retry-After": _RETRY_AFTER_HEADER}
    components["securitySchemes"] = {
        "entra": {
            "type": "http",
            "scheme": "bearer",
            "description": "Microsoft Entra ID, checked by App Service Authentication",
        }
    }
    return document


def _problem(about: str) -> dict[str, Any]:
    schema = {"$ref": _SCHEMA.format(model="Problem")}
    return {"description": about, "content": {PROBLEM_JSON: {"schema": schema}}}


def _complete(operation: dict[str, Any], route: AccessRoute) -> None:
    """Add who may call the operation, the headers of its response, and its problems."""
    role = route.access.role
    operation["operationId"] = _operation_id(route)
    operation["security"] = [] if role is None else [{"entra": []}]
    if role is not None:
        operation["x-role"] = role.label
        operation["description"] += f"\n\n{_who(route.access)}"
    responses = operation["responses"]
    responses.pop("422", None)
    success = responses[str(route.status_code or 200)]
    success["description"] = operation["summary"]
    one = any(parameter["name"] == "If-Match" for parameter in operation.get("parameters", ()))
    headers = {}
    if route.status_code == 201 or ((one or route.method == "GET") and _has_etag(route)):
        headers["ETag"] = ETAG_HEADER
    if route.status_code == 201 or (route.status_code == 202 and "{" in route.path_format):
        headers["Location"] = _location("The path of the new resource")
    if route.status_code == 303:
        # The end of a sign-in. A page shows what went wrong.
        headers["Location"] = _location("The path of the page of the connection")
        page = success.pop("content")
        responses["400"] = {"description": "The sign-in did not succeed", "content": page}
    if headers:
        success["headers"] = headers
    for status in sorted(_statuses(route, operation)):
        responses.setdefault(status, {"$ref": f"#/components/responses/{status}"})


def _location(about: str) -> dict[str, Any]:
    return {"description": about, "schema": {"type": "string", "format": "uri-reference"}}


def _has_etag(route: AccessRoute) -> bool:
    return getattr(route.response_model, "__name__", "") in (
        "ConnectionView",
        "ExclusionsView",
        "ExportView",
        "RefreshScheduleView",
    )


def _who(access: Access) -> str:
    role = f"Needs the role {access.role.label} or a higher one." if access.role else ""
    if access.shared is None:
        return role
    whose = {
        Subject.CONNECTION: "The connection",
        Subject.EXPORT: "The connection of the export",
        Subject.RUN: "The connection of the run's export",
    }[access.shared]
    return f"{role} {whose} must be shared with contributors unless the caller is an administrator."


def _statuses(route: AccessRoute, operation: dict[str, Any]) -> set[str]:
    """The problems that an operation may answer with."""
    statuses = {"500", "503"}
    if route.access.role is not None:
        statuses |= {"400", "401", "403", "502"}
    if operation.get("parameters"):
        statuses |= {"404"}
    if operation.get("requestBody", {}).get("required") or route.body_field is not None:
        statuses |= {"415"}
    if route.method != "GET" or "{" in route.path_format:
        statuses |= {"409"}
    if route.method != "GET":
        statuses |= {"400", "403", "411", "412", "413"}
    return statuses
