"""Exceptions, by what the caller must do about them.

    ConnectorError
    ├── ConfigError        a person must change a setting or a definition; names it
    │   ├── NotFound       the resource does not exist (HTTP 404)
    │   └── Conflict       the request contradicts existing data; names it (HTTP 409)
    ├── Forbidden          the caller may not do this (HTTP 403)
    ├── Changed            the record was changed since it was read: read and decide again
    ├── InputError         this row or file is unusable; with its position and the reason
    ├── Unavailable        Mailchimp or Azure is temporarily unavailable: retry later
    │   └── TimeUp         the time of the HTTP request was not enough
    └── Refused            Mailchimp refused permanently; code and field, never the body
        └── Disconnected   the grant is invalid: the connection must be connected again

An error has a code and values; its text is in `messages/<locale>.json`. An error never contains an
address, a name, the content of a row or a vendor's response, because its text appears in logs, run
reports and HTTP responses.

    raise ConfigError("tagNameRefused", tag=name)
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from shared.messages.catalogue import text


@dataclass(frozen=True)
class Fault:
    """A fault of one field, as the HTTP API reports it."""

    field: str
    code: str
    values: Mapping[str, str] = dataclasses.field(default_factory=dict)

    @property
    def message(self) -> str:
        """The English text."""
        return text(self.code, "en", self.values)


class ConnectorError(Exception):
    """The base class of all exceptions of the app.

    `code` names the text, the keywords are the values of its placeholders.
    """

    def __init__(self, code: str, /, **values: str | int) -> None:
        super().__init__(code)
        self.code = code
        self.values = {name: str(value) for name, value in values.items()}

    @property
    def message(self) -> str:
        """The English text."""
        return text(self.code, "en", self.values)

    def __str__(self) -> str:
        return self.message


def without_unread(found: Iterable[Fault], unread: Collection[str]) -> list[Fault]:
    """Return the faults without those of fields that could not be read; `unread` are the paths of these fields."""
    return [fault for fault in found if not is_unread(fault.field, unread)]


def is_unread(field: str, unread: Collection[str]) -> bool:
    """Whether a field, a part of it, or what it is a part of is among the paths in `unread`."""
    for path in unread:
        inner, outer = (field, path) if len(field) > len(path) else (path, field)
        if inner == outer or inner.startswith((f"{outer}.", f"{outer}[")):
            return True
    return False


class ConfigError(ConnectorError):
    """A person must change a setting or a definition, which the message names.

    `faults` lists all invalid fields.
    """

    def __init__(self, code: str, /, *, faults: Sequence[Fault] = (), **values: str | int) -> None:
        super().__init__(code, **values)
        self.faults = tuple(faults)

    def __str__(self) -> str:
        """The English text and every fault, for logs."""
        faults = [f"{fault.field}: {fault.message}" for fault in self.faults]
        return " ".join((self.message, *faults))


class NotFound(ConfigError):
    """The resource does not exist."""


class Conflict(ConfigError):
    """The request contradicts existing data, which the message names."""


class Forbidden(ConnectorError):
    """The caller may not do this."""


class Changed(ConnectorError):
    """Something differs from what the caller has read: read it and decide again.

    Another process wrote first, or the condition of `If-Match` is not met.
    """


class InputError(ConnectorError):
    """A row or file is unusable; `where` names the file and line, never the content."""

    def __init__(self, code: str, /, *, where: str = "", **values: str | int) -> None:
        super().__init__(code, where=where, **values)
        self.where = where


class Unavailable(ConnectorError):
    """Mailchimp or Azure is temporarily unavailable.

    `retry_after` is the delay in seconds that the service asked for, if any. `maybe_applied` is true
    when the request may have taken effect although its response was lost. `throttled` is true when
    the service asked to slow down.
    """

    def __init__(
        self,
        code: str,
        /,
        *,
        retry_after: float | None = None,
        maybe_applied: bool = False,
        throttled: bool = False,
        **values: str | int,
    ) -> None:
        super().__init__(code, **values)
        self.retry_after = retry_after
        self.maybe_applied = maybe_applied
        self.throttled = throttled


class TimeUp(Unavailable):
    """No time is left of the HTTP request (request_time.py). It says nothing about the service."""


class Refused(ConnectorError):
    """Mailchimp refused permanently: `code` is the reason, `field` the field it named, if any.

    `answer` is what Mailchimp answered, without personal data. The message does not contain it.
    """

    def __init__(
        self,
        code: str,
        /,
        *,
        field: str = "",
        status: int | None = None,
        answer: str = "",
        **values: str | int,
    ) -> None:
        named = {"field": field, "status": status}
        super().__init__(code, **{name: one for name, one in named.items() if one}, **values)
        self.field = field
        self.status = status
        self.answer = answer


class Disconnected(Refused):
    """The grant is invalid (revoked, account disabled): someone must connect again."""
