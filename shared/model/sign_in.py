"""Ports for signing in: API keys and OAuth at Mailchimp, export users at Entra.

A secret is opaque here: the adapter that checks a grant writes it, and the adapter that opens
sessions reads it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from shared.model.audience import Account
from shared.model.connection import ExportUser
from shared.model.ports import Secrets

__all__ = ["ApiKeyChecker", "CheckedGrant", "EntraSignIn", "OAuthSignIn", "Secrets"]


@dataclass(frozen=True)
class CheckedGrant:
    """A grant that Mailchimp has just accepted, and its account."""

    data_centre: str
    account: Account
    secret: str = field(repr=False)


class ApiKeyChecker(Protocol):
    """Checks Mailchimp API keys."""

    def check(self, api_key: str) -> CheckedGrant:
        """Call Mailchimp with an API key `<key>-<dc>`.

        ConfigError when the key is malformed or Mailchimp refuses it; Unavailable.
        """


class OAuthSignIn(Protocol):
    """Sign-in with Mailchimp by OAuth 2.0."""

    def authorize_url(self, state: str, redirect_uri: str) -> str:
        """The URL of the sign-in page to redirect to."""

    def redeem(self, code: str, redirect_uri: str) -> CheckedGrant:
        """Exchange an authorization code. Refused when Mailchimp refuses it; Unavailable."""


class EntraSignIn(Protocol):
    """Sign-in of export users with Entra."""

    def authorize_url(self, state: str, redirect_uri: str) -> str:
        """The URL of the sign-in page to redirect to."""

    def redeem(self, state: str, code: str, redirect_uri: str) -> tuple[ExportUser, str]:
        """Exchange an authorization code for the user and the secret to store.

        `state` finds the PKCE verifier and the nonce of the sign-in. Refused; Unavailable.
        """
