"""Mailchimp's statuses, read for Customer Insights."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from shared.consent_updates.sweep import Sweep
from shared.consent_updates.table import ConsentTable
from shared.consent_updates.updates import ConsentUpdates, SweepRequest
from shared.consent_updates.webhooks import ConsentWebhooks, webhook_columns
from shared.model.consent import ConsentWebhook

if TYPE_CHECKING:
    from shared.app import App


def consent_updates(app: App) -> ConsentUpdates:
    """Reads Mailchimp's statuses and publishes them."""
    return ConsentUpdates(
        requests=app.table("consentrequests", SweepRequest),
        sweeps=app.consent_sweeps,
        published=app.published_consent,
        exports=app.exports,
        connections=app.connections,
        ledgers=app.ledgers,
        files=app.files,
        sweep=Sweep(
            app.consent_sweeps,
            app.files,
            app.erasures,
            app.runtime.now,
            app.runtime.token,
        ),
        table=app.consent_table,
        webhooks=app.consent_webhooks,
        queue=app.queue,
        leases=app.leases,
        sessions=app.sessions,
        is_busy=app.history.has_active_run,
        connection_lost=app.mailchimp_accounts.connection_lost,
        now=app.runtime.now,
    )


def consent_table(app: App) -> ConsentTable:
    """Publishes Mailchimp's statuses for Customer Insights."""
    return ConsentTable(
        app.published_consent,
        app.outcome_files,
        app.outcomes_url,
        app.files,
        app.erasures,
        app.runtime.now,
        app.runtime.token,
    )


def consent_webhooks(app: App) -> ConsentWebhooks:
    """The app's webhooks at Mailchimp."""
    return ConsentWebhooks(
        app.table("consentwebhooks", ConsentWebhook, webhook_columns),
        app.secrets,
        app.settings.public_url,
        lambda: secrets.token_hex(32),
        app.runtime.now,
    )
