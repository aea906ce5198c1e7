"""Create, share, disconnect and remove connections to Mailchimp accounts.

A connection records who consented to sending data to Mailchimp, when, and to which version of the
consent text. A connection that exports use can only be removed together with their reference to it.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime

from shared.errors import Changed, ConfigError, Conflict, Fault, NotFound
from shared.exports.definitions import Definitions
from shared.model.connection import (
    CheckedGrant,
    Connection,
    ConnectionStatus,
    Consent,
    ExportUser,
    Grant,
    GrantKind,
)
from shared.model.ports import Records, Secrets, Stored, readable, update
from shared.request_time import refuse_late_change

# Increases whenever the meaning of the consent text changes (web/locales/*/consent.json). A stored
# consent keeps the version that the person saw.
CONSENT_TEXT_VERSION = "2026-11"


@dataclass(frozen=True)
class Connections:
    """Reads and changes connections. `now` returns UTC times."""

    records: Records[Connection]
    secrets: Secrets
    definitions: Definitions
    now: Callable[[], datetime]
    new_id: Callable[[], str]

    def read(self, connection_id: str) -> Stored[Connection]:
        """Read a connection. NotFound when it does not exist."""
        stored = self.records.read(connection_id)
        if stored is None:
            raise NotFound("connectionNotFound")
        return stored

    def find(self, connection_id: str | None) -> Connection | None:
        """Read a connection that may have been removed."""
        stored = self.records.read(connection_id) if connection_id else None
        return stored.value if stored else None

    def all(self) -> list[Connection]:
        """Read all connections, sorted by name."""
        found = (stored.value for stored in readable(self.records.all()))
        return sorted(found, key=lambda each: (each.display_name.casefold(), each.id))

    def create(
        self, display_name: str, agreed: bool, locale: str, shared_with: tuple[str, ...], by: str
    ) -> Stored[Connection]:
        """Create a connection without a grant. ConfigError unless the person agreed."""
        if missing := consent_faults(agreed):
            raise ConfigError("consentRequired", faults=missing)
        now = self.now()
        connection = Connection(
            id=self.new_id(),
            display_name=display_name,
            consent=Consent(by, now, locale, CONSENT_TEXT_VERSION),
            shared_with=shared_with,
            created_at=now,
            created_by=by,
            updated_at=now,
            updated_by=by,
        )
        return self.records.create(connection.id, connection)

    def change(
        self,
        connection_id: str,
        display_name: str,
        shared_with: tuple[str, ...],
        by: str,
        etag: str | None = None,
    ) -> Stored[Connection]:
        """Change the name and the users of a connection. Changed when `etag` is outdated."""

        def changed(current: Connection) -> Connection:
            return replace(current, display_name=display_name, shared_with=shared_with)

        return self._write(connection_id, changed, by, etag)

    def connect(
        self, connection_id: str, checked: CheckedGrant, kind: GrantKind, by: str
    ) -> Stored[Connection]:
        """Store a grant that Mailchimp has accepted.

        Conflict when exports use the connection and it is, or was before someone disconnected it, for another account:
        the audiences of the exports do not exist in the new one.
        """
        before = self.read(connection_id).value
        used, new = before.account, checked.account
        if used and used.id != new.id and (exports := self._used_by(before)):
            has_same_name = used.name == new.name
            raise Conflict(
                "otherAccount",
                exports=exports,
                used=f"{used.name} ({used.id})" if has_same_name else used.name,
                account=f"{new.name} ({new.id})" if has_same_name else new.name,
            )
        grant = Grant(
            kind=kind,
            data_centre=checked.data_centre,
            account_id=checked.account.id,
            account_name=checked.account.name,
            role=checked.account.role,
            granted_at=self.now(),
            granted_by=by,
        )

        def connected(current: Connection) -> Connection:
            return replace(
                current, status=ConnectionStatus.CONNECTED, grant=grant, former_account=None
            )

        return self._write_secret(before.id, before.secret_name, checked.secret, connected, by)

    def disconnect(self, connection_id: str, by: str) -> Stored[Connection]:
        """Delete the grant; exports that use the connection stop.

        The token is not revoked at Mailchimp: another connection to the account may use it.
        """
        connection = self.read(connection_id).value
        self.secrets.delete(connection.secret_name)
        return self._write(connection_id, _without_grant, by)

    def add_export_user(
        self, connection_id: str, user: ExportUser, secret: str, by: str
    ) -> Stored[Connection]:
        """Store the user on whose behalf Customer Insights is read, and replace an earlier one."""
        name = self.read(connection_id).value.export_user_secret_name

        def added(current: Connection) -> Connection:
            return replace(current, export_user=user)

        return self._write_secret(connection_id, name, secret, added, by)

    def drop_export_user(self, connection_id: str, by: str) -> Stored[Connection]:
        """Delete the export user and their token."""
        self.secrets.delete(self.read(connection_id).value.export_user_secret_name)
        return self._write(connection_id, lambda c: replace(c, export_user=None), by)

    def remove(
        self,
        connection_id: str,
        by: str,
        *,
        detach_exports: bool,
        etag: str | None = None,
        detached: Callable[[str], object] = lambda _: None,
        removed: Callable[[Connection], object] = lambda _: None,
    ) -> None:
        """Remove a connection. `detached` is called with the id of each export that was detached from it.

        `removed` is called with the connection before the last steps, which may fail.
        Without `detach_exports`, Conflict names the exports that use it. TimeUp if there are more exports than an HTTP
        request has time for; the next request detaches the others.
        """
        stored = self.read(connection_id)
        connection = stored.value
        if etag is not None and stored.etag != etag:
            raise Changed("connectionChanged")
        if not detach_exports and (exports := self._used_by(connection)):
            raise Conflict("connectionUsed", exports=exports)
        using = self.definitions.using(connection_id, complete=True)
        for export in using:
            self.definitions.refuse_busy(export)  # before the first one is detached
        for export in using:
            refuse_late_change()
            self.definitions.detach(export.id, by)
            detached(export.id)
        # This write fails if someone else changed the connection, before anything is deleted. The record stays until the
        # secrets are deleted, so that a deletion that was killed can be repeated.
        self._write(connection_id, lambda c: replace(_without_grant(c), export_user=None), by, etag)
        self._delete_secrets(connection)
        self.records.delete(connection_id)
        removed(connection)
        # Again, because someone may have stored a secret before the record was deleted.
        self._delete_secrets(connection)
        # An export that was written meanwhile. One that is written later finds no connection.
        for export in self.definitions.using(connection_id):
            with suppress(Conflict, NotFound):
                self.definitions.detach(export.id, by)
                detached(export.id)

    def _delete_secrets(self, connection: Connection) -> None:
        self.secrets.delete(connection.secret_name)
        self.secrets.delete(connection.export_user_secret_name)

    def _used_by(self, connection: Connection) -> str:
        return ", ".join(e.display_name for e in self.definitions.using(connection.id))

    def _write_secret(
        self,
        connection_id: str,
        name: str,
        secret: str,
        change: Callable[[Connection], Connection],
        by: str,
    ) -> Stored[Connection]:
        """Store a secret, and then change the connection, which must not name a secret that does not exist."""
        self.secrets.put(name, secret)
        try:
            return self._write(connection_id, change, by)
        except NotFound:
            self.secrets.delete(name)  # the connection was removed meanwhile
            raise

    def _write(
        self,
        connection_id: str,
        change: Callable[[Connection], Connection],
        by: str,
        etag: str | None = None,
    ) -> Stored[Connection]:
        def changed(current: Connection) -> Connection:
            return replace(change(current), updated_at=self.now(), updated_by=by)

        if etag is None:
            try:
                return update(self.records, connection_id, changed)
            except NotFound:
                raise NotFound("connectionNotFound") from None
        stored = self.read(connection_id)
        if stored.etag != etag:
            raise Changed("connectionChanged")
        try:
            return self.records.replace(connection_id, changed(stored.value), etag)
        except Changed:
            raise Changed("connectionChanged") from None


def _without_grant(connection: Connection) -> Connection:
    return replace(
        connection,
        status=ConnectionStatus.NOT_CONNECTED,
        grant=None,
        former_account=connection.account,
    )


def consent_faults(agreed: bool) -> tuple[Fault, ...]:
    """The fault of a person who did not agree that data is sent to Mailchimp; none if they agreed."""
    return () if agreed else (Fault("consent.agreed", code="consentRequired"),)


def mark_reconnect(records: Records[Connection], connection_id: str) -> None:
    """Mark a connection whose grant Mailchimp refuses: someone must connect it again.

    NotFound when the connection does not exist.
    """

    def refused(current: Connection) -> Connection | None:
        if current.status is not ConnectionStatus.CONNECTED:
            return None
        return replace(current, status=ConnectionStatus.RECONNECT)

    update(records, connection_id, refused)
