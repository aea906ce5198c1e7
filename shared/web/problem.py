"""What went wrong, as `application/problem+json` in the caller's language.

One table says which status each of our errors has; whatever is not ours is a 500 that says
nothing but a trace id. The text of an error of ours is safe to show (errors.py); it is translated
by its code where there is a text for it. https://www.rfc-editor.org/rfc/rfc9457
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import orjson

from shared.errors import (
    Changed,
    ConfigError,
    Conflict,
    ConnectorError,
    Disconnected,
    Fault,
    InputError,
    NotFound,
    Refused,
    Unavailable,
)
from shared.web.http import Response
from shared.web.texts import has, said, text

__all__ = ["PROBLEM_JSON", "HttpProblem", "answer", "fault_text", "for_error"]

PROBLEM_JSON = "application/problem+json"

# Most particular first: the first that fits decides. Refused and InputError are answers of
# others (Mailchimp, a file) that we cannot mend and the caller did not cause: 502.
STATUSES: tuple[tuple[type[ConnectorError], int, str], ...] = (
    (NotFound, 404, "notFound"),
    (Conflict, 409, "conflict"),
    (ConfigError, 400, "badRequest"),
    (Changed, 412, "changed"),
    (InputError, 502, "unusableInput"),
    (Unavailable, 503, "unavailable"),
    (Disconnected, 409, "disconnected"),
    (Refused, 502, "refused"),
    # A record that a newer version wrote, or a damaged one: nobody's fault who asks.
    (ConnectorError, 500, "internal"),
)

_RETRY_AFTER_DEFAULT = 30
_RETRY_AFTER_MOST = 3600


class HttpProblem(Exception):
    """A request that is answered with a problem. `kind` names its texts in `problems.json`."""

    def __init__(
        self,
        status: int,
        kind: str,
        *,
        detail: str | None = None,
        code: str = "",
        values: Mapping[str, str] | None = None,
        faults: Sequence[Fault] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(kind)
        self.status = status
        self.kind = kind
        self.detail = detail
        self.code = code
        self.values = dict(values or {})
        self.faults = tuple(faults)
        self.headers = dict(headers or {})


def for_error(error: Exception) -> HttpProblem:
    """The problem that an error becomes."""
    if isinstance(error, HttpProblem):
        return error
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


def _retry_after(error: Exception) -> dict[str, str]:
    """Unavailable says when to come back: in whole seconds, at least one, at most an hour."""
    if not isinstance(error, Unavailable):
        return {}
    seconds = error.retry_after if error.retry_after is not None else _RETRY_AFTER_DEFAULT
    return {"Retry-After": str(max(1, min(_RETRY_AFTER_MOST, round(seconds))))}


def detail_text(problem: HttpProblem, language: str) -> str:
    """The sentence for a problem: what its code or its error says, else what its kind says."""
    sentence = said(language, problem.code, problem.values, problem.detail or "")
    return sentence or text(language, f"problems.{problem.kind}.detail", problem.values)


def fault_text(fault: Fault, language: str) -> str:
    """The sentence for one field: by its code where there is a text, else as it stands."""
    key = f"faults.{fault.code}"
    return text(language, key, fault.values) if fault.code and has(key) else fault.message


def answer(problem: HttpProblem, language: str, trace_id: str) -> Response:
    """The problem as an HTTP answer."""
    body: dict[str, object] = {
        "type": f"urn:problem-type:{problem.kind}",
        "title": text(language, f"problems.{problem.kind}.title"),
        "status": problem.status,
        "detail": detail_text(problem, language),
    }
    if problem.code:
        body["code"] = problem.code
    if problem.faults:
        body["errors"] = [
            {"field": fault.field, "message": fault_text(fault, language)}
            for fault in problem.faults
        ]
    body["traceId"] = trace_id
    headers = {
        "Content-Type": PROBLEM_JSON,
        "Content-Language": language,
        "Cache-Control": "no-store",
        **problem.headers,
    }
    return Response(problem.status, headers, orjson.dumps(body))
