"""Checks API keys and other grants.

The account is read from Mailchimp before anything is stored. Its id identifies connections that share one
account.
https://mailchimp.com/developer/marketing/guides/quick-start/#generate-your-api-key
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from shared.errors import ConfigError, Disconnected, Fault, NotFound, Refused
from shared.mailchimp.api_url import checked_data_centre
from shared.mailchimp.session import MailchimpSession
from shared.model.audience import Account
from shared.model.connection import CheckedGrant, GrantKind
from shared.model.ids import is_id

OpenSession = Callable[[GrantKind, str, str], MailchimpSession]
"""Opens a session with a grant, its secret and its data centre: MailchimpGateway.open_with."""

# The part before the data centre is opaque (32 hexadecimal digits at present).
_KEY = re.compile(r"[A-Za-z0-9._~-]{1,250}-([a-z]{2}[0-9]{1,3})")


@dataclass(frozen=True)
class MailchimpApiKeys:
    """Checks API keys of the form `<key>-<dc>`, as Mailchimp shows them."""

    open_session: OpenSession

    def check(self, api_key: str) -> CheckedGrant:
        """Read the account of a key. ConfigError for the field `apiKey`; Unavailable."""
        api_key = api_key.strip()
        found = _KEY.fullmatch(api_key)
        if not found:
            raise _wrong_key("apiKeyForm")
        try:
            return check_grant(self.open_session, GrantKind.API_KEY, api_key, found[1])
        except Refused as error:
            about_key = isinstance(error, Disconnected) and error.code != "accountDisabled"
            raise _wrong_key("apiKeyRefused" if about_key else error.code, error.values) from error


def check_grant(
    open_session: OpenSession, kind: GrantKind, secret: str, data_centre: str
) -> CheckedGrant:
    """Read the account of a grant that is not stored yet. ConfigError for an invalid data centre; Unavailable."""
    session = open_session(kind, secret, checked_data_centre(data_centre))
    try:
        session.ping()
        return CheckedGrant(data_centre, _account(session, secret), secret)
    finally:
        session.close()


def _account(session: MailchimpSession, secret: str) -> Account:
    """Read the account of a grant. Without a valid id, a hash of the secret identifies it."""
    try:
        account = session.account()
    except Disconnected:
        raise
    except (NotFound, Refused):
        account = Account("", "")
    if is_id(account.id):
        return account
    return replace(account, id=hashlib.sha256(secret.encode()).hexdigest()[:24])


def _wrong_key(code: str, values: Mapping[str, str] = {}) -> ConfigError:
    return ConfigError(code, faults=[Fault("apiKey", code, values)], **values)
