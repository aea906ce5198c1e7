"""Opens sessions with the Mailchimp account of a connection.

Each session reads the stored grant, so a new or deleted grant takes effect with the next session. When Mailchimp
refuses the grant of a session, the session reads it again: someone may have replaced the key. The
stored data centre is validated each time.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from requests.auth import AuthBase

from shared.errors import Disconnected
from shared.mailchimp.api_url import API_URL, api_base
from shared.mailchimp.session import MailchimpSession
from shared.mailchimp.transport import RetryPolicy, Transport, credential
from shared.model.connection import Connection, ConnectionStatus, Grant, GrantKind


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
    retry_policy: RetryPolicy = RetryPolicy()  # noqa: RUF009 - frozen

    def open(
        self,
        connection_id: str,
        on_throttled: Callable[[float], None] | None = None,
    ) -> MailchimpSession:
        """Open a session with the grant of a connection. Disconnected when it has no valid grant.

        `on_throttled` is called whenever Mailchimp throttles a call, with the seconds to wait that its response
        names, or 0.
        """
        grant, secret = self._grant(connection_id)
        account_id, used = grant.account_id, (grant.kind, secret, grant.data_centre)

        def read_new_grant() -> tuple[str, AuthBase] | None:
            nonlocal used
            try:
                grant, secret = self._grant(connection_id)
            except Disconnected:
                return None
            current = (grant.kind, secret, grant.data_centre)
            if grant.account_id != account_id or current == used:
                return None
            used = current
            return api_base(self.api_url, grant.data_centre), credential(grant.kind, secret)

        return self._open(*used, on_throttled, read_new_grant)

    def _grant(self, connection_id: str) -> tuple[Grant, str]:
        """Read the grant of a connection and its secret. Disconnected when there is no valid one."""
        connection = self.connection(connection_id)
        if connection is None or connection.grant is None:
            raise Disconnected("notConnected")
        if connection.status is not ConnectionStatus.CONNECTED:
            raise Disconnected("reconnect")
        secret = self.secret(connection.secret_name)
        if not secret:
            raise Disconnected("secretMissing")
        return connection.grant, secret

    def open_with(self, kind: GrantKind, secret: str, data_centre: str) -> MailchimpSession:
        """Open a session with a grant that is not stored yet, to check it."""
        return self._open(kind, secret, data_centre, new_grant=True)

    def _open(
        self,
        kind: GrantKind,
        secret: str,
        data_centre: str,
        on_throttled: Callable[[float], None] | None = None,
        read_new_grant: Callable[[], tuple[str, AuthBase] | None] | None = None,
        *,
        new_grant: bool = False,
    ) -> MailchimpSession:
        transport = Transport(
            api_base(self.api_url, data_centre),
            credential(kind, secret),
            clock=self.clock,
            sleep=self.sleep,
            random=self.random,
            on_throttled=on_throttled,
            read_new_grant=read_new_grant,
            retry_policy=self.retry_policy,
            new_grant=new_grant,
        )
        return MailchimpSession(transport)
