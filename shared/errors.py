"""What can go wrong, named after what to do about it.

    ConnectorError
    ├── ConfigError        a person must change a setting or a definition; names it
    │   ├── NotFound       what was asked for does not exist (HTTP 404)
    │   └── Conflict       it contradicts what is there; says with what (HTTP 409)
    ├── Forbidden          the caller may not do this (HTTP 403)
    ├── Changed            someone else wrote first: read again and decide again
    ├── InputError         this row or this file is unusable; says where and why
    ├── Unavailable        Mailchimp or Azure is busy or broken for now: try again later
    └── Refused            Mailchimp said no for good; code and field, never the body
        └── Disconnected   the grant is gone: the connection must be connected again

An error has a code and values; its text is in `messages/<locale>.json`. An error never carries an
address, a name, a row's content or a vendor's answer: its text goes into logs, run reports and HTTP
answers.

    raise ConfigError("tagNameRefused", tag=name)
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from shared.messages.catalogue import text

__all__ = [
    "Changed",
    "ConfigError",
    "Conflict",
    "ConnectorError",
    "Disconnected",
    "Fault",
    "Forbidden",
    "InputError",
    "NotFound",
    "Refused",
    "Unavailable",
]


@dataclass(frozen=True)
class Fault:
    """One thing wrong with one field, as the HTTP interface reports it."""

    field: str
    message: str = ""
    code: str = ""
    values: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.message:
            object.__setattr__(self, "message", text(self.code, "en", self.values))


class ConnectorError(Exception):
    """The root of everything this project raises on purpose.

    `code` names the text, the keywords are the values of its placeholders.
    """

    # Until every call has a code first: `Error("A sentence.", code="x", values={...})` works, too.
    def __init__(self, code: str, /, **values: object) -> None:
        own = values.pop("code", None)
        given = values.pop("values", None)
        self._sentence = ""
        if own is not None or not code.isidentifier():
            self._sentence = code
            code = str(own or type(self).__name__)
        if isinstance(given, Mapping):
            values.update(given)
        super().__init__(code)
        self.code = code
        self.values = {name: str(value) for name, value in values.items()}

    @property
    def message(self) -> str:
        """The English text."""
        return self._sentence or text(self.code, "en", self.values)

    def __str__(self) -> str:
        return self.message


class ConfigError(ConnectorError):
    """A person must change a setting or a definition; the message names it.

    `faults` lists every field that is wrong, not just the first.
    """

    def __init__(self, code: str, /, *, faults: Sequence[Fault] = (), **values: object) -> None:
        super().__init__(code, **values)
        self.faults = tuple(faults)

    def __str__(self) -> str:
        """The English text and every fault, for logs."""
        faults = [f"{fault.field}: {fault.message}" for fault in self.faults]
        return " ".join((self.message, *faults))


class NotFound(ConfigError):
    """What was asked for does not exist (any more)."""


class Conflict(ConfigError):
    """The request contradicts what is there; the message says with what."""


class Forbidden(ConnectorError):
    """The caller may not do this."""


class Changed(ConnectorError):
    """A conditional write lost: read again and decide again."""


class InputError(ConnectorError):
    """This row or this file is unusable; `where` names the file (and line), never its content."""

    def __init__(self, code: str, /, *, where: str = "", **values: object) -> None:
        super().__init__(code, where=where, **values)
        self.where = where


class Unavailable(ConnectorError):
    """Mailchimp or Azure is busy or broken for now.

    `retry_after` is in seconds, when the other side said so. `maybe_applied` is true when the
    request may have taken effect although no usable answer came back. `throttled` is true when
    the other side asked to slow down.
    """

    def __init__(
        self,
        code: str,
        /,
        *,
        retry_after: float | None = None,
        maybe_applied: bool = False,
        throttled: bool = False,
        **values: object,
    ) -> None:
        super().__init__(code, **values)
        self.retry_after = retry_after
        self.maybe_applied = maybe_applied
        self.throttled = throttled


class Refused(ConnectorError):
    """Mailchimp said no for good: `code` says which no, `field` which field, when one is named."""

    def __init__(
        self, code: str, /, *, field: str = "", status: int | None = None, **values: object
    ) -> None:
        named = {"field": field, "status": status}
        super().__init__(code, **{name: one for name, one in named.items() if one}, **values)
        self.field = field
        self.status = status


class Disconnected(Refused):
    """The grant is gone (revoked, account disabled): someone must connect again."""
