"""The description of the JSON interface, made from the route table and the models.

Nothing is described by hand that the code could say itself, so the two cannot drift apart.
https://spec.openapis.org/oas/v3.1.1
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from shared.version import VERSION
from shared.web.call import Call
from shared.web.http import JSON, Response, reply
from shared.web.problem import PROBLEM_JSON
from shared.web.routes import Route

__all__ = ["PATH", "describe", "describing"]

PATH = "/api/openapi.json"

_ID = {"type": "string", "pattern": "^[A-Za-z0-9_-]{1,64}$"}
_PROBLEM = {
    "type": "object",
    "description": "A problem (RFC 9457), in the language of Accept-Language (en, ko).",
    "required": ["type", "title", "status", "detail", "traceId"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "code": {"type": "string", "description": "A stable name for the reason"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["field", "message"],
                "properties": {"field": {"type": "string"}, "message": {"type": "string"}},
            },
        },
        "traceId": {"type": "string"},
    },
}
_PROBLEMS = {
    "400": "The request has faults, listed by field",
    "401": "Not signed in",
    "403": "The caller's role does not suffice",
    "404": "There is no such thing",
    "409": "It contradicts what is there",
    "412": "It is not as If-Match says",
    "413": "The body is larger than 1 MB",
    "415": "The body is not application/json",
    "502": "Mailchimp refused, or a file of Customer Insights cannot be read",
    "503": "Unavailable for now; Retry-After says when to come back",
}


def describing(routes: Sequence[Route]) -> Route:
    """The route that hands out the description of these routes and of itself."""

    @cache
    def description() -> dict[str, Any]:
        return describe([*routes, route])

    def hand_out(_call: Call) -> Response:
        return reply(description())

    route = Route("GET", PATH, None, hand_out, "This description")
    return route


def describe(routes: Sequence[Route]) -> dict[str, Any]:
    """The OpenAPI description of routes."""
    schemas = _schemas(routes)
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        paths.setdefault(route.template, {})[route.method.lower()] = _operation(route)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Customer Insights to Mailchimp export",
            "version": VERSION,
            "description": "Keeps Mailchimp audiences in step with Customer Insights segments.",
        },
        "paths": paths,
        "components": {
            "schemas": {**schemas, "Problem": _PROBLEM},
            "responses": {status: _problem(about) for status, about in _PROBLEMS.items()},
            "securitySchemes": {
                "entra": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "Microsoft Entra ID, checked by App Service Authentication",
                }
            },
        },
    }


def _schemas(routes: Sequence[Route]) -> dict[str, Any]:
    models: dict[tuple[type[BaseModel], JsonSchemaMode], None] = {}
    for route in routes:
        if route.takes:
            models[(route.takes, "validation")] = None
        if route.gives:
            models[(route.gives, "serialization")] = None
    _, schema = models_json_schema(list(models), ref_template="#/components/schemas/{model}")
    found: dict[str, Any] = schema.get("$defs", {})
    return found


def _problem(about: str) -> dict[str, Any]:
    schema = {"$ref": "#/components/schemas/Problem"}
    return {"description": about, "content": {PROBLEM_JSON: {"schema": schema}}}


def _operation(route: Route) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": _operation_id(route),
        "summary": route.about,
        "tags": [route.template.split("/")[2].partition(".")[0]],
        "responses": {str(route.status): _answer(route), **_problems(route)},
        "security": [] if route.role is None else [{"entra": []}],
    }
    if route.role is not None:
        operation["x-role"] = route.role.label
        operation["description"] = f"Needs the role {route.role.label} or a higher one."
    parameters = _parameters(route)
    if parameters:
        operation["parameters"] = parameters
    if route.takes:
        operation["requestBody"] = {
            "required": not route.takes_optional,
            "content": {JSON: {"schema": _reference(route.takes)}},
        }
    return operation


def _operation_id(route: Route) -> str:
    words = re.findall(r"[A-Za-z]+", route.template.removeprefix("/api"))
    return route.method.lower() + "".join(word[0].upper() + word[1:] for word in words)


def _reference(model: type[BaseModel]) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{model.__name__}"}


def _answer(route: Route) -> dict[str, Any]:
    answer: dict[str, Any] = {"description": route.about}
    if route.gives and route.gives_list:
        listed = {
            "type": "object",
            "required": ["value"],
            "properties": {
                "value": {"type": "array", "items": _reference(route.gives)},
                "nextLink": {"type": "string"},
            },
        }
        answer["content"] = {JSON: {"schema": listed}}
    elif route.gives:
        answer["content"] = {JSON: {"schema": _reference(route.gives)}}
    elif route.media:
        answer["content"] = {route.media: {"schema": {"type": "string"}}}
    elif route.status != 204:
        answer["content"] = {JSON: {"schema": {"type": "object"}}}
    headers = {}
    if route.etag and route.gives:
        headers["ETag"] = {"schema": {"type": "string"}}
    if route.status == 201 or (route.status == 202 and not route.gives_list):
        headers["Location"] = {"schema": {"type": "string"}}
    if headers:
        answer["headers"] = headers
    return answer


def _problems(route: Route) -> dict[str, Any]:
    """Which problems an operation may answer with."""
    statuses = {"503"}
    if route.role is not None:
        statuses |= {"401", "403", "502"}
    if route.takes or route.params:
        statuses |= {"400"}
    if route.takes:
        statuses |= {"413", "415"}
    if "{" in route.template or route.params:
        statuses |= {"404"}
    if route.method != "GET" or "{" in route.template:
        statuses |= {"409"}
    if route.method != "GET":
        statuses |= {"400", "403", "412", "413"}
    known: dict[str, Any] = {s: {"$ref": f"#/components/responses/{s}"} for s in sorted(statuses)}
    if route.media == "text/html":
        # The way back of a sign-in says on a page what went wrong.
        page = {"text/html": {"schema": {"type": "string"}}}
        known["400"] = {"description": "The sign-in did not work", "content": page}
    return known


def _parameters(route: Route) -> list[dict[str, Any]]:
    parameters: list[dict[str, Any]] = [
        {"name": name, "in": "path", "required": True, "schema": _ID}
        for name in re.findall(r"{(\w+)}", route.template)
    ]
    parameters += [
        {
            "name": param.name,
            "in": "query",
            "required": param.required,
            "description": param.about,
            "schema": dict(param.schema),
        }
        for param in route.params
    ]
    if route.etag and route.method in ("PUT", "DELETE"):
        about = "The ETag that was read: 412 when it is no longer true"
        parameters.append(
            {
                "name": "If-Match",
                "in": "header",
                "required": False,
                "description": about,
                "schema": {"type": "string"},
            }
        )
    return parameters
