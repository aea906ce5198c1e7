"""Connections: create, share, connect to Mailchimp, disconnect, delete; and read the account of one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from shared.connections.connections import consent_faults, mark_reconnect
from shared.connections.sign_in import AuthorizationRequest, Provider, SignIns
from shared.errors import ConfigError, Disconnected, Forbidden, NotFound, Refused
from shared.mailchimp.session import MailchimpSession
from shared.model.audience import Audience, MergeField
from shared.model.connection import Connection, GrantKind
from shared.model.consent import ConsentState
from shared.model.export import Export
from shared.model.ports import Stored
from shared.web.application import audit
from shared.web.application.etags import refuse_changed
from shared.web.authentication import Role
from shared.web.context import Context
from shared.web.models.connections import ConnectionBody, NewConnectionBody


def may_use(context: Context, connection: Connection) -> bool:
    """Administrators may use every connection, contributors those shared with them."""
    return context.caller.may(Role.ADMINISTRATOR) or (
        context.caller.may(Role.CONTRIBUTOR) and Role.CONTRIBUTOR.label in connection.shared_with
    )


def usable_connections(context: Context) -> set[str]:
    """The ids of the connections that the caller may use."""
    return {each.id for each in context.services.connections.all() if may_use(context, each)}


def refuse_not_shared(context: Context, connection_id: str) -> None:
    """Raise Forbidden unless the caller may use the connection. NotFound."""
    if not may_use(context, context.services.connections.read(connection_id).value):
        raise Forbidden("connectionNotShared")


def may_use_export(context: Context, export: Export) -> bool:
    """Whether the caller may use the connection of the export, if it has one."""
    connection = context.services.connections.find(export.connection_id)
    return connection is None or may_use(context, connection)


def refuse_export(context: Context, export_id: str) -> None:
    """Raise Forbidden unless the caller may use the connection of the export."""
    export = context.services.definitions.find(export_id)
    if export and not may_use_export(context, export):
        raise Forbidden("connectionNotShared")


def create(context: Context, body: NewConnectionBody) -> Stored[Connection]:
    """Create a connection; it is not connected to Mailchimp yet. ConfigError with every fault, also without consent."""
    consent = body.consent
    if body.faults:
        faults = (*body.faults, *consent_faults(consent.agreed))
        raise ConfigError("connectionFaults", faults=faults)
    stored = context.services.connections.create(
        body.display_name, consent.agreed, consent.locale, body.shared_with, context.caller.name
    )
    after = _recorded(stored.value)
    audit.record(context, "connection.create", stored.key, body.display_name, after=after)
    return stored


def change(
    context: Context, connection_id: str, body: ConnectionBody, if_match: str | None = None
) -> Stored[Connection]:
    """Rename or share a connection."""
    before, etag = _unchanged(context, connection_id, if_match)
    stored = context.services.connections.change(
        connection_id, body.display_name, body.shared_with, context.caller.name, etag
    )
    _record(context, "connection.update", before, stored.value)
    return stored


def delete(
    context: Context, connection_id: str, *, detach_exports: bool, if_match: str | None = None
) -> None:
    """Delete a connection, on request after detaching it from its exports. Conflict names them."""
    _, etag = _unchanged(context, connection_id, if_match)
    if detach_exports or not context.services.definitions.using(connection_id):
        context.services.consent_updates.delete_webhooks(connection_id)

    def record_detached(export_id: str) -> None:
        connected = {"connectionId": connection_id}
        audit.record(context, "export.detach", export_id, before=connected)

    def record_removed(connection: Connection) -> None:
        name, before = connection.display_name, _recorded(connection)
        audit.record(context, "connection.delete", connection_id, name, before=before)

    context.services.connections.remove(
        connection_id,
        context.caller.name,
        detach_exports=detach_exports,
        etag=etag,
        detached=record_detached,
        removed=record_removed,
    )


def connect_with_key(
    context: Context, connection_id: str, api_key: str, if_match: str | None = None
) -> Stored[Connection]:
    """Connect with an API key, after Mailchimp has accepted it."""
    before, _ = _unchanged(context, connection_id, if_match)
    checked = context.services.api_keys.check(api_key)
    stored = context.services.connections.connect(
        connection_id, checked, GrantKind.API_KEY, context.caller.name
    )
    _record(context, "connection.connect", before, stored.value)
    return stored


def disconnect(
    context: Context, connection_id: str, if_match: str | None = None
) -> Stored[Connection]:
    """Delete the grant, and stop the runs that use it."""
    before, _ = _unchanged(context, connection_id, if_match)
    context.services.consent_updates.delete_webhooks(connection_id)
    stored = context.services.connections.disconnect(connection_id, context.caller.name)
    # Now, because the next step may fail. If the caller then repeats the request, there is no grant any more, so it could not
    # record what was deleted.
    _record(context, "connection.disconnect", before, stored.value)
    # A lane that is sending has an open session, which would continue.
    context.services.runs.stop_sending(
        {export.id for export in context.services.definitions.using(connection_id)}
    )
    return stored


def consent_states(context: Context, connection_id: str) -> list[ConsentState]:
    """How current Mailchimp's statuses are, for each audience that exports use. NotFound."""
    context.services.connections.read(connection_id)
    return context.services.consent_updates.states(connection_id)


