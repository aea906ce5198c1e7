"""Read what the plan of an undo is made from: the plan of the undone run, and what has happened since."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from shared.errors import Conflict
from shared.model.exclusions import ExclusionList
from shared.model.export import Export
from shared.model.ledger import LedgerPointer
from shared.model.names import outcomes_table, run_of_ledger
from shared.model.plan import Plan, PlanGone
from shared.model.ports import Records, exists, readable
from shared.model.run import Mode, Run
from shared.people.exclusion_lists import ExclusionLists
from shared.planning.archiving.unused import AudienceLedgers
from shared.planning.request import PlanRequest
from shared.planning.undoing.values_of_others import OtherExport
from shared.runs.plan_store import PlanStore
from shared.runs.undo import recorded_former_holders, undoable


@dataclass(frozen=True)
class StateAtUndo:
    """The state of the export when the undo is planned, which shows who gets nothing back.

    `pointer` is the current ledger (runs/undo.py has checked it), and `excluded` the current list of excluded people.
    `later_runs` are runs since the undone one, whose outcomes show who withdrew consent or is excluded. They sent no one or
    one person, because only the newest run that sent more can be undone. `plans` are those of the undone run, the later runs
    and the newest run of all rows; plans that were deleted are left out. `earlier` is the plan of the run that wrote the
    ledger from before the undone run; None if it was deleted or damaged. `others` are the other exports to the audience,
    `former_holders` the blobs that record who had the tags before runs that took them over, or that found no ledger.
    """

    pointer: LedgerPointer
    excluded: ExclusionList
    later_runs: Sequence[str]
    plans: Sequence[Plan]
    earlier: Plan | None
    others: Sequence[OtherExport]
    former_holders: Sequence[str]


@dataclass(frozen=True)
class UndoInputs:
    """Reads the state of an export for the plan of an undo."""

    exports: Records[Export]
    runs: Records[Run]
    plans: PlanStore
    ledgers: Records[LedgerPointer]
    exclusions: ExclusionLists

    def read(self, request: PlanRequest, undone: str) -> tuple[Plan, StateAtUndo]:
        """Read the plan of the run `undone` and the state now. Conflict when that run cannot be undone, or no longer."""
        export_id = request.export.id
        stored = self.ledgers.read(export_id)
        pointer = undoable(undone, stored.value if stored else None, self.plans.files)
        plan = self.plans.read(undone)
        if plan is None:
            raise Conflict("undoTooOld")
        later = self._runs_since(export_id, undone)
        # After an undo that was stopped, the ledger does not name the newest run of all rows.
        of_all_rows = self._newest_of_all_rows(
            later, (request.definition_fingerprint, plan.definition)
        )
        later_runs = [run.id for run in later if run.mode is Mode.ONE_PERSON or run in of_all_rows]
        other_runs = {pointer.run_of_all_rows, *later_runs} - {undone}
        state = StateAtUndo(
            pointer,
            self.exclusions.read(export_id),
            later_runs,
            [plan, *filter(None, map(self.plans.read, other_runs))],
            self._stored_plan(run_of_ledger(pointer.before)) if pointer.before else None,
            self._other_exports(request, plan.audience_id),
            recorded_former_holders(self.plans.files, self.runs, plan),
        )
        return plan, state

    def _other_exports(self, request: PlanRequest, audience_id: str) -> list[OtherExport]:
        """The other exports to an audience that have sent something to it."""
        found = AudienceLedgers.read(self.exports, self.ledgers, request.account_id, audience_id)
        return [
            OtherExport(pointer.blob, self._stored_plan(pointer.run_of_all_rows))
            for export, pointer in found.exports
            if pointer is not None and export.id != request.export.id
        ]

    def _stored_plan(self, run_id: str) -> Plan | None:
        try:
            return self.plans.read(run_id)
        except PlanGone:
            return None

    def _runs_since(self, export_id: str, run_id: str) -> list[Run]:
        """The runs of an export that began after a run, newest first."""
        found = self.runs.all(where={"export": export_id}, last=run_id)
        return [stored.value for stored in readable(found) if stored.value.id != run_id]

    def _newest_of_all_rows(self, runs: Sequence[Run], definitions: Sequence[str]) -> list[Run]:
        """The newest run that has stored the outcomes of all rows, and the newest such preview if it is newer.

        A preview may have read a decision that no other run has read yet. A preview of another definition than `definitions`
        only tried something, such as another consent attribute. `runs` begin with the newest one.
        """
        found: list[Run] = []
        for run in runs:
            is_preview = run.mode is Mode.PREVIEW
            if is_preview and (found or not any(map(run.is_of_definition, definitions))):
                continue
            if not self._has_all_outcomes(run):
                continue
            found.append(run)
            if not is_preview:
                break
        return found

    def _has_all_outcomes(self, run: Run) -> bool:
        """Whether a run has stored the outcomes of all rows."""
        reads_all = run.covers_export or run.mode is Mode.PREVIEW
        was_planned = reads_all and run.sending_at is not None
        return was_planned and exists(self.plans.files, outcomes_table(run.id))
