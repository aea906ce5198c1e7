"""Finish a run, in steps that may all be repeated.

Outcomes -> next ledger -> people erased meanwhile deleted in Mailchimp -> tags compared with the ledger ->
outcomes stored, while the ledger is replaced and they are uploaded for Customer Insights -> run closed.
The ledger is replaced before the run is closed. After a crash in between, the same outcomes are
folded into the same earlier ledger again, with the same result.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from duckdb import DuckDBPyConnection

from shared.capacity.on_demand import NO_SLOT
from shared.capacity.pace import AccountPace
from shared.capacity.renewed_lease import hold_lease
from shared.capacity.slots import Slots
from shared.errors import (
    Changed,
    NotFound,
    Unavailable,
)
from shared.finishing.erased_contacts import ErasedContacts
from shared.finishing.final_status import (
    consent_proof,
    count_refusals,
    final_counts,
    final_status,
    people_on_hold,
    status_of_stopped,
    unsubscribe_findings,
    value_findings,
)
from shared.finishing.fold import (
    fold_ledger,
    fold_outcomes,
    keep_ledger,
    make_next_writable,
    make_outcomes_writable,
    sent_anything,
    values_of_next,
    write_outcomes,
)
from shared.finishing.gather import gather_outcomes
from shared.finishing.mailchimp_check import Checked, MailchimpCheck
from shared.finishing.next_ledger import NextLedger
from shared.memory import return_freed_memory, waiting_for_network
from shared.model.chunk import Chunk, ChunkState
from shared.model.ledger import LedgerPointer
from shared.model.names import audience_key, ledger_blob, ledger_folder, outcomes_table
from shared.model.outcome import Code
from shared.model.plan import Plan, PlanGone
from shared.model.ports import Files, Leases, Records, Stored, create_or_replace
from shared.model.run import Finding, Mode, Reason, Run, RunStatus, Severity
from shared.people.erasures import Erasures
from shared.people.suppression import suppress_erased_in_results
from shared.planning.reading.ledger import open_ledger
from shared.runs.abandon import Abandon
from shared.runs.outcome_file import OutcomeFile
from shared.runs.progress import with_progress
from shared.runs.transitions import Transitions
from shared.sending.chunk_queue import ChunkQueue
from shared.sending.run_checks import VALID_SECONDS
from shared.workspace import workspace

_RETRY_SECONDS = 5.0
# Twice the time for which lanes rely on what they have read.
_LANES_KNOW_AFTER = 2 * VALID_SECONDS
_WRONG_CLOCK = 60.0
# Local files.
_NEXT = "next.parquet"
_OUTCOMES = "outcomes.parquet"
# With fewer people, starting and ending the lanes takes most of the time.
_LEAST_MEASURED = 1_000


class _Superseded(Exception):
    """A later run has written the ledger of the export."""


@dataclass(frozen=True)
class _RunData:
    """A run with its plan and chunks, and the database, the folder and the transfer threads with which it is finished."""

    run: Run
    plan: Plan
    chunks: list[Chunk]
    db: DuckDBPyConnection
    scratch: Path
    threads: ThreadPoolExecutor


@dataclass(frozen=True)
class Finisher:
    """Finishes runs. `plan_of` reads a run's plan; `token` returns new random text."""

    runs: Records[Run]
    transitions: Transitions
    chunks: Records[Chunk]
    ledgers: Records[LedgerPointer]
    erasures: Erasures
    files: Files
    leases: Leases
    check: MailchimpCheck
    erased_contacts: ErasedContacts
    slots: Slots
    pace: AccountPace
    plan_of: Callable[[str], Plan]
    abandon: Abandon
    now: Callable[[], datetime]
    token: Callable[[], str]
    outcome_file: OutcomeFile

    def finish(self, run_id: str) -> float | None:
        """Finish a run that has nothing left to send.

        Returns the seconds until the next attempt when the run cannot be finished yet.
        """
        run = self.transitions.begin_finishing(run_id)
        if run.status is not RunStatus.FINISHING:
            return None
        plan = self.plan_of(run_id)
        totals = ChunkQueue(run, plan, self.chunks, self.slots, lambda _: 0).totals()
        if totals.in_progress or (totals.waiting and not run.is_stopped):
            if not run.is_stopped:
                # Chunks are waiting, but no lane is sending them: start lanes again.
                self.transitions.return_to_sending(run_id)
            return 1.0 if totals.in_progress else 0.0
        if totals.waiting and (delay := self._until_lanes_know(run)):
            return delay
        lease = hold_lease(self.leases, f"finish/{run_id}")
        if lease is None:
            return _RETRY_SECONDS
        with lease:
            current = self.runs.read(run_id)
            if current is not None and current.value.status is RunStatus.FINISHING:
                try:
                    self._finish(current.value, plan)
                except Unavailable as error:
                    if error.code != NO_SLOT:
                        raise
                    # Lanes of other runs hold every connection. This is not a failure: try again
                    # when one of them has released its slot.
                    self.pace.reserve_slot(plan.account_id)
                    return _RETRY_SECONDS
                except PlanGone as error:
                    self.abandon.end(run_id, Reason.of(error))
                except _Superseded:
                    self.abandon.end(run_id, Reason("ledgerSuperseded"))
        return None

    def _until_lanes_know(self, run: Run) -> float:
        """Return the seconds until no lane claims a chunk of a stopped run any more.

        A lane checks the state of its run every few seconds only. A chunk that it claims in between must be
        sent and recorded before the outcomes are gathered.
        """
        if run.moved_at is None:
            return 0.0
        stopped_for = (self.now() - run.moved_at).total_seconds()
        # A time far in the future was written by an instance whose clock is wrong.
        if stopped_for < -_WRONG_CLOCK:
            return 0.0
        return min(_LANES_KNOW_AFTER, max(0.0, _LANES_KNOW_AFTER - stopped_for))

    def _finish(self, run: Run, plan: Plan) -> None:
        chunks = [stored.value for stored in self.chunks.all(run.id)]
        run = _after_disconnect(run, chunks)
        self._current_ledger(run, plan)  # before the tags are compared with the ledger of this run
        with workspace() as (db, scratch), ThreadPoolExecutor(2) as threads:
            data = _RunData(run, plan, chunks, db, scratch, threads)
            counting = threads.submit(self.check.count, run, plan)
            self._fold(data)
            about_values = value_findings(db, plan, lambda: values_of_next(db))
            with waiting_for_network(db):
                counts = counting.result()
            # Afterwards, because the calls that count may use the only free connection.
            not_deleted = self.erased_contacts.delete(db, plan)
            suppress_erased_in_results(
                db, self.erasures.marker_for_all(), lambda: _make_results_writable(db)
            )
            checked = self.check.check(db, run, plan, chunks, counts)
            about_file = self._store(data)
            # Before the run is closed: otherwise a crash in between would leave its share of slots in use.
            self.pace.leave(plan.account_id, run.id, _people_per_second(run, chunks))
            findings = (*checked.findings, *about_file, *about_values, *not_deleted)
            self._close(data, replace(checked, findings=findings))

    def _fold(self, data: _RunData) -> None:
        """Make `next` and `outcomes` from what the lanes recorded and the ledger of the plan."""
        plan, db, scratch = data.plan, data.db, data.scratch
        downloading = data.threads.submit(self._ledger_before, plan, scratch)
        gather_outcomes(db, plan, data.chunks, self.files, scratch, _unsent_code(data.run))
        return_freed_memory(db)
        before = downloading.result()
        open_ledger(db, before, plan.deleted_tags)
        if before is None or plan.deleted_tags or not keep_ledger(db):
            fold_ledger(db, plan, scratch / _NEXT)
        return_freed_memory(db)
        fold_outcomes(db, scratch / _OUTCOMES)
        return_freed_memory(db)

    def _store(self, data: _RunData) -> Sequence[Finding]:
        """Store the outcomes and replace the ledger. Returns findings about the file for Customer Insights."""
        run, plan, db, scratch = data.run, data.plan, data.db, data.scratch
        blob = ledger_blob(plan.export_id, f"{run.id}-{self.token()}")
        next_ledger = NextLedger(db, self.files, scratch / _NEXT, blob, plan.ledger, data.threads)
        table = scratch / _OUTCOMES
        write_outcomes(db, table)
        # A process that was delayed may have been replaced by another one, which ended the run.
        self._current_ledger(run, plan)
        uploading = data.threads.submit(self.files.upload, table, outcomes_table(run.id))
        # The file always describes the newest run with all rows.
        csv = None if run.mode.is_partial else self.outcome_file.write(db, plan, scratch)
        self._replace_ledger(
            run, plan, next_ledger, complete=_is_complete(run, data.chunks), sent=sent_anything(db)
        )
        findings = [] if csv is None else self.outcome_file.publish(plan, csv)
        uploading.result()
        return findings

    def _ledger_before(self, plan: Plan, scratch: Path) -> Path | None:
        """The ledger that the plan was made with, as a local file."""
        local = scratch / "ledger.parquet"
        if plan.ledger is None:
            return None
        try:
            self.files.download(plan.ledger, local)
        except NotFound:
            # Someone deleted it: the next ledger has only this run's people, and the next run sends
            # the rest.
            return None
        return local

    def _replace_ledger(
        self, run: Run, plan: Plan, next_ledger: NextLedger, *, complete: bool, sent: bool
    ) -> None:
        """Replace the ledger of the export by the next one."""
        while True:
            stored = self._current_ledger(run, plan)
            current = stored.value if stored else None
            blob, people = next_ledger.wait_until_stored(current)
            pointer = _next_pointer(current, run, plan, complete=complete, sent=sent)
            try:
                create_or_replace(
                    self.ledgers,
                    plan.export_id,
                    replace(pointer, blob=blob, people=people),
                    stored,
                )
            except Changed:
                continue
            break
        # The plan's own ledger is kept: after a confirmation, or a crash here, the outcomes are folded
        # into it again. Only ledgers of earlier runs are deleted, because a later run may write its own
        # at this moment. Run ids sort newest first.
        for name in list(self.files.names(ledger_folder(plan.export_id))):
            written_by = name.rpartition("/")[2].partition("-")[0]
            if written_by > run.id and name not in (plan.ledger, pointer.before):
                self.files.delete(name)

    def _current_ledger(self, run: Run, plan: Plan) -> Stored[LedgerPointer] | None:
        """Return the pointer that this run may replace: the one it was planned with, or its own.

        _Superseded when another run wrote it. Then this process was delayed for so long that the
        run was ended and a later run was sent, whose ledger must be kept.
        """
        stored = self.ledgers.read(plan.export_id)
        if stored is not None and stored.value.run_id not in (run.id, plan.ledger_run):
            raise _Superseded
        return stored

    def _close(self, data: _RunData, checked: Checked) -> None:
        run, plan, chunks, db = data.run, data.plan, data.chunks, data.db
        counts = final_counts(db, plan.counts)
        on_hold = people_on_hold(db)
        proof = consent_proof(db)
        refusals = count_refusals(db)
        findings = (*checked.findings, *unsubscribe_findings(db))
        if run.mode is Mode.ARCHIVE and proof.archived < plan.removals:
            values = {"people": str(plan.removals - proof.archived)}
            findings += (Finding(Severity.WARNING, "contactsNotArchived", values=values),)
        calls = sum((chunk.calls for chunk in chunks), plan.calls + checked.calls)

        def result(current: Run) -> Run:
            current = _after_disconnect(current, chunks)
            status, reason = status_of_stopped(current, chunks) or final_status(
                plan, counts, findings, on_hold, refusals
            )
            ended = replace(current, status=status, reason=reason)
            return replace(
                ended,
                progress=with_progress(ended, chunks, self.now()).progress,
                counts=counts,
                consent_proof=proof,
                proof=checked.proof,
                calls=calls,
                segments=checked.segments,
                findings=(*plan.findings, *findings),
            )

        self.transitions.finish(run.id, result)


