"""Unused contacts of an audience over HTTP: find them, and archive them."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from shared.web.access import AccessRoute, Subject, requires
from shared.web.api.runs import accepted
from shared.web.application import unused_contacts
from shared.web.authentication import Role
from shared.web.models.runs import RunView
from shared.web.models.unused_contacts import ArchiveBody, HygieneView, unused_view
from shared.web.parameters import AudienceId, CurrentContext, Id

router = APIRouter(route_class=AccessRoute, tags=["connections"])


@router.get(
    "/api/connections/{id:id}/audiences/{audienceId:id}/hygiene",
    summary="Find unused contacts",
)
@requires(Role.CONTRIBUTOR, shared=Subject.CONNECTION)
def read(connection_id: Id, audience_id: AudienceId, context: CurrentContext) -> HygieneView:
    """Returns the contacts that exports created and no export targets any more, and how many contacts have
    been unsubscribed or cleaned for a year. Only the former can be archived."""
    return unused_view(context.services.unused_contacts.read(connection_id, audience_id))


@router.post(
    "/api/exports/{id:id}/archive-unused", summary="Archive unused contacts", status_code=202
)
@requires(Role.CONTRIBUTOR, shared=Subject.EXPORT)
def archive(
    export_id: Id, body: ArchiveBody, context: CurrentContext, response: Response
) -> RunView:
    """Starts a run that archives contacts that the export created and no export targets any more, if there are
    at most `people`. Subscribers without other tags are archived. An undo of the run brings them back."""
    run = unused_contacts.archive(context, export_id, body.people)
    return accepted(run, context, response)
