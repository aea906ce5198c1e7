"""A connection: a person's consent, and a grant for one Mailchimp account.

The secret of the grant (token or API key) is in the secret store under `secret_name`; this record
contains none. Connections to one Mailchimp account share its 10 simultaneous calls, so the account id
is stored.

https://mailchimp.com/developer/marketing/docs/fundamentals/#throttling
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from shared.model.audience import Account


class ConnectionStatus(StrEnum):
    """notConnected: no grant. connected: usable. reconnect: Mailchimp refuses the grant."""

    NOT_CONNECTED = "notConnected"
    CONNECTED = "connected"
    RECONNECT = "reconnect"


class GrantKind(StrEnum):
    """How access to Mailchimp was granted."""

    OAUTH = "oauth"
    API_KEY = "apiKey"


@dataclass(frozen=True)
class Consent:
    """Who consented to sending data to Mailchimp, when, and to which text."""

    agreed_by: str
    agreed_at: datetime
    locale: str
    text_version: str


# Roles that cannot change contacts.
_READ_ONLY = frozenset({"viewer", "author"})


@dataclass(frozen=True)
class Grant:
    """The Mailchimp account of a connection. `data_centre` is validated, such as `us21`.

    `role` is that of the user in Mailchimp; empty when unknown. Mailchimp reports `owner` for every
    sign-in, because such a grant belongs to the account.
    """

    kind: GrantKind
    data_centre: str
    account_id: str
    account_name: str
    granted_at: datetime
    granted_by: str
    role: str = ""

    @property
    def may_manage_audiences(self) -> bool:
        """Whether the role allows changes of contacts, fields and tags; also if it is unknown.

        https://mailchimp.com/help/manage-user-levels-in-your-account/
        """
        return self.role.lower() not in _READ_ONLY


@dataclass(frozen=True)
class CheckedGrant:
    """A grant that Mailchimp has just accepted, with its account and its secret (token or API key)."""

    data_centre: str
    account: Account
    secret: str = field(repr=False)


@dataclass(frozen=True)
class ExportUser:
    """The user on whose behalf Customer Insights metadata is read."""

    name: str
    object_id: str
    tenant_id: str
    added_at: datetime
    valid: bool = True


@dataclass(frozen=True)
class Connection:
    """One connection, without its secret."""

    id: str
    display_name: str
    consent: Consent
    shared_with: tuple[str, ...] = ()
    status: ConnectionStatus = ConnectionStatus.NOT_CONNECTED
    grant: Grant | None = None
    export_user: ExportUser | None = None
    created_at: datetime | None = None
    created_by: str = ""
    updated_at: datetime | None = None
    updated_by: str = ""
    # The account before someone disconnected it: the exports belong to it.
    former_account: Account | None = None

    @property
    def account(self) -> Account | None:
        """The account to which the exports of the connection belong; None if it was never connected."""
        if self.grant is None:
            return self.former_account
        return Account(self.grant.account_id, self.grant.account_name)

    @property
    def secret_name(self) -> str:
        """The name of the grant in the secret store."""
        return f"mailchimp-{self.id}"

    @property
    def export_user_secret_name(self) -> str:
        """The name of the export user's token cache in the secret store."""
        return f"entra-{self.id}"


@dataclass(frozen=True)
class UsedNonce:
    """A sign-in state that was redeemed, and when."""

    at: datetime
