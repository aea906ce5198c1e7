"""Ports for connecting to Mailchimp: API keys and OAuth sign-in.

A secret is opaque here: the adapter that checks a grant writes it, and the adapter that opens
sessions reads it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from shared.model.audience import Account

__all__ = ["ApiKeyChecker", "CheckedGrant", "OAuthSignIn"]


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
