"""What connections need of the world: a place for secrets, and Mailchimp's door.

A secret is opaque here: whoever checked the grant made it, and whoever opens sessions reads it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from shared.model.audience import Account
from shared.model.connection import ExportUser

__all__ = ["ApiKeyChecker", "CheckedGrant", "EntraSignIn", "OAuthSignIn", "Secrets"]


class Secrets(Protocol):
    """Secrets by name: Key Vault, or an encrypted file outside Azure."""

    def put(self, name: str, value: str) -> None:
        """Keep a secret, in place of the one of that name."""

    def delete(self, name: str) -> None:
        """Forget a secret; gone already is fine."""


@dataclass(frozen=True)
class CheckedGrant:
    """A grant that Mailchimp has just accepted, and whose account it is."""

    data_centre: str
    account: Account
    secret: str = field(repr=False)


class ApiKeyChecker(Protocol):
    """Mailchimp's door for API keys."""

    def check(self, api_key: str) -> CheckedGrant:
        """Call Mailchimp with a key `<key>-<dc>`.

        ConfigError when it does not look like a key or Mailchimp does not know it; Unavailable.
        """


class OAuthSignIn(Protocol):
    """Mailchimp's door for people: its sign-in page."""

    def authorize_url(self, state: str, redirect_uri: str) -> str:
        """Where to send the browser."""

    def redeem(self, code: str, redirect_uri: str) -> CheckedGrant:
        """Exchange a code, once. Refused when Mailchimp does not take it; Unavailable."""


class EntraSignIn(Protocol):
    """Entra's door for the person as whom Customer Insights is read."""

    def authorize_url(self, state: str, redirect_uri: str) -> str:
        """Where to send the browser."""

    def redeem(self, state: str, code: str, redirect_uri: str) -> tuple[ExportUser, str]:
        """Exchange a code, once: the person, and the secret to keep. Refused; Unavailable.

        `state` finds what the door remembers of the way out (PKCE verifier, nonce).
        """
