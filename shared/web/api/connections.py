"""Connections over HTTP, and the Mailchimp accounts that they use."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Query
from starlette.responses import Response

from shared.model.connection import Connection
from shared.model.ports import Stored
from shared.web.access import AccessRoute, Subject, requires
from shared.web.application import connections
from shared.web.application.etags import etag_of
from shared.web.authentication import Role
from shared.web.context import Context
from shared.web.models.connections import (
    ApiKeyBody,
    AudienceList,
    ConnectionBody,
    ConnectionList,
    ConnectionView,
    MergeFieldList,
    NewConnectionBody,
    connection_view,
)
from shared.web.models.consent import AudienceConsentList, audience_consent_view
from shared.web.parameters import AudienceId, CurrentContext, Id, IfMatch, Optional

router = APIRouter(prefix="/api/connections", route_class=AccessRoute, tags=["connections"])

_ONE = "/{id:id}"


def shown(stored: Stored[Connection], context: Context, response: Response) -> ConnectionView:
    """A connection as the caller may see it, with its ETag."""
    response.headers["ETag"] = etag_of(stored.etag)
    return connection_view(stored.value, context.caller.may(Role.ADMINISTRATOR))


@router.get("", summary="List connections")
@requires(Role.VIEWER)
def list_all(context: CurrentContext) -> ConnectionList:
    """Returns all connections, sorted by name."""
    administrator = context.caller.may(Role.ADMINISTRATOR)
    found = context.services.connections.all()
    return ConnectionList.listing(connection_view(each, administrator) for each in found)


@router.post("", summary="Create a connection", status_code=201)
@requires(Role.ADMINISTRATOR)
def create(body: NewConnectionBody, context: CurrentContext, response: Response) -> ConnectionView:
    """Requires consent to send data to Mailchimp. A new connection is not yet connected to an account."""
    stored = connections.create(context, body)
    response.headers["Location"] = f"/api/connections/{stored.value.id}"
    return shown(stored, context, response)


@router.get(_ONE, summary="Read a connection")
@requires(Role.VIEWER)
def read(connection_id: Id, context: CurrentContext, response: Response) -> ConnectionView:
    """Only administrators see who gave the consent and which account is connected."""
    return shown(context.services.connections.read(connection_id), context, response)


@router.put(_ONE, summary="Rename or share a connection")
@requires(Role.ADMINISTRATOR)
def change(
    connection_id: Id,
    body: ConnectionBody,
    context: CurrentContext,
    response: Response,
    if_match: IfMatch = None,
) -> ConnectionView:
    """Contributors can use a shared connection in their exports."""
    stored = connections.change(context, connection_id, body, if_match)
    return shown(stored, context, response)


@router.delete(_ONE, summary="Delete a connection", status_code=204)
@requires(Role.ADMINISTRATOR)
def delete(
    connection_id: Id,
    context: CurrentContext,
    detach_exports: Annotated[
        Optional[Literal["true", "false"]],
        Query(
            alias="detachExports",
            description="Whether to detach the exports that use the connection first",
            examples=["true"],
        ),
    ] = None,
    if_match: IfMatch = None,
) -> None:
    """Returns 409 with the exports that use the connection, unless they are detached first."""
    detach = detach_exports == "true"
    connections.delete(context, connection_id, detach_exports=detach, if_match=if_match)


@router.put(f"{_ONE}/mailchimp/api-key", summary="Connect with an API key")
@requires(Role.ADMINISTRATOR)
def put_api_key(
    connection_id: Id,
    body: ApiKeyBody,
    context: CurrentContext,
    response: Response,
    if_match: IfMatch = None,
) -> ConnectionView:
    """Stores the key after Mailchimp has accepted it."""
    stored = connections.connect_with_key(context, connection_id, body.api_key, if_match)
    return shown(stored, context, response)


@router.delete(f"{_ONE}/mailchimp", summary="Disconnect from Mailchimp")
@requires(Role.ADMINISTRATOR)
def disconnect(
    connection_id: Id, context: CurrentContext, response: Response, if_match: IfMatch = None
) -> ConnectionView:
    """Deletes the grant. The exports that use the connection no longer run."""
    stored = connections.disconnect(context, connection_id, if_match)
    return shown(stored, context, response)


@router.get(f"{_ONE}/audiences", summary="List the audiences of the account")
@requires(Role.CONTRIBUTOR, shared=Subject.CONNECTION)
def audiences(connection_id: Id, context: CurrentContext) -> AudienceList:
    """Reads the audiences from Mailchimp. `memberCount` may be some minutes old."""
    found = connections.audiences(context, connection_id)
    return AudienceList.listing(found)


@router.get(
    f"{_ONE}/audiences/{{audienceId:id}}/merge-fields",
    summary="List the merge fields of an audience",
)
@requires(Role.CONTRIBUTOR, shared=Subject.CONNECTION)
def merge_fields(
    connection_id: Id, audience_id: AudienceId, context: CurrentContext
) -> MergeFieldList:
    """Reads the merge fields from Mailchimp."""
    found = connections.merge_fields(context, connection_id, audience_id)
    return MergeFieldList.listing(found)


@router.get(f"{_ONE}/consent", summary="Read how current Mailchimp's statuses are")
@requires(Role.VIEWER)
def consent(connection_id: Id, context: CurrentContext) -> AudienceConsentList:
    """Returns, for each audience that exports use, when its statuses were read and published for Customer Insights."""
    found = connections.consent_states(context, connection_id)
    return AudienceConsentList.listing(
        audience_consent_view(state, context.language) for state in found
    )
