"""One try of a call: what it sends, and what its response means for the next try."""

from __future__ import annotations

import email.utils
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson
import requests
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError

from shared.errors import ConnectorError, Disconnected, NotFound, Refused
from shared.mailchimp.error_responses import Classification, ErrorKind, classify, problem_in
from shared.mailchimp.refusal_text import title_text

Parse = Callable[[bytearray], object]


@dataclass(frozen=True)
class Request:
    """A call: `about_members` as in error_responses.classify; `parse` reads the body of a successful response."""

    method: str
    path: str
    query: Mapping[str, str] | None
    body: bytes | None = None
    about_members: bool = False
    parse: Parse = orjson.loads

    @property
    def writes(self) -> bool:
        """Whether the call may change something."""
        return self.method != "GET"


@dataclass(frozen=True)
class Failure:
    """A failed try that may be retried."""

    code: str
    throttled: bool = False
    maybe_applied: bool = False
    retry_after: float | None = None


def parse_response(
    request: Request, response: requests.Response, content: bytearray
) -> dict[str, Any] | Failure:
    """The JSON object of a response, or why the call may be repeated. Raises errors that a repetition cannot solve."""
    status = response.status_code
    if status == 204:
        return {}
    if 200 <= status < 300:
        try:
            answer = request.parse(content)
        except orjson.JSONDecodeError:
            answer = None
        if isinstance(answer, dict):
            return answer
        return Failure("answerBroken", maybe_applied=True)
    problem = problem_in(content)
    found = classify(status, problem, about_members=request.about_members)
    if found.kind in (ErrorKind.THROTTLED, ErrorKind.BLOCKED, ErrorKind.BROKEN):
        return Failure(
            found.code,
            throttled=found.kind in (ErrorKind.THROTTLED, ErrorKind.BLOCKED),
            maybe_applied=found.kind in (ErrorKind.BLOCKED, ErrorKind.BROKEN),
            retry_after=_retry_after(response),
        )
    raise _refused(status, found, title_text(status, problem.title if problem else ""))


def never_arrived(error: requests.RequestException) -> bool:
    """Whether the request certainly did not reach Mailchimp: no connection was made."""
    if isinstance(error, requests.ConnectTimeout | requests.exceptions.ProxyError):
        return True
    cause = error.args[0] if error.args else None
    reason = getattr(cause, "reason", cause)
    return isinstance(reason, NewConnectionError | NameResolutionError | ConnectTimeoutError)


def _retry_after(response: requests.Response) -> float | None:
    """Parse the Retry-After header into seconds, from 0 to an hour.

    An HTTP date is compared with the Date header of the response, so clocks need not agree.
    """
    text = response.headers.get("Retry-After", "").strip()
    if not text:
        return None
    try:
        if text.isascii() and text.isdigit():
            seconds = float(text[:9])
        else:
            then = email.utils.parsedate_to_datetime(text)
            now = email.utils.parsedate_to_datetime(response.headers.get("Date", ""))
            seconds = (then - now).total_seconds()
    except (ValueError, TypeError, OverflowError):
        return None
    return min(max(seconds, 0.0), 3600.0)


def _refused(status: int, found: Classification, answer: str) -> ConnectorError:
    if found.kind is ErrorKind.DISCONNECTED:
        return Disconnected(found.code, status=status)
    if found.kind is ErrorKind.MISSING:
        return NotFound(found.code)
    return Refused(found.code, field=found.field, status=status, answer=answer)
