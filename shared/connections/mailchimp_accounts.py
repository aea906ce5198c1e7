"""The Mailchimp account of a connection, for the steps of a run."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

from shared.connections.connections import mark_reconnect
from shared.errors import NotFound
from shared.messaging.events import log_event
from shared.model.connection import Connection
from shared.model.ports import Records


@dataclass(frozen=True)
class MailchimpAccounts:
    """Finds the account of a connection, and records that Mailchimp refuses its grant."""

    connections: Records[Connection]

    def connection(self, connection_id: str) -> Connection | None:
        """Read a connection that may have been removed."""
        stored = self.connections.read(connection_id)
        return stored.value if stored else None

    def account_of(self, connection_id: str) -> str:
        """Return the id of the account of a connection. NotFound when it was removed."""
        connection = self.connection(connection_id)
        if connection is None:
            raise NotFound("connectionNotFound")
        # A connection without a grant makes no calls, so its own id can be used until it has one.
        return connection.grant.account_id if connection.grant else connection.id

    def connection_lost(self, connection_id: str) -> None:
        """Record that Mailchimp refuses the grant, so a person has to connect the account again."""
        log_event("connection.lost", connectionId=connection_id)
        with suppress(NotFound):  # the connection was removed while a run used it
            mark_reconnect(self.connections, connection_id)
