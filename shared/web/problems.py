"""Errors as `application/problem+json` in the caller's language.

One table maps the project's errors to statuses. Any other error is a 500 that shows only a trace id, also a
stored value that does not fit the model of a response.
The text of a project error is safe to show (errors.py) and is translated by its code.
https://www.rfc-editor.org/rfc/rfc9457
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from shared.errors import (
    Changed,
    ConfigError,
    Conflict,
    ConnectorError,
    Disconnected,
    Fault,
    Forbidden,
    InputError,
    NotFound,
    Refused,
    Unavailable,
)
from shared.messages.catalogue import text as message_text
from shared.web.models.base import faults_of
from shared.web.models.problem import Problem, ProblemFault
from shared.web.texts import text, text_or_default

PROBLEM_JSON = "application/problem+json"

# The most specific class first. Refused and InputError are caused by Mailchimp or by a file: neither the app
# nor the caller can correct them, so the status is 502.
STATUSES: tuple[tuple[type[ConnectorError], int, str], ...] = (
    (NotFound, 404, "notFound"),
    (Forbidden, 403, "forbidden"),
    (Conflict, 409, "conflict"),
    (ConfigError, 400, "badRequest"),
    (Changed, 412, "changed"),
    (InputError, 502, "unusableInput"),
    (Unavailable, 503, "unavailable"),
    (Disconnected, 409, "disconnected"),
    (Refused, 502, "refused"),
    # A record that a newer version wrote, or a damaged one.
    (ConnectorError, 500, "internal"),
)

# Errors that the framework itself raises.
_FRAMEWORK = {404: "notFound", 405: "methodNotAllowed", 413: "tooLarge"}

_RETRY_AFTER_DEFAULT = 30
_RETRY_AFTER_MOST = 3600
_MOST_FAULTS = 100


class HttpProblem(HTTPException):
    """A request that is answered with a problem. `kind` names its texts, `problems.<kind>`."""

    def __init__(
        self,
        status: int,
        kind: str,
        *,
        detail: str = "",
        code: str = "",
        values: Mapping[str, str] | None = None,
        faults: Sequence[Fault] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(status, detail, headers)
        self.kind = kind
        self.code = code
        self.values = dict(values or {})
        self.faults = tuple(faults)[:_MOST_FAULTS]


def for_error(error: Exception) -> HttpProblem:
    """Convert an error into a problem."""
    match error:
        case HttpProblem():
            return error
        case HTTPException(status_code=status):
            kind = _FRAMEWORK.get(status, "malformed")
            return HttpProblem(status, kind, headers=error.headers)
        case RequestValidationError():
            return HttpProblem(400, "badRequest", faults=faults_of(error, _MOST_FAULTS))
    for kind_of_error, status, kind in STATUSES:
        if isinstance(error, kind_of_error):
            return HttpProblem(
                status,
                kind,
                detail=getattr(error, "message", ""),
                code=getattr(error, "code", ""),
                values=getattr(error, "values", None),
                faults=getattr(error, "faults", ()),
                headers=_retry_after(error),
            )
    return HttpProblem(500, "internal")


def refuse_other_types(request: Request, media_type: str) -> None:
    """Raise a 415 unless the body of a request has this media type."""
    sent = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if sent != media_type:
        raise HttpProblem(415, "unsupportedMediaType", values={"type": media_type})


def _retry_after(error: Exception) -> dict[str, str]:
    """`Retry-After` for Unavailable: whole seconds, at least one, at most an hour."""
    if not isinstance(error, Unavailable):
        return {}
    seconds = error.retry_after if error.retry_after is not None else _RETRY_AFTER_DEFAULT
    return {"Retry-After": str(max(1, min(_RETRY_AFTER_MOST, round(seconds))))}


def detail_text(problem: HttpProblem, language: str) -> str:
    """The sentence for a problem: the text of its code or its error, else the text of its kind."""
    sentence = text_or_default(language, problem.code, problem.values, problem.detail)
    return sentence or text(language, f"problems.{problem.kind}.detail", problem.values)


def error_text(error: ConnectorError, language: str) -> str:
    """The sentence for an error of the app."""
    return detail_text(for_error(error), language)


def fault_text(fault: Fault, language: str) -> str:
    """The sentence for one field."""
    return message_text(fault.code, language, fault.values)


def response(problem: HttpProblem, language: str, trace_id: str) -> Response:
    """The problem as an HTTP response."""
    body = Problem(
        type=f"urn:problem-type:{problem.kind}",
        title=text(language, f"problems.{problem.kind}.title"),
        status=problem.status_code,
        detail=detail_text(problem, language),
        code=problem.code,
        errors=tuple(
            ProblemFault(field=fault.field, message=fault_text(fault, language))
            for fault in problem.faults
        ),
        trace_id=trace_id,
    )
    headers = {"Content-Type": PROBLEM_JSON, **(problem.headers or {})}
    return Response(body.model_dump_json(by_alias=True), problem.status_code, headers)
