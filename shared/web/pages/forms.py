"""Forms: what a browser sends, and how a page asks the JSON interface inside the process.

A page has no rules of its own. It makes of a form the body that the interface takes, calls the
interface's own endpoint, and shows the form again with the faults that come back by field.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from urllib.parse import parse_qsl

import orjson

from shared.errors import ConnectorError
from shared.web.call import Call
from shared.web.http import JSON, Response
from shared.web.pages.csrf_token import FIELD, check_csrf
from shared.web.problem import HttpProblem, detail_text, fault_text, for_error

__all__ = ["Answer", "Form", "ask", "form_of"]

_FORM = "application/x-www-form-urlencoded"
_MOST_FIELDS = 2_000


@dataclass(frozen=True)
class Form:
    """The fields of a form, in the order in which they were sent."""

    fields: tuple[tuple[str, str], ...]

    def get(self, name: str) -> str:
        """The last value of a field, without spaces around it; "" where there is none."""
        found = [value for known, value in self.fields if known == name]
        return found[-1].strip() if found else ""

    def all(self, name: str) -> list[str]:
        """Every value of a field."""
        return [value for known, value in self.fields if known == name]

    def has(self, name: str) -> bool:
        """Whether the field was sent: a box that is ticked, a button that was pressed."""
        return any(known == name for known, _ in self.fields)


def form_of(call: Call) -> Form:
    """The form of a request. 415 when it is none, 403 without our token."""
    if call.request.content_type != _FORM:
        raise HttpProblem(415, "unsupportedMediaType")
    try:
        fields = parse_qsl(
            call.request.body.decode(), keep_blank_values=True, max_num_fields=_MOST_FIELDS
        )
    except ValueError:
        raise HttpProblem(400, "malformed") from None
    form = Form(tuple(fields))
    check_csrf(call, form.get(FIELD))
    return form


@dataclass(frozen=True)
class Answer:
    """What the interface answered: a response, or what is wrong in the reader's language."""

    response: Response | None = None
    message: str = ""
    faults: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_good(self) -> bool:
        """Whether it worked."""
        return self.response is not None


def ask(
    call: Call,
    endpoint: Callable[[Call], Response],
    body: object = None,
    query: Mapping[str, str] | None = None,
) -> Answer:
    """Call an endpoint of the interface; errors that a person can mend come back as texts."""
    request = replace(
        call.request,
        query=dict(query or {}),
        headers={
            "content-type": JSON,
            **{k: v for k, v in call.request.headers.items() if k in ("cookie", "accept-language")},
        },
        body=orjson.dumps(body) if body is not None else b"",
    )
    try:
        return Answer(endpoint(replace(call, request=request)))
    except (ConnectorError, HttpProblem) as error:
        problem = for_error(error)
        if problem.status in (401, 403, 404):
            raise
        return Answer(
            message=detail_text(problem, call.language),
            faults={f.field: fault_text(f, call.language) for f in problem.faults},
        )
