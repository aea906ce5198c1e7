"""Access tokens for the Customer Insights API: of an export user, else of the app itself.

Of several export users the newest valid one is used. A user that Entra or Customer Insights refuses
is marked invalid: the connection then shows "add the export user again", and metadata comes from
the blobs alone until someone does.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from shared.connections.entra import Entra
from shared.errors import ConfigError, Disconnected, NotFound
from shared.messaging.events import log_event
from shared.model.connection import Connection
from shared.model.ports import Records, Secrets, Stored, update

_EARLY = timedelta(minutes=5)


@dataclass(frozen=True)
class _CachedToken:
    """An access token in memory; `name` and `since` identify the export user."""

    token: str
    until: datetime
    name: str
    since: datetime


class ExportUsers:
    """Issues access tokens. `app_token` returns the app's own token; None if it has no identity."""

    def __init__(
        self,
        connections: Records[Connection],
        secrets: Secrets,
        entra: Entra | None,
        app_token: Callable[[], str] | None,
        now: Callable[[], datetime],
    ) -> None:
        self._connections = connections
        self._secrets = secrets
        self._entra = entra
        self._app_token = app_token
        self._now = now
        self._cached: _CachedToken | None = None
        self._last: str | None = None
        self._from_cache = False

    def token(self) -> str:
        """Get an access token. ConfigError without an export user and app identity; Unavailable."""
        for connection in self._with_user():
            try:
                return self._token_of(connection)
            except Disconnected:
                self._mark(connection.id)
        self._last, self._from_cache = None, False
        if self._app_token is None:
            raise ConfigError("exportUserMissing")
        return self._app_token()

    def refused(self) -> None:
        """Record that Customer Insights refused the token that `token` returned last.

        A cached token is only dropped: a new one may be accepted.
        """
        from_cache, self._cached = self._from_cache, None
        if self._last is not None and not from_cache:
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
        cached, self._from_cache = self._cached, False
        if cached and (cached.name, cached.since) == (name, since) and self._now() < cached.until:
            self._from_cache = True
            return cached.token
        secret = self._secrets.get(name)
        if secret is None or self._entra is None:
            raise Disconnected("exportUserDisconnected")
        renewed = self._entra.renew(secret)
        # Entra may take seconds. Meanwhile, someone may have removed the export user, or added another one.
        if renewed.secret is not None and self._is_current(connection):
            self._secrets.put(name, renewed.secret)
        until = self._now() + timedelta(seconds=renewed.expires_in) - _EARLY
        self._cached = _CachedToken(renewed.token, until, name, since)
        return renewed.token

    def _is_current(self, connection: Connection) -> bool:
        stored = self._connections.read(connection.id)
        return stored is not None and stored.value.export_user == connection.export_user

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
    assert connection.export_user is not None  # noqa: S101 - callers pass connections with one
    return connection.export_user.added_at