def _next_pointer(
    current: LedgerPointer | None, run: Run, plan: Plan, *, complete: bool, sent: bool
) -> LedgerPointer:
    """Return the pointer that follows the current one, without the file.

    `complete`: the run sent everyone. `sent`: it sent at least something.
    """
    partial = run.mode.is_partial
    fingerprint = plan.source_fingerprint if complete or partial else ""
    was_whole = (
        current is not None
        and current.is_of(plan.account_id, plan.audience_id)
        and current.is_whole
    )
    pointer = LedgerPointer(
        blob="",
        run_id=run.id,
        source_fingerprint=fingerprint,
        sent_by=run.id,
        before=plan.ledger or "",
        audience=audience_key(plan.account_id, plan.audience_id),
        whole=fingerprint != "" or was_whole,
    )
    # An undo that was stopped leaves the run undoable: another undo restores the rest. After a run of
    # one person, the run before can still be undone.
    stopped_undo = run.undo_of is not None and not complete
    if not sent or run.mode is Mode.ONE_PERSON or stopped_undo:
        undoable = current or LedgerPointer("", "")
        pointer = replace(pointer, sent_by=undoable.sent_by, before=undoable.before)
    return _after_partial(pointer, current, plan) if partial and current is not None else pointer


def _after_partial(pointer: LedgerPointer, before: LedgerPointer, plan: Plan) -> LedgerPointer:
    """The pointer after a partial run, which has no outcomes of the other rows."""
    rows_of = before.rows_of or (before.run_id if before.run_id != pointer.run_id else "")
    if not before.is_of(plan.account_id, plan.audience_id):
        # The undo of a run belongs to the audience of that run.
        return replace(pointer, rows_of=rows_of, sent_by="", before="")
    return replace(pointer, rows_of=rows_of)


