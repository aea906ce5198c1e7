"""What an Azure SDK's error means to us.

Rule: no SDK error leaves this room, and nothing of its text does either; it may hold an address
with a signature, a name or a row. Status and Azure's error code say enough.
https://learn.microsoft.com/rest/api/storageservices/common-rest-api-error-codes
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus

from azure.core.exceptions import (
    AzureError,
    ClientAuthenticationError,
    HttpResponseError,
    ServiceRequestError,
)

from shared.errors import (
    Changed,
    ConfigError,
    Conflict,
    ConnectorError,
    InputError,
    NotFound,
    Unavailable,
)

__all__ = ["error_code", "failure", "told"]

_THROTTLED = frozenset({HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE})


@contextmanager
def told(what: str) -> Iterator[None]:
    """Run calls to Azure; an error is told in our words. `what` names the thing, never content."""
    try:
        yield
    except AzureError as error:
        raise failure(error, what) from None


def error_code(error: AzureError) -> str:
    """Azure's own code for the error, such as `TableNotFound`, or an empty text."""
    code = getattr(error, "error_code", None)
    if code is None:
        code = _headers(error).get("x-ms-error-code")
    return str(getattr(code, "value", code) or "")


def failure(error: AzureError, what: str) -> ConnectorError:
    """The error of shared/errors.py that an SDK's error stands for."""
    status = getattr(error, "status_code", None)
    if isinstance(error, ClientAuthenticationError):
        return _refused_identity(error, status, what)
    if not isinstance(error, HttpResponseError) or status is None:
        return _without_answer(error, what)
    code = error_code(error)
    answer = f"{int(status)} {code}".rstrip()
    if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        return ConfigError("accessRefused", resource=what, answer=answer)
    if status >= 500 or status in (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS):
        return Unavailable(
            "storageUnavailable",
            resource=what,
            answer=answer,
            retry_after=_retry_after(error),
            maybe_applied=status not in _THROTTLED,
            throttled=status in _THROTTLED,
        )
    if code.endswith("BeingDeleted"):
        return Unavailable("storageBeingDeleted", resource=what)
    if status == HTTPStatus.NOT_FOUND:
        return NotFound("storageNotFound", resource=what, answer=answer)
    if status == HTTPStatus.CONFLICT:
        return Conflict("storageConflict", resource=what, answer=answer)
    if status == HTTPStatus.PRECONDITION_FAILED:
        return Changed("storageChanged", resource=what)
    if status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE or code.endswith("TooLarge"):
        return InputError("storageTooLarge", resource=what)
    return ConnectorError("storageFailed", resource=what, answer=answer)


def _refused_identity(
    error: ClientAuthenticationError, status: int | None, what: str
) -> ConnectorError:
    """Azure does not take the key or the identity, or there is no token to be had right now."""
    if type(error).__name__ == "AzureSigningError":
        return ConfigError("storageKeyInvalid", resource=what)
    if status is None or status >= 500 or status == HTTPStatus.TOO_MANY_REQUESTS:
        return Unavailable("noToken", resource=what)
    return ConfigError("accessRefused", resource=what, answer=str(int(status)))


def _without_answer(error: AzureError, what: str) -> Unavailable:
    """No connection, no answer in time, or half an answer."""
    return Unavailable(
        "storageNoAnswer",
        resource=what,
        error=type(error).__name__,
        maybe_applied=not isinstance(error, ServiceRequestError),
    )


def _retry_after(error: HttpResponseError) -> float | None:
    """Seconds to wait, when the answer says so in seconds."""
    value = _headers(error).get("Retry-After", "")
    return float(value) if value.isdecimal() and len(value) < 6 else None


def _headers(error: AzureError) -> Mapping[str, str]:
    return getattr(getattr(error, "response", None), "headers", None) or {}
