"""Contacts of an audience that cost without use, and archiving the unused ones."""

from __future__ import annotations

from shared.model.run import Run
from shared.planning.hygiene import AudienceHygiene
from shared.web.application import audit
from shared.web.caller import Caller
from shared.web.services import Services

__all__ = ["archive", "read"]


def read(services: Services, connection_id: str, audience_id: str) -> AudienceHygiene:
    """What the audience has, read from Mailchimp now. NotFound."""
    return services.hygiene.read(connection_id, audience_id)


def archive(services: Services, caller: Caller, export_id: str, people: int) -> Run:
    """Start a run that archives the unused contacts of an export, at most `people`. NotFound, Conflict."""
    run = services.hygiene.archive(export_id, caller.name, people)
    after = {"exportId": export_id, "people": people}
    audit.record(services, caller, "run.archiveUnused", run.id, "", None, after)
    return run
