"""What a person should know about a run: its findings, and the reason of its status."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum

from shared.errors import ConnectorError
from shared.messages.catalogue import text


class Severity(StrEnum):
    """How much a finding matters."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True)
class Finding:
    """Something a person should know about a run.

    `code` names its text in `messages/`, `values` are the values of the text's placeholders: counts
    and names of segments, tags and fields, never of a person. `message` is the English text; a
    version that does not know the code shows it.
    """

    severity: Severity
    code: str
    values: dict[str, str] = field(default_factory=dict)
    message: str = ""

    def __post_init__(self) -> None:
        if not self.message:
            object.__setattr__(self, "message", text(self.code, "en", self.values))


def number_in(findings: Iterable[Finding], code: str, value: str) -> int:
    """The sum of a value of the findings with a code; 0 without one."""
    return sum(int(one.values[value]) for one in findings if one.code == code)


@dataclass(frozen=True)
class Reason:
    """Why a run was skipped, failed, stopped or waits. The fields are those of Finding."""

    code: str
    values: dict[str, str] = field(default_factory=dict)
    message: str = ""

    def __post_init__(self) -> None:
        if not self.message:
            object.__setattr__(self, "message", text(self.code, "en", self.values))

    @classmethod
    def of(cls, error: ConnectorError) -> Reason:
        """The error as the reason of a run."""
        return cls(error.code, error.values)
