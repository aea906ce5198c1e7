"""Starts an undo: which run can be undone, and the run that undoes it.

An undo is a separate run with the same steps, so crashes, throttling and cancels are handled as in
every run. Only the newest run that sent something can be undone, because the values from before
older runs are overwritten.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from shared.errors import Conflict, NotFound
from shared.model.ledger import LedgerPointer
from shared.model.names import former_holders_blob, former_holders_folder, outcomes_table
from shared.model.plan import Plan
from shared.model.ports import Files, Records, exists
from shared.model.run import Mode, Run, RunStatus, Trigger
from shared.runs.lookup import read_run
from shared.runs.start import RunOptions, Starter


@dataclass(frozen=True)
class Undo:
    """Starts undos. `plan_of` reads a run's plan."""

    runs: Records[Run]
    ledgers: Records[LedgerPointer]
    files: Files
    starter: Starter
    plan_of: Callable[[str], Plan]

    def is_possible(self, run: Run) -> bool:
        """Whether a run has changed something that an undo could reverse now."""
        if not run.is_over or run.undo_of is not None or run.cleared:
            return False
        pointer = self.ledgers.read(run.export_id)
        try:
            undoable(run.id, pointer.value if pointer else None, self.files)
        except Conflict:
            return False
        return True

    def gives_tags_back(self, run_id: str) -> bool:
        """Whether an undo gives back a tag that the run took over from others. Earlier versions did not record who had it."""
        try:
            return bool(recorded_former_holders(self.files, self.plan_of(run_id)))
        except NotFound:
            return False

    def start(self, run_id: str, by: str, archive_created: bool) -> Run:
        """Start the run that undoes a run. Conflict with the reason when it cannot be undone."""
        run = read_run(self.runs, run_id)
        if run.is_active or run.status is RunStatus.AWAITING_CONFIRMATION:
            raise Conflict("undoGoing")
        if run.undo_of is not None:
            raise Conflict("undoOfUndo")
        pointer = self.ledgers.read(run.export_id)
        undoable(run_id, pointer.value if pointer else None, self.files)
        try:
            self.plan_of(run_id)
        except NotFound as gone:
            raise _too_old() from gone
        options = RunOptions(
            undo_of=run_id, undone_at=run.finished_at, archive_created=archive_created
        )
        started = self.starter.start(run.export_id, Trigger.ON_DEMAND, Mode.EXPORT, by, options)
        if (started.undo_of, started.archive_created) != (run_id, archive_created):
            raise Conflict("otherRunGoing")
        return started


def undoable(run_id: str, pointer: LedgerPointer | None, files: Files) -> LedgerPointer:
    """Return the ledger that an undo starts from. Conflict when the run cannot be undone, or no longer."""
    if pointer is None or pointer.sent_by != run_id:
        raise Conflict("undoNotNewest")
    needed = [pointer.blob, outcomes_table(run_id), *([pointer.before] if pointer.before else [])]
    if not all(exists(files, blob) for blob in needed):
        raise _too_old()
    return pointer


def recorded_former_holders(files: Files, plan: Plan) -> list[str]:
    """The blobs that record who had the tags that a run took over from others. Earlier versions recorded none."""
    recorded = set(files.names(former_holders_folder(plan.run_id)))
    return [
        blob
        for tag in plan.tags
        if (blob := former_holders_blob(plan.run_id, tag.tag_id)) in recorded
    ]


def _too_old() -> Conflict:
    return Conflict("undoTooOld")
