"""Tokens for Customer Insights: as an export user, renewed without asking them, else as the app.

Of several export users the newest valid one is taken. One whom Entra, or Customer Insights, does
not accept any more is marked: the connection then says "add the export user again", and metadata
comes from the blobs alone until somebody does.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Protocol

from shared.connections.entra import Renewed
from shared.errors import ConfigError, Disconnected, NotFound
from shared.messaging.events import log_event
from shared.model.connection import Connection
from shared.model.ports import Records, Stored, update

__all__ = ["ExportUsers", "Renewal", "SecretStore"]

_EARLY = timedelta(minutes=5)


class Renewal(Protocol):
    """Entra, as far as it renews (entra.py)."""

    def renew(self, secret: str) -> Renewed:
        """An access token for the person behind a secret. Disconnected; Unavailable."""


class SecretStore(Protocol):
    """Where the token caches lie, encrypted."""

    def get(self, name: str) -> str | None:
        """The secret, or None."""

    def put(self, name: str, value: str) -> None:
        """Keep a secret."""


@dataclass(frozen=True)
class _Held:
    """A token in memory; `name` and `since` tell whose it is."""

    token: str
    until: datetime
    name: str
    since: datetime


class ExportUsers:
    """Gives tokens. `app_token` gives the app's own, None where it has none."""

    def __init__(
        self,
        connections: Records[Connection],
        secrets: SecretStore,
        entra: Renewal | None,
        app_token: Callable[[], str] | None,
        now: Callable[[], datetime],
    ) -> None:
        self._connections = connections
        self._secrets = secrets
        self._entra = entra
        self._app_token = app_token
        self._now = now
        self._held: _Held | None = None
        self._last: str | None = None
        self._remembered = False

    def token(self) -> str:
        """An access token. ConfigError when there is nobody to ask as; Unavailable."""
        for connection in self._with_user():
            try:
                return self._token_of(connection)
            except Disconnected:
                self._mark(connection.id)
        self._last, self._remembered = None, False
        if self._app_token is None:
            raise ConfigError("exportUserMissing")
        return self._app_token()

    def refused(self) -> None:
        """Customer Insights did not accept the token that was given last.

        One that was remembered is only forgotten: the next may do.
        """
        remembered, self._held = self._remembered, None
        if self._last is not None and not remembered:
            self._mark(self._last)

    def _with_user(self) -> list[Connection]:
        if self._entra is None:
            return []
        found = [
            stored.value
            for stored in self._connections.all()
            if stored.value.export_user is not None and stored.value.export_user.valid
        ]
        return sorted(found, key=_added_at, reverse=True)

    def _token_of(self, connection: Connection) -> str:
        name, since = connection.export_user_secret_name, _added_at(connection)
        self._last = connection.id
        held, self._remembered = self._held, False
        if held and (held.name, held.since) == (name, since) and self._now() < held.until:
            self._remembered = True
            return held.token
        secret = self._secrets.get(name)
        if secret is None or self._entra is None:
            raise Disconnected("exportUserDisconnected")
        renewed = self._entra.renew(secret)
        if renewed.secret is not None:
            self._secrets.put(name, renewed.secret)
        until = self._now() + timedelta(seconds=renewed.expires_in) - _EARLY
        self._held = _Held(renewed.token, until, name, since)
        return renewed.token

    def _mark(self, connection_id: str) -> None:
        def lost(connection: Connection) -> Connection | None:
            user = connection.export_user
            if user is None or not user.valid:
                return None
            return replace(connection, export_user=replace(user, valid=False))

        try:
            after: Stored[Connection] = update(self._connections, connection_id, lost)
        except NotFound:
            return
        log_event("exportUser.lost", connectionId=after.key)


def _added_at(connection: Connection) -> datetime:
    assert connection.export_user is not None  # noqa: S101 - the callers chose such connections
    return connection.export_user.added_at
