"""Archives the unused contacts of an export."""

from __future__ import annotations

from shared.model.run import Run
from shared.web.application import audit
from shared.web.context import Context


def archive(context: Context, export_id: str, people: int) -> Run:
    """Start a run that archives the unused contacts of an export, at most `people`. NotFound, Conflict."""
    run = context.services.unused_contacts.archive(export_id, context.caller.name, people)
    after = {"exportId": export_id, "people": people}
    audit.record(context, "run.archiveUnused", run.id, after=after)
    return run
