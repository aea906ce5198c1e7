"""Starts an undo: which run can be undone, and the run that undoes it.

An undo is a separate run with the same steps, so crashes, throttling and cancels are handled as in
every run. Only the newest run that sent something can be undone, because the values from before
older runs are overwritten.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from shared.errors import Conflict, NotFound
from shared.model.ledger import LedgerPointer
from shared.model.names import (
    former_holders_blob,
    former_holders_folder,
    outcomes_table,
    own_tag_holders_blob,
)
from shared.model.plan import Plan
from shared.model.ports import Files, Records, exists, readable
from shared.model.run import NO_LEDGER, TAG_EXISTS, Mode, Run, RunStatus, Trigger
from shared.runs.lookup import read_run
from shared.runs.start import RunOptions, Starter

# How many earlier runs are read at a time. After a run that recorded who had a tag and was stopped, few runs end without a
# comparison of the tags.
_EARLIER_RUNS = 20


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
        """Whether an undo gives back a tag that the export took over from others. Earlier versions did not record who had it."""
        try:
            plan = self.plan_of(run_id)
            return bool(_recorded(self.files, self.runs, plan, (former_holders_blob,)))
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


def recorded_former_holders(files: Files, runs: Records[Run], plan: Plan) -> list[str]:
    """The blobs that record who had the tags of a run before it, if no ledger shows this. Earlier versions recorded none.

    The run took a tag over from others, or it found no ledger for the audience. If such a run was stopped, or sent one person
    only, it took the tag from no one: the next run that compared the tags with Mailchimp did.
    """
    return _recorded(files, runs, plan, (former_holders_blob, own_tag_holders_blob))


def _recorded(
    files: Files, runs: Records[Run], plan: Plan, kinds: Sequence[Callable[[str, int], str]]
) -> list[str]:
    blobs = _former_holders(files, plan.run_id, plan, kinds)
    earlier = runs.all(where={"export": plan.export_id}, after=plan.run_id, page=_EARLIER_RUNS)
    for stored in readable(earlier):
        run = stored.value
        if any(segment.in_mailchimp is not None for segment in run.segments):
            break
        if TAG_EXISTS in run.confirmed or not NO_LEDGER.isdisjoint(f.code for f in run.findings):
            blobs += _former_holders(files, run.id, plan, kinds)
    return blobs


def _former_holders(
    files: Files, run_id: str, plan: Plan, kinds: Sequence[Callable[[str, int], str]]
) -> list[str]:
    """The blobs of one run, for the tags of a plan."""
    recorded = set(files.names(former_holders_folder(run_id)))
    blobs = (name(run_id, tag.tag_id) for tag in plan.tags for name in kinds)
    return [blob for blob in blobs if blob in recorded]


def _too_old() -> Conflict:
    return Conflict("undoTooOld")
