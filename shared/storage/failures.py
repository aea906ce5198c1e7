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

_CHECK = "Check the app's identity, its roles, and the settings of the connection."
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
    told_as = f"{what}: Azure answered {status} {code}".rstrip()
    if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        return ConfigError(f"{told_as}. {_CHECK}", code="accessRefused")
    if status >= 500 or status in (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS):
        return Unavailable(
            f"{told_as}.",
            retry_after=_retry_after(error),
            maybe_applied=status not in _THROTTLED,
            throttled=status in _THROTTLED,
        )
    if code.endswith("BeingDeleted"):
        return Unavailable(f"{told_as}.")
    if status == HTTPStatus.NOT_FOUND:
        return NotFound(f"{told_as}.")
    if status == HTTPStatus.CONFLICT:
        return Conflict(f"{told_as}.")
    if status == HTTPStatus.PRECONDITION_FAILED:
        return Changed(f"{told_as}.")
    if status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE or code.endswith("TooLarge"):
        return InputError(f"{told_as}.")
    return ConnectorError(f"{told_as}.")


def _refused_identity(
    error: ClientAuthenticationError, status: int | None, what: str
) -> ConnectorError:
    """Azure does not take the key or the identity, or there is no token to be had right now."""
    if type(error).__name__ == "AzureSigningError":
        return ConfigError(f"{what}: the account key is not a key. {_CHECK}", code="accessRefused")
    if status is None or status >= 500 or status == HTTPStatus.TOO_MANY_REQUESTS:
        return Unavailable(f"{what}: the app's identity got no token.", code="noToken")
    return ConfigError(f"{what}: Azure answered {status}. {_CHECK}", code="accessRefused")


def _without_answer(error: AzureError, what: str) -> Unavailable:
    """No connection, no answer in time, or half an answer."""
    return Unavailable(
        f"{what}: Azure gave no usable answer ({type(error).__name__}).",
        maybe_applied=not isinstance(error, ServiceRequestError),
    )


def _retry_after(error: HttpResponseError) -> float | None:
    """Seconds to wait, when the answer says so in seconds."""
    value = _headers(error).get("Retry-After", "")
    return float(value) if value.isdecimal() and len(value) < 6 else None


def _headers(error: AzureError) -> Mapping[str, str]:
    return getattr(getattr(error, "response", None), "headers", None) or {}
