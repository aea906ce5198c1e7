"""Connecting through a browser: out to the sign-in page of Mailchimp or Entra, and back.

The way back is proved three times: the state is signed and short-lived, it works once, and it
comes from the browser that left (its cookie) and the person who left. The address to come back
to is a setting, never an input.
https://www.rfc-editor.org/rfc/rfc9700#section-4.7
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from shared.connections.connections import Connections
from shared.errors import ConfigError
from shared.model.connection import Connection, GrantKind
from shared.model.ports import Stored
from shared.model.sign_in import EntraSignIn, OAuthSignIn

__all__ = ["Departure", "SignInStates", "SignIns"]

MAILCHIMP_CALLBACK = "/api/oauth/mailchimp/callback"
ENTRA_CALLBACK = "/api/oauth/entra/callback"


@dataclass(frozen=True)
class Departure:
    """Where to send the browser, and the value of the cookie that proves its return."""

    url: str
    cookie: str = field(repr=False)


class SignInStates(Protocol):
    """Signed, short-lived, single-use states, bound to a browser."""

    def issue(self, purpose: str, connection_id: str, principal_id: str) -> tuple[str, str]:
        """A new state, and the cookie value that belongs to it."""

    def redeem(self, state: str, purpose: str, principal_id: str, cookie: str) -> str:
        """The connection id of a state, once. ConfigError for one that is not good (any more)."""


@dataclass(frozen=True)
class SignIns:
    """Both sign-ins. `public_url` is the app's own address, without a slash at its end.

    A door that is None is not configured: going there raises ConfigError.
    """

    connections: Connections
    states: SignInStates
    public_url: str
    mailchimp: OAuthSignIn | None = None
    entra: EntraSignIn | None = None

    def begin_mailchimp(self, connection_id: str, principal_id: str) -> Departure:
        """Leave for Mailchimp's sign-in page."""
        door = self._mailchimp_door()
        self.connections.read(connection_id)
        state, cookie = self.states.issue("mailchimp", connection_id, principal_id)
        return Departure(door.authorize_url(state, self.public_url + MAILCHIMP_CALLBACK), cookie)

    def finish_mailchimp(
        self, state: str, code: str, cookie: str, principal_id: str, by: str
    ) -> Stored[Connection]:
        """Come back from Mailchimp and keep the grant. ConfigError for a state that is not good."""
        door = self._mailchimp_door()
        connection_id = self.states.redeem(state, "mailchimp", principal_id, cookie)
        checked = door.redeem(code, self.public_url + MAILCHIMP_CALLBACK)
        return self.connections.connect(connection_id, checked, GrantKind.OAUTH, by)

    def begin_entra(self, connection_id: str, principal_id: str) -> Departure:
        """Leave for Entra's sign-in page."""
        door = self._entra_door()
        self.connections.read(connection_id)
        state, cookie = self.states.issue("entra", connection_id, principal_id)
        return Departure(door.authorize_url(state, self.public_url + ENTRA_CALLBACK), cookie)

    def finish_entra(
        self, state: str, code: str, cookie: str, principal_id: str, by: str
    ) -> Stored[Connection]:
        """Come back from Entra: this person is the export user now."""
        door = self._entra_door()
        connection_id = self.states.redeem(state, "entra", principal_id, cookie)
        user, secret = door.redeem(state, code, self.public_url + ENTRA_CALLBACK)
        return self.connections.add_export_user(connection_id, user, secret, by)

    def _mailchimp_door(self) -> OAuthSignIn:
        if self.mailchimp is None:
            raise ConfigError("mailchimpClientMissing")
        return self.mailchimp

    def _entra_door(self) -> EntraSignIn:
        if self.entra is None:
            raise ConfigError("entraClientMissing")
        return self.entra