def begin_sign_in(
    context: Context, provider: Provider, connection_id: str, *, in_browser: bool = True
) -> AuthorizationRequest:
    """The URL of a sign-in page, which asks the user for access."""
    sign_ins, caller = _sign_ins(context), context.caller
    return sign_ins.begin(provider, connection_id, caller.id, in_browser=in_browser)


def finish_sign_in(context: Context, provider: Provider, state: str, code: str, cookie: str) -> str:
    """Store Mailchimp's grant, or the export user who signed in to Entra.

    Returns the id of the connection. ConfigError for an unusable state.
    """
    sign_ins, caller = _sign_ins(context), context.caller
    if provider is Provider.MAILCHIMP:
        action, finish = "connection.connect", sign_ins.finish_mailchimp
    else:
        action, finish = "connection.addExportUser", sign_ins.finish_entra
    connection = finish(state, code, cookie, caller.id, caller.name).value
    name, after = connection.display_name, _recorded(connection)
    audit.record(context, action, connection.id, name, after=after)
    return connection.id


def _sign_ins(context: Context) -> SignIns:
    if context.services.sign_ins is None:
        raise NotFound("signInOff")
    return context.services.sign_ins


def drop_export_user(
    context: Context, connection_id: str, if_match: str | None = None
) -> Stored[Connection]:
    """Delete the export user. NotFound if there is no export user."""
    before, _ = _unchanged(context, connection_id, if_match)
    if before.export_user is None:
        raise NotFound("exportUserNotFound")
    stored = context.services.connections.drop_export_user(connection_id, context.caller.name)
    _record(context, "connection.dropExportUser", before, stored.value)
    return stored


def audiences(context: Context, connection_id: str) -> list[Audience]:
    """The audiences of the account, read from Mailchimp now."""
    with _session(context, connection_id) as session:
        return list(session.audiences())


def saved_segments(context: Context, connection_id: str, audience_id: str) -> list[str]:
    """The names of the saved segments of an audience, read from Mailchimp now. NotFound."""
    with _session(context, connection_id) as session:
        return list(session.saved_segments(audience_id))


def merge_fields(context: Context, connection_id: str, audience_id: str) -> list[MergeField]:
    """The merge fields of an audience, read from Mailchimp now. NotFound."""
    with _session(context, connection_id) as session:
        try:
            return list(session.merge_fields(audience_id))
        except Refused as refused:
            if refused.status != 404:
                raise
            raise NotFound("audienceNotFound", audience=audience_id) from refused


def _unchanged(
    context: Context, connection_id: str, if_match: str | None
) -> tuple[Connection, str | None]:
    """A connection, and the ETag that a write must find. Changed if `if_match` has another one."""
    stored = context.services.connections.read(connection_id)
    return stored.value, refuse_changed(if_match, stored.etag, "connectionChanged")


@contextmanager
def _session(context: Context, connection_id: str) -> Iterator[MailchimpSession]:
    """A session with the account of a connection that the caller may use."""
    refuse_not_shared(context, connection_id)
    try:
        with context.services.sessions.for_request(connection_id) as session:
            yield session
    except Disconnected:
        mark_reconnect(context.services.connections.records, connection_id)
        raise


def _record(context: Context, action: str, before: Connection, after: Connection) -> None:
    name = after.display_name
    audit.record(context, action, after.id, name, before=_recorded(before), after=_recorded(after))


def _recorded(connection: Connection) -> dict[str, object]:
    """What the audit trail records of a connection: no names of people, no secret."""
    grant = connection.grant
    return {
        "displayName": connection.display_name,
        "sharedWith": connection.shared_with,
        "status": connection.status,
        "mailchimpAccount": grant.account_id if grant else None,
        "exportUser": connection.export_user is not None,
        "consentText": connection.consent.text_version,
    }