def _make_results_writable(db: DuckDBPyConnection) -> None:
    make_next_writable(db)
    make_outcomes_writable(db)


def _people_per_second(run: Run, chunks: Sequence[Chunk]) -> float | None:
    """Measure the speed of a run; None for a run that is too small or too short to measure."""
    if run.sending_at is None or run.moved_at is None:
        return None
    people = sum(chunk.people for chunk in chunks if chunk.state is ChunkState.DONE)
    seconds = float((run.moved_at - run.sending_at).total_seconds())
    if people < _LEAST_MEASURED or seconds < 1:
        return None
    return round(people / seconds, 1)


def _after_disconnect(run: Run, chunks: Sequence[Chunk]) -> Run:
    """The run without its reason, if everything was sent before the connection was lost.

    Only the comparison with Mailchimp is missing then, which the next run does.
    """
    is_disconnected = run.reason is not None and run.reason.code == "disconnected"
    all_sent = all(
        chunk.state in (ChunkState.DONE, ChunkState.UNCONFIRMED) and not chunk.gave_up
        for chunk in chunks
    )
    return replace(run, reason=None) if is_disconnected and all_sent else run


def _is_complete(run: Run, chunks: list[Chunk]) -> bool:
    return not run.is_stopped and all(
        chunk.state is ChunkState.DONE and not chunk.gave_up for chunk in chunks
    )


def _unsent_code(run: Run) -> str:
    if run.reason is not None and run.reason.code == "disconnected":
        return Code.DISCONNECTED
    if run.cancel_requested:
        return Code.CANCELED
    return Code.CALL_FAILED if run.reason is None else Code.RUN_STOPPED
