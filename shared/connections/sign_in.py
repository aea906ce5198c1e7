"""Sign-in at Mailchimp or Entra through the browser.

The callback is accepted if its state is signed, recent and unused, and the person who started the sign-in returns. If a
browser started it, the callback also needs the cookie of this browser; a program with a token starts it without one.
The redirect URI is a setting, never an input.
https://www.rfc-editor.org/rfc/rfc9700#section-4.7
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from shared.connections.connections import Connections
from shared.connections.entra import Entra
from shared.connections.sign_in_state import SignedStates
from shared.errors import ConfigError
from shared.mailchimp.oauth import MailchimpSignIn
from shared.model.connection import Connection, GrantKind
from shared.model.ports import Stored

CALLBACKS = "/api/oauth"
"""The path under which all callbacks are."""


class Provider(StrEnum):
    """Whose page a person signs in on."""

    MAILCHIMP = "mailchimp"
    ENTRA = "entra"

    @property
    def callback(self) -> str:
        """The path of the app to which its page returns."""
        return f"{CALLBACKS}/{self}/callback"


@dataclass(frozen=True)
class AuthorizationRequest:
    """The URL of a sign-in page, and the cookie value that the callback must present; "" if it needs none."""

    url: str
    cookie: str = field(repr=False)


@dataclass(frozen=True)
class SignIns:
    """Signs in with Mailchimp and Entra. `public_url` is the app's own URL without trailing slash.

    A sign-in that is None is not configured: ConfigError when it is used.
    """

    connections: Connections
    states: SignedStates
    public_url: str
    mailchimp: MailchimpSignIn | None
    entra: Entra | None

    def begin(
        self, provider: Provider, connection_id: str, principal_id: str, *, in_browser: bool
    ) -> AuthorizationRequest:
        """Begin a sign-in with Mailchimp or Entra. `in_browser`: the browser of the person sent this request."""
        sign_in = (
            self._mailchimp_sign_in() if provider is Provider.MAILCHIMP else self._entra_sign_in()
        )
        self.connections.read(connection_id)
        state, cookie = self.states.issue(
            provider, connection_id, principal_id, in_browser=in_browser
        )
        return AuthorizationRequest(
            sign_in.authorize_url(state, self.public_url + provider.callback), cookie
        )

    def finish_mailchimp(
        self, state: str, code: str, cookie: str, principal_id: str, by: str
    ) -> Stored[Connection]:
        """Finish a sign-in with Mailchimp and store the grant. ConfigError for an invalid state."""
        sign_in = self._mailchimp_sign_in()
        connection_id = self.states.redeem(state, Provider.MAILCHIMP, principal_id, cookie)
        checked = sign_in.redeem(code, self.public_url + Provider.MAILCHIMP.callback)
        return self.connections.connect(connection_id, checked, GrantKind.OAUTH, by)

    def finish_entra(
        self, state: str, code: str, cookie: str, principal_id: str, by: str
    ) -> Stored[Connection]:
        """Finish a sign-in with Entra and store the person as the export user."""
        sign_in = self._entra_sign_in()
        connection_id = self.states.redeem(state, Provider.ENTRA, principal_id, cookie)
        user, secret = sign_in.redeem(state, code, self.public_url + Provider.ENTRA.callback)
        return self.connections.add_export_user(connection_id, user, secret, by)

    def _mailchimp_sign_in(self) -> MailchimpSignIn:
        if self.mailchimp is None:
            raise ConfigError("mailchimpClientMissing")
        return self.mailchimp

    def _entra_sign_in(self) -> Entra:
        if self.entra is None:
            raise ConfigError("entraClientMissing")
        return self.entra
