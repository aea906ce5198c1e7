"""Connections over HTTP: who may send data where, and what is in the account behind it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from shared.connections.connections import mark_reconnect
from shared.errors import Disconnected, Refused
from shared.model.connection import Connection, GrantKind
from shared.model.ports import MailchimpSession, Stored, readable
from shared.web.api.answers import listed, shown
from shared.web.call import Call
from shared.web.http import Response
from shared.web.models.connections import (
    ApiKeyBody,
    AudienceView,
    ConnectionBody,
    ConnectionView,
    MergeFieldView,
    NewConnectionBody,
    audience_view,
    connection_view,
    merge_field_view,
)
from shared.web.principal import Role
from shared.web.problem import HttpProblem
from shared.web.routes import Param, Route

__all__ = ["ROUTES", "may_use", "usable"]


def may_use(call: Call, connection: Connection) -> bool:
    """Administrators may use every connection, contributors those shared with them."""
    return call.principal.may(Role.ADMINISTRATOR) or (
        call.principal.may(Role.CONTRIBUTOR) and Role.CONTRIBUTOR.label in connection.shared_with
    )


def usable(call: Call) -> set[str]:
    """The ids of the connections that the caller may use."""
    return {
        stored.value.id
        for stored in readable(call.desk.connections.all())
        if may_use(call, stored.value)
    }


def _view(call: Call, connection: Connection) -> ConnectionView:
    return connection_view(connection, call.principal.may(Role.ADMINISTRATOR))


def _shown(call: Call, stored: Stored[Connection], status: int = 200) -> Response:
    location = {"Location": f"/api/connections/{stored.value.id}"} if status == 201 else {}
    return shown(_view(call, stored.value), call, stored.etag, status=status, headers=location)


def audited(connection: Connection) -> dict[str, object]:
    """What the audit trail says of a connection: no names of people, no secret."""
    grant = connection.grant
    return {
        "displayName": connection.display_name,
        "sharedWith": connection.shared_with,
        "status": connection.status,
        "mailchimpAccount": grant.account_id if grant else None,
        "exportUser": connection.export_user is not None,
        "consentText": connection.consent.text_version,
    }


def list_all(call: Call) -> Response:
    """Every connection, by name."""
    return listed((_view(call, s.value) for s in call.desk.connections_kept.all()), call)


def create(call: Call) -> Response:
    """Make a connection; it is not connected to Mailchimp yet."""
    body = call.body(NewConnectionBody)
    stored = call.desk.connections_kept.create(
        body.display_name,
        body.consent.agreed,
        body.consent.locale,
        body.shared_with,
        call.principal.name,
    )
    call.audit(
        "connection.create", stored.key, stored.value.display_name, None, audited(stored.value)
    )
    return _shown(call, stored, 201)


def read(call: Call) -> Response:
    """One connection."""
    return _shown(call, call.desk.connections_kept.read(call.id))


def change(call: Call) -> Response:
    """Rename or share."""
    body = call.body(ConnectionBody)
    before = call.desk.connections_kept.read(call.id)
    stored = call.desk.connections_kept.change(
        call.id,
        body.display_name,
        body.shared_with,
        call.principal.name,
        call.matched(before.etag),
    )
    after = stored.value
    call.audit(
        "connection.update", call.id, after.display_name, audited(before.value), audited(after)
    )
    return _shown(call, stored)


def remove(call: Call) -> Response:
    """Remove, detaching the exports first when asked to."""
    before = call.desk.connections_kept.read(call.id)
    detach = call.choice("detachExports", {"true": True, "false": False}) or False
    connection, detached = call.desk.connections_kept.remove(
        call.id, call.principal.name, detach_exports=detach, etag=call.matched(before.etag)
    )
    for export_id in detached:
        call.audit("export.detach", export_id, "", {"connectionId": call.id}, {})
    call.audit("connection.delete", call.id, connection.display_name, audited(connection), None)
    return Response(204)


def put_api_key(call: Call) -> Response:
    """Connect with an API key that Mailchimp has just accepted."""
    before = call.desk.connections_kept.read(call.id)
    call.matched(before.etag)
    key = call.body(ApiKeyBody).api_key
    checked = call.desk.key_door.check(key)
    stored = call.desk.connections_kept.connect(
        call.id, checked, GrantKind.API_KEY, call.principal.name
    )
    return _connected(call, "connection.connect", before.value, stored)


def disconnect(call: Call) -> Response:
    """Forget the grant, and stop what is being sent with it."""
    before = call.desk.connections_kept.read(call.id)
    call.matched(before.etag)
    stored = call.desk.connections_kept.disconnect(call.id, call.principal.name)
    # A lane that is at work has its session already.
    call.desk.disconnected([export.id for export in call.desk.definitions.using(call.id)])
    return _connected(call, "connection.disconnect", before.value, stored)


def _connected(call: Call, action: str, before: Connection, stored: Stored[Connection]) -> Response:
    after = stored.value
    call.audit(action, call.id, after.display_name, audited(before), audited(after))
    return _shown(call, stored)


@contextmanager
def _session(call: Call) -> Iterator[MailchimpSession]:
    """A session with the account of the connection, for those who may use it."""
    if not may_use(call, call.desk.connections_kept.read(call.id).value):
        raise HttpProblem(403, "forbidden", code="connectionNotShared")
    try:
        with call.desk.mailchimp.for_request(call.id) as session:
            yield session
    except Disconnected:
        mark_reconnect(call.desk.connections, call.id)
        raise


def audiences(call: Call) -> Response:
    """The audiences of the account, asked of Mailchimp now."""
    with _session(call) as session:
        return listed([audience_view(a) for a in session.audiences()], call)


def merge_fields(call: Call) -> Response:
    """The merge fields of an audience, asked of Mailchimp now."""
    with _session(call) as session:
        try:
            fields = session.merge_fields(call.params["audienceId"])
        except Refused as refused:
            if refused.status == 404:
                raise HttpProblem(404, "notFound", code="audienceNotFound") from refused
            raise
        return listed([merge_field_view(f) for f in fields], call)


_ALL, _ONE = "/api/connections", "/api/connections/{id}"
_DETACH = Param(
    "detachExports",
    "Detach the exports that use the connection first",
    {"type": "string", "enum": ["true", "false"]},
)

ROUTES = (
    Route(
        "GET",
        _ALL,
        Role.VIEWER,
        list_all,
        "List connections",
        gives=ConnectionView,
        gives_list=True,
    ),
    Route(
        "POST",
        _ALL,
        Role.ADMINISTRATOR,
        create,
        "Make a connection",
        takes=NewConnectionBody,
        gives=ConnectionView,
        status=201,
        etag=True,
    ),
    Route("GET", _ONE, Role.VIEWER, read, "Read a connection", gives=ConnectionView, etag=True),
    Route(
        "PUT",
        _ONE,
        Role.ADMINISTRATOR,
        change,
        "Rename or share a connection",
        takes=ConnectionBody,
        gives=ConnectionView,
        etag=True,
    ),
    Route(
        "DELETE",
        _ONE,
        Role.ADMINISTRATOR,
        remove,
        "Remove a connection",
        params=(_DETACH,),
        status=204,
        etag=True,
    ),
    Route(
        "PUT",
        f"{_ONE}/mailchimp/api-key",
        Role.ADMINISTRATOR,
        put_api_key,
        "Connect with an API key; Mailchimp is asked before it is kept",
        takes=ApiKeyBody,
        gives=ConnectionView,
        etag=True,
    ),
    Route(
        "DELETE",
        f"{_ONE}/mailchimp",
        Role.ADMINISTRATOR,
        disconnect,
        "Forget the grant; the exports that use it stop",
        gives=ConnectionView,
        etag=True,
    ),
    Route(
        "GET",
        f"{_ONE}/audiences",
        Role.CONTRIBUTOR,
        audiences,
        "List the audiences of the account",
        gives=AudienceView,
        gives_list=True,
    ),
    Route(
        "GET",
        f"{_ONE}/audiences/{{audienceId}}/merge-fields",
        Role.CONTRIBUTOR,
        merge_fields,
        "List the merge fields of an audience",
        gives=MergeFieldView,
        gives_list=True,
    ),
)
