"""What the web needs of the house: app.py fills one `Desk` and hands it in.

Use cases that are not there are None; their routes are then neither served nor described.
"""
# ruff: noqa: D102 - the properties of these values mean what they are called

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from shared.connections.connections import Connections
from shared.connections.sign_in import SignIns, SignInStates
from shared.errors import NotFound
from shared.exports.definitions import Definitions
from shared.model.connection import Connection
from shared.model.export import Export, Schedule
from shared.model.ports import MailchimpSession, Records
from shared.model.run import ACTIVE, Mode, Reason, Run, RunStatus, Trigger
from shared.model.sign_in import ApiKeyChecker, EntraSignIn, OAuthSignIn, Secrets
from shared.runs.outcomes import OutcomeRow
from shared.web.audit import AuditEntry
from shared.web.principal import Doorkeeper

__all__ = [
    "AttributeInfo",
    "Catalogue",
    "Desk",
    "Receipt",
    "RefreshJob",
    "SegmentInfo",
    "SegmentList",
    "Sighting",
]


class SegmentInfo(Protocol):
    """A segment that can be exported."""

    @property
    def name(self) -> str: ...
    @property
    def display_name(self) -> str: ...
    @property
    def member_count(self) -> int | None: ...
    @property
    def refreshed_at(self) -> datetime | None: ...
    @property
    def complete(self) -> bool: ...
    @property
    def reason(self) -> Reason | None: ...


class SegmentList(Protocol):
    """Every segment, and why others may be missing."""

    @property
    def segments(self) -> Sequence[SegmentInfo]: ...
    @property
    def faults(self) -> Sequence[Reason]: ...


class AttributeInfo(Protocol):
    """An attribute of the unified profile; `suggested_for` is email, firstName, lastName or None."""

    @property
    def name(self) -> str: ...
    @property
    def data_type(self) -> str: ...
    @property
    def semantic_type(self) -> str | None: ...
    @property
    def suggested_for(self) -> str | None: ...


class MailchimpSessions(Protocol):
    """Opens sessions with Mailchimp accounts for requests."""

    def for_request(self, connection_id: str) -> AbstractContextManager[MailchimpSession]:
        """A session while the context lasts. Unavailable when no connection becomes free."""


class RefreshJob(Protocol):
    """A refresh of Customer Insights itself, as its REST API tells."""

    @property
    def id(self) -> str: ...
    @property
    def operation(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def status(self) -> str: ...
    @property
    def ended_at(self) -> datetime | None: ...


class Catalogue(Protocol):
    """What Customer Insights has written so far."""

    def listing(self) -> SegmentList:
        """Every segment, by name, and what could not be looked into. Unavailable, ConfigError."""

    def attributes(self, segment: str | None) -> Sequence[AttributeInfo]:
        """The attributes of a segment, or of all. NotFound for a segment that is not there."""


class Sighting(Protocol):
    """What one export knows of an address, and why the person is (not) in Mailchimp."""

    @property
    def export_id(self) -> str: ...
    @property
    def export_name(self) -> str: ...
    @property
    def segments(self) -> Sequence[str]: ...
    @property
    def in_audience(self) -> str: ...
    @property
    def outcome(self) -> str: ...
    @property
    def code(self) -> str: ...
    @property
    def at(self) -> datetime | None: ...


class Receipt(Protocol):
    """What was removed of a person, by count."""

    @property
    def id(self) -> str: ...
    @property
    def at(self) -> datetime: ...
    @property
    def exports(self) -> int: ...
    @property
    def records(self) -> int: ...
    @property
    def deleted_in_mailchimp(self) -> int: ...
    @property
    def waits_for(self) -> Sequence[str]: ...


@dataclass(frozen=True)
class Desk:
    """Everything the web works with.

    `run` gives live progress; `runs(export_id, status, top)` is newest first, None = any.
    `start` gives the active run again while there is one. `disconnected` stops the runs of exports
    whose connection was taken away. Use cases raise errors of errors.py.
    """

    doorkeeper: Doorkeeper
    connections: Records[Connection]
    exports: Records[Export]
    audit: Records[AuditEntry]
    schedule: Records[Schedule]
    secrets: Secrets
    mailchimp: MailchimpSessions
    catalogue: Catalogue
    key_door: ApiKeyChecker
    clock: Callable[[], datetime]
    new_id: Callable[[], str]
    start: Callable[[str, Trigger, Mode, str], Run]
    run_all: Callable[[str], list[Run]]
    run: Callable[[str], Run]
    runs: Callable[[str | None, RunStatus | None, int], list[Run]]
    cancel: Callable[[str, str], Run]
    confirm: Callable[[str, str], Run]
    retry: Callable[[str, str], Run]
    outcomes: Callable[[str, str | None], Iterator[OutcomeRow]]
    undo: Callable[[str, str, bool], Run] | None = None
    refresh_jobs: Callable[[], Sequence[RefreshJob]] | None = None
    search: Callable[[str], Sequence[Sighting]] | None = None
    erase: Callable[[str, bool, str], Receipt] | None = None
    export_removed: Callable[[str], object] = lambda _: None
    disconnected: Callable[[Collection[str]], object] = lambda _: None
    sign_in_states: SignInStates | None = None
    mailchimp_door: OAuthSignIn | None = None
    entra_door: EntraSignIn | None = None
    public_url: str = ""
    max_profiles: int = 1_000_000

    @property
    def definitions(self) -> Definitions:
        """The export definitions."""
        return Definitions(
            self.exports, self._is_busy, self.clock, self.new_id, self.export_removed
        )

    @property
    def connections_kept(self) -> Connections:
        """The connections."""
        return Connections(
            self.connections, self.secrets, self.definitions, self.clock, self.new_id
        )

    def sign_ins(self) -> SignIns:
        """The ways out to the sign-in pages and back. NotFound where there are none."""
        if self.sign_in_states is None:
            message = "There is no sign-in here."
            raise NotFound(message, code="signInOff")
        return SignIns(
            self.connections_kept,
            self.sign_in_states,
            self.public_url,
            self.mailchimp_door,
            self.entra_door,
        )

    def last_run(self, export_id: str) -> Run | None:
        """The newest run of an export, of any kind."""
        return next(iter(self.runs(export_id, None, 1)), None)

    def _is_busy(self, export_id: str) -> bool:
        return any(run.status in ACTIVE for run in self.runs(export_id, None, 5))
