"""Make the plan of a run that archives the contacts that no export targets any more (record 86).

Nothing is read from Customer Insights, and no one is sent.
"""

from __future__ import annotations

from shared.memory import waiting_for_network
from shared.model.figures import Counts
from shared.model.finding import Reason
from shared.model.ledger import LedgerPointer
from shared.model.plan import Plan
from shared.model.run import RunStatus
from shared.model.source import Attribute
from shared.planning.archiving.unused import AudienceLedgers, find_unused, plan_unused
from shared.planning.audience.merge_fields import with_fields_to_create
from shared.planning.context import PlanContext, UnstoredPlan
from shared.planning.writing.chunking import write_chunks
from shared.runs.planning_ended import PlanningEnded


def plan_archive(
    context: PlanContext,
    pointer: LedgerPointer | None,
    ledgers: AudienceLedgers,
    attributes: tuple[Attribute, ...],
) -> UnstoredPlan:
    """Make the plan and its chunks, and begin to upload its files. PlanningEnded when there is nothing to archive, when it
    is unknown, or when there are more contacts than a person agreed to.

    `attributes` are those of the values in the ledger, for an undo.
    """
    request, db, scratch = context.request, context.db, context.scratch
    run, export = request.run, request.export
    if ledgers.incomplete:
        exports = ", ".join(f"“{name}”" for name in ledgers.incomplete)
        raise PlanningEnded(RunStatus.SKIPPED, Reason("unusedUnknown", values={"exports": exports}))
    with waiting_for_network(db), context.audience.parallel() as calls:
        reading = calls.submit(lambda session: session.audience(export.audience_id))
        fields = calls.submit(lambda session: session.merge_fields(export.audience_id))
        audience, merge_fields = reading.result(), tuple(fields.result())
        contacts = context.audience.read_not_subscribed(calls, db, scratch)
    ledger_files = dict(ledgers.download(context.dependencies.files, scratch))
    people = find_unused(db, ledger_files).get(export.id, 0)
    if not people:
        raise PlanningEnded(RunStatus.SKIPPED, Reason("noUnused"))
    if people > run.agreed:
        values = {"people": str(people), "agreed": str(run.agreed)}
        raise PlanningEnded(RunStatus.SKIPPED, Reason("moreUnused", values=values))
    plan_unused(db, export.id)
    chunks = write_chunks(db, scratch, (), written=context.uploads.begin)
    plan = Plan(
        run_id=run.id,
        export_id=export.id,
        connection_id=request.connection_id,
        account_id=request.account_id,
        audience_id=export.audience_id,
        audience_name=audience.name,
        folder=context.uploads.folder,
        # Only subscribers are archived, and an undo brings them back as such.
        status="subscribed",
        mapping=export.mapping,
        attributes=attributes,
        merge_fields=with_fields_to_create(export, merge_fields),
        tags=(),
        tagsets=(),
        counts=Counts(),
        ledger=pointer.blob if pointer else None,
        ledger_run=pointer.run_id if pointer else "",
        source_fingerprint=pointer.source_fingerprint if pointer else "",
        calls=context.audience.calls,
        contacts_before=contacts,
    )
    return plan, chunks
