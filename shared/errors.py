"""What can go wrong, named after what to do about it.

    ConnectorError
    ├── ConfigError        a person must change a setting or a definition; names it
    │   ├── NotFound       what was asked for does not exist (HTTP 404)
    │   └── Conflict       it contradicts what is there; says with what (HTTP 409)
    ├── Changed            someone else wrote first: read again and decide again
    ├── InputError         this row or this file is unusable; says where and why
    ├── Unavailable        Mailchimp or Azure is busy or broken for now: try again later
    └── Refused            Mailchimp said no for good; code and field, never the body
        └── Disconnected   the grant is gone: the connection must be connected again

An error never carries an address, a name, a row's content or a vendor's answer: its text goes
into logs, run reports and HTTP answers.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

__all__ = [
    "Changed",
    "ConfigError",
    "Conflict",
    "ConnectorError",
    "Disconnected",
    "Fault",
    "InputError",
    "NotFound",
    "Refused",
    "Unavailable",
]


@dataclass(frozen=True)
class Fault:
    """One thing wrong with one field, as the HTTP interface reports it.

    `code` names the text that says it in the reader's language, `values` are what that text
    needs; without a code the message stands as it is.
    """

    field: str
    message: str
    code: str = ""
    values: Mapping[str, str] = dataclasses.field(default_factory=dict)


class ConnectorError(Exception):
    """The root of everything this project raises on purpose."""

    code: str

    def __init__(self, message: str, *, code: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.code = code or type(self).__name__


class ConfigError(ConnectorError):
    """A person must change a setting or a definition; the message names it.

    `faults` lists every field that is wrong, not just the first. `values` are what a translation
    of `code` needs (counts and names of exports, segments, tags).
    """

    def __init__(
        self,
        message: str,
        *,
        code: str = "",
        faults: Sequence[Fault] = (),
        values: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message, code=code)
        self.faults = tuple(faults)
        self.values = dict(values or {})


class NotFound(ConfigError):
    """What was asked for does not exist (any more)."""


class Conflict(ConfigError):
    """The request contradicts what is there; the message says with what."""


class Changed(ConnectorError):
    """A conditional write lost: read again and decide again."""


class InputError(ConnectorError):
    """This row or this file is unusable; `where` names the file (and line), never its content."""

    def __init__(
        self,
        message: str,
        *,
        code: str = "",
        where: str = "",
        values: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message, code=code)
        self.where = where
        self.values = {"where": where, **(values or {})}


class Unavailable(ConnectorError):
    """Mailchimp or Azure is busy or broken for now.

    `retry_after` is in seconds, when the other side said so. `maybe_applied` is true when the
    request may have taken effect although no usable answer came back. `throttled` is true when
    the other side asked to slow down.
    """

    def __init__(
        self,
        message: str,
        *,
        code: str = "",
        retry_after: float | None = None,
        maybe_applied: bool = False,
        throttled: bool = False,
    ) -> None:
        super().__init__(message, code=code)
        self.retry_after = retry_after
        self.maybe_applied = maybe_applied
        self.throttled = throttled


class Refused(ConnectorError):
    """Mailchimp said no for good: `code` says which no, `field` which field, when one is named."""

    def __init__(
        self, message: str, *, code: str = "", field: str = "", status: int | None = None
    ) -> None:
        super().__init__(message, code=code)
        self.field = field
        self.status = status


class Disconnected(Refused):
    """The grant is gone (revoked, account disabled): someone must connect again."""
