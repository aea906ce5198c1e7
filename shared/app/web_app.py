"""The JSON API and the admin pages, and the definitions and connections that people change with them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.connections.connections import Connections
from shared.exports.definitions import Definitions
from shared.web.audit_entry import AuditEntry
from shared.web.authentication import Authenticator, Principal, highest

if TYPE_CHECKING:
    from shared.app import App
    from shared.web.app import WebApp


def web(app: App) -> WebApp:
    """The JSON API and the admin pages."""
    # Imported with the first request: instances that process queues start without a web framework.
    from shared.web.app import create_app
    from shared.web.services import Services

    return create_app(
        Services(
            authenticator=app.authenticator,
            audit_records=app.table("audit", AuditEntry),
            clock=app.runtime.now,
            monotonic=app.runtime.monotonic,
            new_id=app.runtime.new_id,
            public_url=app.settings.public_url,
            max_profiles=app.settings.max_profiles,
            connections=app.connection_commands,
            api_keys=app.api_keys,
            sign_ins=app.sign_ins,
            sessions=app.sessions,
            consent_updates=app.consent_updates,
            unused_contacts=app.unused_contacts,
            definitions=app.definitions,
            exclusions=app.exclusion_lists,
            schedule_records=app.schedules,
            catalogue=app.catalogue,
            customer_insights=app.customer_insights,
            starter=app.starter,
            runs=app.commands,
            history=app.history,
            undo=app.undo,
            one_person=app.one_person,
            outcomes=app.outcomes,
            differences=app.differences,
            search=app.search,
            eraser=app.eraser,
        )
    )


def definitions(app: App) -> Definitions:
    """Creates, changes and removes export definitions."""
    return Definitions(
        app.exports,
        app.history.has_active_run,
        app.runtime.now,
        app.runtime.new_id,
        app.leftovers.delete,
        app.runtime.sleep,
    )


def connection_commands(app: App) -> Connections:
    """Creates, shares, disconnects and removes connections."""
    return Connections(
        app.connections, app.secrets, app.definitions, app.runtime.now, app.runtime.new_id
    )


def authenticator(app: App) -> Authenticator:
    """Identifies the callers of the API and of the pages."""
    developer = app.settings.developer
    return Authenticator(
        authentication_on=app.settings.auth_enabled,
        in_azure=app.settings.in_azure,
        developer=Principal(developer.id, developer.name, highest(developer.roles))
        if developer
        else None,
        public_url=app.settings.public_url,
    )
