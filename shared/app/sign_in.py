"""Access to Mailchimp accounts and to Customer Insights, which people grant by signing in or with an API key."""

from __future__ import annotations

import secrets
import time
from functools import partial
from typing import TYPE_CHECKING

from shared.connections.entra import CUSTOMER_INSIGHTS, AppRegistration, Entra, PendingSignIn
from shared.connections.export_users import ExportUsers
from shared.connections.sign_in import SignIns
from shared.connections.sign_in_state import SignedStates, UsedNonces
from shared.errors import ConfigError
from shared.mailchimp.api_keys import MailchimpApiKeys
from shared.mailchimp.oauth import MailchimpSignIn
from shared.storage.clients import credential_for, token_for
from shared.storage.keys import stored_key

if TYPE_CHECKING:
    from shared.app import App


def api_keys(app: App) -> MailchimpApiKeys:
    """Checks API keys."""
    return MailchimpApiKeys(app.mailchimp.open_with)


def mailchimp_sign_in(app: App) -> MailchimpSignIn | None:
    """Sign-in with Mailchimp; None where the app is not registered with Mailchimp."""
    where = app.settings.mailchimp
    if not (where.client_id and where.client_secret):
        return None
    return MailchimpSignIn(
        where.login_url, where.client_id, where.client_secret, app.mailchimp.open_with
    )


def entra(app: App) -> Entra | None:
    """Sign-in of export users; None where the app has no Entra registration."""
    where = app.settings.entra
    if not (where.client_id and where.client_secret):
        return None
    # Without the REST API, sign-in only identifies the person.
    scopes = (CUSTOMER_INSIGHTS,) if app.settings.customer_insights.instance_id else ()
    registration = AppRegistration(
        where.tenant_id, where.client_id, where.client_secret, where.authority, scopes
    )
    return Entra(registration, app.table("signins", PendingSignIn), app.runtime.now)


def export_users(app: App) -> ExportUsers:
    """The user on whose behalf the REST API is called."""

    def app_token() -> str:
        """A token of the app itself: of its managed identity in Azure, else its registration."""
        if app.settings.in_azure:
            return token_for(credential_for(app.settings.storage), CUSTOMER_INSIGHTS)
        if app.entra is None:
            raise ConfigError("exportUserMissing")
        return app.entra.app_token().token

    return ExportUsers(app.connections, app.secrets, app.entra, app_token, app.runtime.now)


def sign_ins(app: App) -> SignIns | None:
    """Signing in to Mailchimp and to Entra; None where the app is registered with neither."""
    if not (app.mailchimp_sign_in or app.entra):
        return None
    states = SignedStates(
        partial(stored_key, app.secrets, app.leases, "sign-in-state-key"),
        UsedNonces(app.used_nonces, app.runtime.now).use_once,
        now=time.time,
        random_text=lambda: secrets.token_hex(24),
    )
    return SignIns(
        app.connection_commands,
        states,
        app.settings.public_url,
        app.mailchimp_sign_in,
        app.entra,
    )
