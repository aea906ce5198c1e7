"""Connections: create, share, connect to Mailchimp, disconnect, delete; and read the account of one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from shared.connections.connections import mark_reconnect
from shared.connections.sign_in import Departure, SignIns
from shared.errors import Disconnected, Forbidden, NotFound, Refused
from shared.model.audience import Audience, MergeField
from shared.model.connection import Connection, GrantKind
from shared.model.consent import ConsentState
from shared.model.export import Export
from shared.model.ports import MailchimpSession, Stored
from shared.web.application import audit
from shared.web.application.etags import refuse_changed
from shared.web.authentication import Role
from shared.web.caller import Caller
from shared.web.services import Services

__all__ = [
    "add_export_user",
    "audiences",
    "change",
    "connect_with_key",
    "consent_states",
    "create",
    "delete",
    "disconnect",
    "drop_export_user",
    "exports_using",
    "finish_export_user",
    "finish_sign_in",
    "may_use",
    "may_use_export",
    "merge_fields",
    "read",
    "refuse_export",
    "refuse_not_shared",
    "saved_segments",
    "sign_in",
    "usable",
]

_CHANGED = "connectionChanged"


def may_use(caller: Caller, connection: Connection) -> bool:
    """Administrators may use every connection, contributors those shared with them."""
    return caller.may(Role.ADMINISTRATOR) or (
        caller.may(Role.CONTRIBUTOR) and Role.CONTRIBUTOR.label in connection.shared_with
    )


def usable(services: Services, caller: Caller) -> set[str]:
    """The ids of the connections that the caller may use."""
    return {
        stored.value.id for stored in services.connections.all() if may_use(caller, stored.value)
    }


def refuse_not_shared(services: Services, caller: Caller, connection_id: str) -> None:
    """Raise Forbidden unless the caller may use the connection. NotFound."""
    if not may_use(caller, read(services, connection_id).value):
        raise _not_shared()


def may_use_export(services: Services, caller: Caller, export_id: str) -> bool:
    """Whether the caller may use the connection of the export, if it has one."""
    export = services.definitions.find(export_id)
    connection = services.connections.find(export.connection_id) if export else None
    return connection is None or may_use(caller, connection)


def refuse_export(services: Services, caller: Caller, export_id: str) -> None:
    """Raise Forbidden unless the caller may use the connection of the export."""
    if not may_use_export(services, caller, export_id):
        raise _not_shared()


def _not_shared() -> Forbidden:
    return Forbidden("connectionNotShared")


def read(services: Services, connection_id: str) -> Stored[Connection]:
    """One connection. NotFound."""
    return services.connections.read(connection_id)


def create(
    services: Services,
    caller: Caller,
    display_name: str,
    agreed: bool,
    locale: str,
    shared_with: tuple[str, ...],
) -> Stored[Connection]:
    """Create a connection; it is not connected to Mailchimp yet. ConfigError without consent."""
    stored = services.connections.create(display_name, agreed, locale, shared_with, caller.name)
    after = _recorded(stored.value)
    audit.record(services, caller, "connection.create", stored.key, display_name, None, after)
    return stored


def change(
    services: Services,
    caller: Caller,
    connection_id: str,
    display_name: str,
    shared_with: tuple[str, ...],
    if_match: str | None = None,
) -> Stored[Connection]:
    """Rename or share a connection."""
    before = read(services, connection_id)
    etag = refuse_changed(if_match, before.etag, _CHANGED)
    stored = services.connections.change(
        connection_id, display_name, shared_with, caller.name, etag
    )
    _record(services, caller, "connection.update", before.value, stored.value)
    return stored


def delete(
    services: Services,
    caller: Caller,
    connection_id: str,
    *,
    detach_exports: bool,
    if_match: str | None = None,
) -> None:
    """Delete a connection, on request after detaching it from its exports. Conflict names them."""
    before = read(services, connection_id)
    etag = refuse_changed(if_match, before.etag, _CHANGED)
    if detach_exports:
        services.consent_updates.disconnecting(connection_id)
    connection, detached = services.connections.remove(
        connection_id, caller.name, detach_exports=detach_exports, etag=etag
    )
    for export_id in detached:
        connected = {"connectionId": connection_id}
        audit.record(services, caller, "export.detach", export_id, "", connected, {})
    name = connection.display_name
    recorded = _recorded(connection)
    audit.record(services, caller, "connection.delete", connection_id, name, recorded, None)


def connect_with_key(
    services: Services,
    caller: Caller,
    connection_id: str,
    api_key: str,
    if_match: str | None = None,
) -> Stored[Connection]:
    """Connect with an API key, after Mailchimp has accepted it."""
    before = read(services, connection_id)
    refuse_changed(if_match, before.etag, _CHANGED)
    checked = services.api_keys.check(api_key)
    stored = services.connections.connect(connection_id, checked, GrantKind.API_KEY, caller.name)
    _record(services, caller, "connection.connect", before.value, stored.value)
    return stored


def disconnect(
    services: Services, caller: Caller, connection_id: str, if_match: str | None = None
) -> Stored[Connection]:
    """Delete the grant, and stop the runs that use it."""
    before = read(services, connection_id)
    refuse_changed(if_match, before.etag, _CHANGED)
    services.consent_updates.disconnecting(connection_id)
    stored = services.connections.disconnect(connection_id, caller.name)
    # A lane that is sending has an open session, which would continue.
    services.runs.disconnected([export.id for export in exports_using(services, connection_id)])
    _record(services, caller, "connection.disconnect", before.value, stored.value)
    return stored


def exports_using(services: Services, connection_id: str) -> list[Export]:
    """The exports that use a connection, by name."""
    return services.definitions.using(connection_id)


def consent_states(services: Services, connection_id: str) -> list[ConsentState]:
    """How current Mailchimp's statuses are, for each audience that exports use. NotFound."""
    read(services, connection_id)
    return services.consent_updates.states(connection_id)


