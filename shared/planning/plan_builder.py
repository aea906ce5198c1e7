"""Make the plan of a run: choose the files, and skip the run if they have no new data.

new_plan.py makes the plan, undo_plan.py the plan of an undo.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from duckdb import DuckDBPyConnection

from shared.capacity.pace import AccountPace
from shared.errors import ConfigError, Conflict, InputError, Refused
from shared.fields.merge_fields import chosen_fields
from shared.model.finding import Reason
from shared.model.ledger import LedgerPointer
from shared.model.names import plan_folder
from shared.model.plan import Plan
from shared.model.ports import Records
from shared.model.run import Mode, Run, RunStatus, Trigger
from shared.model.source import Snapshot
from shared.people.exclusion_lists import ExclusionLists
from shared.planning.archiving.archive_plan import plan_archive
from shared.planning.archiving.unused import AudienceLedgers
from shared.planning.audience.client import AudienceClient
from shared.planning.context import PlanContext
from shared.planning.dependencies import PlanDependencies
from shared.planning.fingerprint import source_fingerprint
from shared.planning.new_plan import make_plan
from shared.planning.planning_report import PlanningReport
from shared.planning.reading.exclusions import Exclusions
from shared.planning.reading.inputs import PlanSource
from shared.planning.reading.people import SourceColumns
from shared.planning.reading.settled_source import SettledSource
from shared.planning.request import PlanRequest
from shared.planning.undoing.undo_inputs import UndoInputs
from shared.planning.undoing.undo_plan import plan_undo
from shared.runs.lookup import export_of
from shared.runs.one_person import chosen_person
from shared.runs.plan_store import PlanStore
from shared.runs.plan_uploads import PlanUploads
from shared.runs.planning_ended import PlanningEnded
from shared.runs.transitions import Transitions
from shared.workspace import workspace


@dataclass(frozen=True)
class PlanBuilder:
    """Makes plans. `account_of` returns the Mailchimp account of a connection."""

    dependencies: PlanDependencies
    plans: PlanStore
    ledgers: Records[LedgerPointer]
    account_of: Callable[[str], str]
    pace: AccountPace
    transitions: Transitions
    exclusions: ExclusionLists
    undo_inputs: UndoInputs
    sleep: Callable[[float], None]

    def build(self, run: Run) -> Plan:
        """Make and store the plan of a run. PlanningEnded when the run needs no plan or must wait.

        ConfigError, InputError and Refused name what a person must change. Unavailable and Changed
        (a segment was written while it was read) are temporary.
        """
        export = export_of(self.dependencies.exports, run.export_id)
        if not export.connection_id:
            raise Conflict("noConnection")
        account_id = self.account_of(export.connection_id)
        person = chosen_person(self.plans.files, run.id) if run.mode is Mode.ONE_PERSON else None
        request = PlanRequest(run, export, export.connection_id, account_id, person)
        if run.undo_of is not None:
            return self._make_undo(request, run.undo_of)
        if run.mode is Mode.ARCHIVE:
            return self._make_archive(request)
        return self._make_new(request)

    def _make_new(self, request: PlanRequest) -> Plan:
        run = request.run
        pinned = self.dependencies.segments.snapshot(request.export.segments_read)
        source = self._plan_source(request, pinned)
        if (
            run.trigger is Trigger.REFRESH
            and run.mode is Mode.EXPORT
            and source.pointer is not None
            and source.pointer.source_fingerprint == source.fingerprint
        ):
            raise PlanningEnded(RunStatus.SKIPPED, Reason("noNewData"))
        with self._context(request) as context:
            try:
                made = make_plan(
                    context,
                    source,
                    PlanningReport(self.transitions, run.id, len(pinned.segments)),
                    self.pace.people_per_second(request.account_id),
                )
            except (PlanningEnded, ConfigError, InputError, Refused):
                # Files that are still being written are not what a person should be told about.
                source.settle(context.db)
                raise
            source.settle(context.db)
            return self.plans.write(*made, context.uploads)

    @contextmanager
    def _context(self, request: PlanRequest, audience_id: str = "") -> Iterator[PlanContext]:
        """Open a database for a plan of the audience of its export, or of another one."""
        audience_id = audience_id or request.export.audience_id
        audience = AudienceClient(self.dependencies, request, audience_id)
        folder = plan_folder(request.run.id, self.dependencies.token())
        with workspace() as (db, scratch), PlanUploads(self.plans.files, folder) as uploads:
            yield PlanContext(request, self.dependencies, audience, db, scratch, uploads)

    def _plan_source(self, request: PlanRequest, pinned: Snapshot) -> PlanSource:
        export = request.export
        # The segments to exclude come last.
        sent = len(export.segments)
        segments, excluded = pinned.segments[:sent], pinned.segments[sent:]
        listed = self.exclusions.read(export.id)
        stored = self.ledgers.read(export.id)
        return PlanSource(
            Snapshot(segments),
            SourceColumns(
                export.mapping.email,
                tuple(choice.attribute for choice in chosen_fields(export.mapping)),
                export.new_contacts.consent_attribute,
                export.new_contacts.consent_meaning,
            ),
            source_fingerprint(export, pinned, listed.fingerprint),
            stored.value if stored else None,
            Exclusions(excluded, listed),
            self._settle(request, pinned),
        )

    def _settle(
        self, request: PlanRequest, pinned: Snapshot
    ) -> Callable[[DuckDBPyConnection], None]:
        """Return what waits until the files do not change any more.

        A run that a person started waits only if the export has exclusion segments: it could combine new members with old
        exclusions, and send people who must not be sent.
        """
        run, export = request.run, request.export
        excludes = bool(export.exclusion_segments) and run.mode is not Mode.PREVIEW
        if run.trigger not in (Trigger.REFRESH, Trigger.SCHEDULE) and not excludes:
            return lambda _: None
        dependencies = self.dependencies
        return SettledSource(dependencies.segments, pinned, dependencies.now, self.sleep).settle

    def _make_archive(self, request: PlanRequest) -> Plan:
        export = request.export
        exports, ledgers = self.dependencies.exports, self.ledgers
        found = AudienceLedgers.read(exports, ledgers, request.account_id, export.audience_id)
        pointer = next((pointer for one, pointer in found.exports if one.id == export.id), None)
        # The plan of the last run may be deleted; texts are then converted by the type of the field.
        last = self.plans.read(pointer.run_of_all_rows) if pointer else None
        attributes = last.attributes if last else ()
        with self._context(request) as context:
            made = plan_archive(context, pointer, found, attributes)
            return self.plans.write(*made, context.uploads)

    def _make_undo(self, request: PlanRequest, undone: str) -> Plan:
        plan, current = self.undo_inputs.read(request, undone)
        with self._context(request, plan.audience_id) as context:
            return self.plans.write(*plan_undo(context, plan, current), context.uploads)
