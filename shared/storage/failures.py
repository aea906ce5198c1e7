"""Translates errors of the Azure SDKs into those of errors.py.

Neither SDK errors nor their texts leave this package: a text may contain a URL with a signature, a
name or a row. Only the status and Azure's error code are kept.
https://learn.microsoft.com/rest/api/storageservices/common-rest-api-error-codes
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from typing import TypeVar

from azure.core.exceptions import (
    AzureError,
    ClientAuthenticationError,
    HttpResponseError,
    ResourceNotFoundError,
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

T = TypeVar("T")

_CODE = re.compile(r"[A-Za-z]{1,64}")
_THROTTLED = frozenset({HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE})


@contextmanager
def azure_errors(what: str) -> Iterator[None]:
    """Translate SDK errors raised in the block. `what` names the resource, never its content."""
    try:
        yield
    except AzureError as error:
        raise failure(error, what) from None


def read_pages(pages: Iterator[Iterable[T]], what: str) -> Iterator[list[T]]:
    """Yield the pages of a listing; none when the container or table does not exist.

    Only the requests are translated, not errors that the caller raises between two pages.
    """
    while True:
        with azure_errors(what):
            try:
                page = next(pages, None)
                items = None if page is None else list(page)
            except ResourceNotFoundError:
                return
        if items is None:
            return
        yield items


def error_code(error: AzureError) -> str:
    """Return Azure's error code, such as `TableNotFound`, or an empty string."""
    code = getattr(error, "error_code", None)
    if code is None:
        code = _headers(error).get("x-ms-error-code")
    return str(getattr(code, "value", code) or "")


def failure(error: AzureError, what: str) -> ConnectorError:
    """Return the error of errors.py for an SDK error."""
    status = getattr(error, "status_code", None)
    if isinstance(error, ClientAuthenticationError):
        return _refused_identity(error, status, what)
    if not isinstance(error, HttpResponseError) or status is None:
        return _without_answer(error, what)
    code = error_code(error)
    answer = f"{int(status)} {code}".rstrip()
    if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        reason = f"{int(status)} {code or _reason_in_body(error)}".rstrip()
        return ConfigError("accessRefused", resource=what, answer=reason)
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


def _reason_in_body(error: HttpResponseError) -> str:
    """Return why Key Vault refuses a call, such as `ForbiddenByRbac`, or an empty string: it is only in the body.

    https://learn.microsoft.com/azure/key-vault/general/rest-error-codes
    """
    inner = getattr(error.error, "innererror", None)
    code = inner.get("code") if isinstance(inner, Mapping) else None
    return code if isinstance(code, str) and _CODE.fullmatch(code) else ""


def _refused_identity(
    error: ClientAuthenticationError, status: int | None, what: str
) -> ConnectorError:
    """The error for a refused key or identity, or for a token that is not available right now."""
    if type(error).__name__ == "AzureSigningError":
        return ConfigError("storageKeyInvalid", resource=what)
    if status is None or status >= 500 or status == HTTPStatus.TOO_MANY_REQUESTS:
        return Unavailable("noToken", resource=what)
    return ConfigError("accessRefused", resource=what, answer=str(int(status)))


def _without_answer(error: AzureError, what: str) -> Unavailable:
    """The error for a failed connection, a timeout or an incomplete response."""
    return Unavailable(
        "storageNoAnswer",
        resource=what,
        error=type(error).__name__,
        maybe_applied=not isinstance(error, ServiceRequestError),
    )


def _retry_after(error: HttpResponseError) -> float | None:
    """Return the Retry-After header in seconds; None for an HTTP date."""
    value = _headers(error).get("Retry-After", "")
    return float(value) if value.isdecimal() and len(value) < 6 else None


def _headers(error: AzureError) -> Mapping[str, str]:
    return getattr(getattr(error, "response", None), "headers", None) or {}