def sign_in(services: Services, caller: Caller, connection_id: str) -> Departure:
    """The URL of Mailchimp's sign-in page, which asks the user for access."""
    return _sign_ins(services).begin_mailchimp(connection_id, caller.principal.id)


def add_export_user(services: Services, caller: Caller, connection_id: str) -> Departure:
    """The URL of Entra's sign-in page, which asks the export user for access."""
    return _sign_ins(services).begin_entra(connection_id, caller.principal.id)


def finish_sign_in(services: Services, caller: Caller, state: str, code: str, cookie: str) -> str:
    """Store the grant that Mailchimp's sign-in page gave; returns the id of the connection.

    ConfigError for an unusable state.
    """
    finish = _sign_ins(services).finish_mailchimp
    return _finish(services, caller, "connection.connect", finish, state, code, cookie)


def finish_export_user(
    services: Services, caller: Caller, state: str, code: str, cookie: str
) -> str:
    """Store the export user who signed in to Entra; returns the id of the connection.

    ConfigError for an unusable state.
    """
    finish = _sign_ins(services).finish_entra
    return _finish(services, caller, "connection.addExportUser", finish, state, code, cookie)


def _sign_ins(services: Services) -> SignIns:
    if services.sign_ins is None:
        raise NotFound("signInOff")
    return services.sign_ins


def _finish(
    services: Services,
    caller: Caller,
    action: str,
    finish: Callable[[str, str, str, str, str], Stored[Connection]],
    state: str,
    code: str,
    cookie: str,
) -> str:
    connection = finish(state, code, cookie, caller.principal.id, caller.name).value
    name, after = connection.display_name, _recorded(connection)
    audit.record(services, caller, action, connection.id, name, None, after)
    return connection.id


def drop_export_user(
    services: Services, caller: Caller, connection_id: str, if_match: str | None = None
) -> Stored[Connection]:
    """Delete the export user. NotFound if there is no export user."""
    before = read(services, connection_id)
    refuse_changed(if_match, before.etag, _CHANGED)
    if before.value.export_user is None:
        raise NotFound("exportUserNotFound")
    stored = services.connections.drop_export_user(connection_id, caller.name)
    _record(services, caller, "connection.dropExportUser", before.value, stored.value)
    return stored


def audiences(services: Services, caller: Caller, connection_id: str) -> list[Audience]:
    """The audiences of the account, read from Mailchimp now."""
    with _session(services, caller, connection_id) as session:
        return list(session.audiences())


def saved_segments(
    services: Services, caller: Caller, connection_id: str, audience_id: str
) -> list[str]:
    """The names of the saved segments of an audience, read from Mailchimp now. NotFound."""
    with _session(services, caller, connection_id) as session:
        return list(session.saved_segments(audience_id))


def merge_fields(
    services: Services, caller: Caller, connection_id: str, audience_id: str
) -> list[MergeField]:
    """The merge fields of an audience, read from Mailchimp now. NotFound."""
    with _session(services, caller, connection_id) as session:
        try:
            return list(session.merge_fields(audience_id))
        except Refused as refused:
            if refused.status != 404:
                raise
            raise NotFound("audienceNotFound", audience=audience_id) from refused


@contextmanager
def _session(services: Services, caller: Caller, connection_id: str) -> Iterator[MailchimpSession]:
    """A session with the account of a connection that the caller may use."""
    refuse_not_shared(services, caller, connection_id)
    try:
        with services.sessions.for_request(connection_id) as session:
            yield session
    except Disconnected:
        mark_reconnect(services.connections.records, connection_id)
        raise


def _record(
    services: Services, caller: Caller, action: str, before: Connection, after: Connection
) -> None:
    name = after.display_name
    audit.record(services, caller, action, after.id, name, _recorded(before), _recorded(after))


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
