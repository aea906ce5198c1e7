"""What a connection is: consent that someone gave, and a grant to one Mailchimp account.

The grant itself (token or API key) lives in the secret store under `secret_name`; everything
here may be shown. Connections of one Mailchimp account share its 10 simultaneous calls, so the
account's id is kept as soon as it is known
(https://mailchimp.com/developer/marketing/docs/fundamentals/#throttling).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

__all__ = ["Connection", "ConnectionStatus", "Consent", "ExportUser", "Grant", "GrantKind"]


class ConnectionStatus(StrEnum):
    """notConnected: no grant yet. connected. reconnect: the grant is gone, connect again."""

    NOT_CONNECTED = "notConnected"
    CONNECTED = "connected"
    RECONNECT = "reconnect"


class GrantKind(StrEnum):
    """How Mailchimp was authorised."""

    OAUTH = "oauth"
    API_KEY = "apiKey"


@dataclass(frozen=True)
class Consent:
    """Who agreed that data leaves Customer Insights for Mailchimp, when, to which text."""

    agreed_by: str
    agreed_at: datetime
    locale: str
    text_version: str


@dataclass(frozen=True)
class Grant:
    """The Mailchimp account behind a connection. `data_centre` is checked: two letters, digits."""

    kind: GrantKind
    data_centre: str
    account_id: str
    account_name: str
    granted_at: datetime
    granted_by: str


@dataclass(frozen=True)
class ExportUser:
    """The person as whom Customer Insights metadata is read."""

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

    @property
    def secret_name(self) -> str:
        """Where the grant lies in the secret store."""
        return f"mailchimp-{self.id}"

    @property
    def export_user_secret_name(self) -> str:
        """Where the export user's grant lies in the secret store."""
        return f"entra-{self.id}"
