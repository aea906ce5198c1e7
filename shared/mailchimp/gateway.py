"""Opens sessions with the Mailchimp account of a connection.

Each session reads the stored grant, so a new or deleted grant takes effect with the next session. The
stored data centre is validated again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from shared.errors import Disconnected
from shared.mailchimp.address import API_URL, api_base
from shared.mailchimp.session import MailchimpSession
from shared.mailchimp.transport import RetryPolicy, Transport, credential
from shared.model.connection import Connection, ConnectionStatus, GrantKind


@dataclass
class MailchimpGateway:
    """Opens sessions.

    `connection` returns a connection by id, `secret` a secret by name, or None. `clock` counts
    seconds; `random` returns a number from 0 to 1.
    """

    connection: Callable[[str], Connection | None]
    secret: Callable[[str], str | None]
    clock: Callable[[], float]
    sleep: Callable[[float], object]
    random: Callable[[], float]
    api_url: str = API_URL
    retry_policy: RetryPolicy | None = None

    def open(
        self, connection_id: str, on_throttled: Callable[[float], None] | None = None
    ) -> MailchimpSession:
        """Open a session with the grant of a connection. Disconnected when it has no valid grant.

        `on_throttled` is called whenever Mailchimp throttles a call, with the seconds to wait that its response
        names, or 0.
        """
        connection = self.connection(connection_id)
        if connection is None or connection.grant is None:
            raise Disconnected("notConnected")
        if connection.status is not ConnectionStatus.CONNECTED:
            raise Disconnected("reconnect")
        secret = self.secret(connection.secret_name)
        if not secret:
            raise Disconnected("secretMissing")
        grant = connection.grant
        return self.open_with(grant.kind, secret, grant.data_centre, on_throttled)

    def open_with(
        self,
        kind: GrantKind,
        secret: str,
        data_centre: str,
        on_throttled: Callable[[float], None] | None = None,
    ) -> MailchimpSession:
        """Open a session with a grant that is not stored yet, to check it."""
        transport = Transport(
            api_base(self.api_url, data_centre),
            credential(kind, secret),
            clock=self.clock,
            sleep=self.sleep,
            random=self.random,
            on_throttled=on_throttled,
            retry_policy=self.retry_policy,
        )
        return MailchimpSession(transport)
