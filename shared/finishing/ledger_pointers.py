"""The pointer to the ledger of an export: which run may replace it, and its content after the run."""

from __future__ import annotations

from dataclasses import dataclass, replace

from shared.errors import Changed
from shared.finishing.next_ledger import NextLedger
from shared.model.ledger import LedgerPointer
from shared.model.names import audience_key, ledger_folder, run_of_ledger
from shared.model.plan import Plan
from shared.model.ports import Files, Records, Stored, create_or_replace
from shared.model.run import Mode, Run


class LedgerSuperseded(Exception):
    """A later run has written the ledger of the export."""


@dataclass(frozen=True)
class LedgerPointers:
    """Reads and replaces the pointers to ledgers."""

    records: Records[LedgerPointer]
    files: Files

    def check_not_superseded(self, run: Run, plan: Plan) -> None:
        """Raise LedgerSuperseded when a later run has written the ledger."""
        self._replaceable(run, plan)

    def _replaceable(self, run: Run, plan: Plan) -> Stored[LedgerPointer] | None:
        """Return the pointer that this run may replace: the one it was planned with, or its own.

        LedgerSuperseded when another run wrote it. Then this process was delayed for so long that the
        run was ended and a later run was sent, whose ledger must be kept.
        """
        stored = self.records.read(plan.export_id)
        if stored is not None and stored.value.run_id not in (run.id, plan.ledger_run):
            raise LedgerSuperseded
        return stored

    def replace_ledger(
        self, run: Run, plan: Plan, next_ledger: NextLedger, *, complete: bool, sent: bool
    ) -> None:
        """Replace the ledger of the export by the next one, and delete those that are not needed any more.

        `complete`: the run sent everyone. `sent`: it sent at least something. LedgerSuperseded when a later run has
        written the ledger.
        """
        while True:
            stored = self._replaceable(run, plan)
            current = stored.value if stored else None
            blob, people = next_ledger.wait_until_stored(current)
            pointer = replace(
                _next_pointer(current, run, plan, complete=complete, sent=sent),
                blob=blob,
                people=people,
            )
            try:
                create_or_replace(self.records, plan.export_id, pointer, stored)
            except Changed:
                continue
            break
        self._delete_earlier(run, plan, pointer)

    def _delete_earlier(self, run: Run, plan: Plan, pointer: LedgerPointer) -> None:
        """Delete ledgers of earlier runs, except the one that an undo needs and the one of the plan.

        After a confirmation, or a crash, the outcomes are folded into the ledger of the plan again. A later run may
        write its own ledger at this moment. Run ids sort newest first.
        """
        for name in list(self.files.names(ledger_folder(plan.export_id))):
            if run_of_ledger(name) > run.id and name not in (plan.ledger, pointer.before):
                self.files.delete(name)


def _next_pointer(
    current: LedgerPointer | None, run: Run, plan: Plan, *, complete: bool, sent: bool
) -> LedgerPointer:
    """Return the pointer that follows the current one, still without the blob and the number of people."""
    partial = run.mode.is_partial
    fingerprint = plan.source_fingerprint if complete or partial else ""
    was_whole = (
        current is not None
        and current.is_of(plan.account_id, plan.audience_id)
        and current.is_whole
    )
    members, complete_run = _last_complete(current, run, plan, complete=complete)
    members_before, complete_before = _before(current, run)
    pointer = LedgerPointer(
        blob="",
        run_id=run.id,
        source_fingerprint=fingerprint,
        sent_by=run.id,
        before=plan.ledger or "",
        audience=audience_key(plan.account_id, plan.audience_id),
        whole=fingerprint != "" or was_whole,
        excluded_members=members,
        excluded_before=members_before,
        complete_run=complete_run,
        complete_before=complete_before,
    )
    # An undo that was stopped leaves the run undoable: another undo restores the rest. After a run of
    # one person, the run before can still be undone.
    stopped_undo = run.undo_of is not None and not complete
    if not sent or run.mode is Mode.ONE_PERSON or stopped_undo:
        undoable = current or LedgerPointer("", "")
        pointer = replace(
            pointer,
            sent_by=undoable.sent_by,
            before=undoable.before,
            excluded_before=undoable.excluded_before,
            complete_before=undoable.complete_before,
        )
    return _after_partial(pointer, current, plan) if partial and current is not None else pointer


def _last_complete(
    current: LedgerPointer | None, run: Run, plan: Plan, *, complete: bool
) -> tuple[dict[str, int], str]:
    """The members of exclusion segments, and the run with objections, with which the next run is compared.

    They change when a run has sent everyone; until then, every run notices that an exclusion segment has lost members, or
    that objections are missing. An undo returns to those before the run that it undoes.
    """
    sends_everyone = plan.source_fingerprint != "" and not run.mode.is_partial
    if sends_everyone and not run.is_stopped:
        return plan.excluded_members, run.id
    if current is None:
        return {}, ""
    if run.undo_of is not None and complete and current.run_id != run.id:
        # Pointers of earlier versions, and those of a first run, have none.
        return (
            current.excluded_before or current.excluded_members,
            current.complete_before or current.run_with_objections,
        )
    return current.excluded_members, current.run_with_objections


def _before(current: LedgerPointer | None, run: Run) -> tuple[dict[str, int], str]:
    """What `_last_complete` was before this run. If its finish is repeated, `current` may be its own pointer."""
    if current is None:
        return {}, ""
    if current.run_id == run.id:
        return current.excluded_before, current.complete_before
    return current.excluded_members, current.run_with_objections


def _after_partial(pointer: LedgerPointer, current: LedgerPointer, plan: Plan) -> LedgerPointer:
    """The pointer after a partial run, which has no outcomes of the other rows."""
    rows_of = current.rows_of or (current.run_id if current.run_id != pointer.run_id else "")
    if not current.is_of(plan.account_id, plan.audience_id):
        # The undo of a run belongs to the audience of that run.
        return replace(pointer, rows_of=rows_of, sent_by="", before="")
    return replace(pointer, rows_of=rows_of)
