"""Opens sessions to the Mailchimp account behind a connection.

A session is opened with what is stored now: a connection that was connected again or forgotten
meanwhile takes effect with the next session. The stored data centre is checked again.
"""

from __future__ import annotations

from collections.abc import Callable

from shared.errors import Disconnected
from shared.mailchimp.address import API_URL, api_base
from shared.mailchimp.session import Session
from shared.mailchimp.transport import Patience, Transport, credential
from shared.model.connection import Connection, ConnectionStatus, GrantKind

__all__ = ["MailchimpGateway"]


class MailchimpGateway:
    """Implements the Protocol Mailchimp.

    `connection` gives a connection by its id, `secret` a secret by its name; both None when
    there is none. `clock` counts seconds, `random` gives a number from 0 to 1.
    """

    def __init__(
        self,
        connection: Callable[[str], Connection | None],
        secret: Callable[[str], str | None],
        *,
        clock: Callable[[], float],
        sleep: Callable[[float], object],
        random: Callable[[], float],
        api_url: str = API_URL,
        patience: Patience | None = None,
    ) -> None:
        self._connection = connection
        self._secret = secret
        self._clock = clock
        self._sleep = sleep
        self._random = random
        self._api_url = api_url
        self._patience = patience

    def open(self, connection_id: str, on_throttled: Callable[[], None] | None = None) -> Session:
        """A session with the connection's own grant. Disconnected when there is none."""
        connection = self._connection(connection_id)
        if connection is None or connection.grant is None:
            raise Disconnected("notConnected")
        if connection.status is not ConnectionStatus.CONNECTED:
            raise Disconnected("reconnect")
        secret = self._secret(connection.secret_name)
        if not secret:
            raise Disconnected("secretMissing")
        grant = connection.grant
        return self.open_with(grant.kind, secret, grant.data_centre, on_throttled)

    def open_with(
        self,
        kind: GrantKind,
        secret: str,
        data_centre: str,
        on_throttled: Callable[[], None] | None = None,
    ) -> Session:
        """A session with a grant that is not stored yet, to check it."""
        transport = Transport(
            api_base(self._api_url, data_centre),
            credential(kind, secret),
            clock=self._clock,
            sleep=self._sleep,
            random=self._random,
            on_throttled=on_throttled,
            patience=self._patience,
        )
        return Session(transport)
