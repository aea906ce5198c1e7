"""The steps that finish a run. Each may be repeated:

1. Gather the outcomes, and delete people in Mailchimp who were erased meanwhile.
2. Begin to upload the outcomes, which continues during the next steps.
3. Fold the outcomes into the next ledger.
4. Compare the tags in Mailchimp with the ledger.
5. Replace the ledger, and publish the outcomes for Customer Insights.
6. Close the run.

After a crash before the last step, the same outcomes are folded into the same earlier ledger again, with the
same result.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from duckdb import DuckDBPyConnection

from shared.capacity.pace import AccountPace
from shared.finishing.erased_contacts import ErasedContacts
from shared.finishing.final_status import (
    consent_proof,
    count_refusals,
    final_counts,
    final_status,
    people_unconfirmed,
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
from shared.finishing.ledger_pointers import LedgerPointers
from shared.finishing.mailchimp_check import Checked, MailchimpCheck
from shared.finishing.next_ledger import NextLedger
from shared.finishing.stopped_run import (
    is_complete,
    status_of_stopped,
    unsent_code,
    without_reason_if_all_sent,
)
from shared.memory import return_freed_memory, waiting_for_network
from shared.model.chunk import Chunk, ChunkState
from shared.model.finding import Finding, Severity
from shared.model.names import ledger_blob, outcomes_table
from shared.model.plan import Plan
from shared.model.ports import Files, Records
from shared.model.run import Mode, Run
from shared.people.erasures import Erasures
from shared.people.suppression import suppress_erased_in_ledger, suppress_erased_in_outcomes
from shared.planning.reading.ledger import download_ledger, open_ledger
from shared.runs.confirmation import findings_after_confirmation
from shared.runs.outcome_file import OutcomeFile
from shared.runs.progress import with_progress
from shared.runs.transitions import Transitions
from shared.workspace import workspace

# Local files.
_NEXT = "next.parquet"
_OUTCOMES = "outcomes.parquet"
# With fewer people, starting and ending the lanes takes most of the time.
_LEAST_MEASURED = 1_000


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
class _Uploads:
    """The uploads of a run's outcomes. `file` is that of the file for Customer Insights, or None if the run has none."""

    table: Future[None]
    file: Future[None] | None


@dataclass(frozen=True)
class FinishSteps:
    """Finishes a run, step by step. `token` returns new random text."""

    transitions: Transitions
    chunks: Records[Chunk]
    pointers: LedgerPointers
    erasures: Erasures
    files: Files
    check: MailchimpCheck
    erased_contacts: ErasedContacts
    pace: AccountPace
    outcome_file: OutcomeFile
    now: Callable[[], datetime]
    token: Callable[[], str]

    def finish(self, run: Run, plan: Plan) -> None:
        """Finish a run that sends nothing any more. LedgerSuperseded and PlanGone when it cannot be finished."""
        chunks = [stored.value for stored in self.chunks.all(run.id)]
        run = without_reason_if_all_sent(run, chunks)
        # Tags must not be compared with the ledger of a run that another one has superseded.
        self.pointers.check_not_superseded(run, plan)
        with workspace() as (db, scratch), ThreadPoolExecutor(2) as threads:
            data = _RunData(run, plan, chunks, db, scratch, threads)
            counting = threads.submit(self.check.count, run, plan)
            ledger = threads.submit(download_ledger, self.files, plan, scratch)
            self._gather(data)
            if counting.done():
                # This raises an error if no connection was free: the next attempt repeats all steps, so the others can wait.
                counting.result()
            about_erased = self.erased_contacts.delete(db, plan, counting)
            suppress_erased_in_outcomes(db, self.erasures.marker_for_all(), make_outcomes_writable)
            uploads = self._upload_outcomes(data)
            self._fold(data, ledger.result())
            about_values = value_findings(db, plan, values_of_next)
            # Read again: the ledger can still leave out people who were erased since the outcomes were made.
            suppress_erased_in_ledger(db, self.erasures.marker_for_all(), make_next_writable)
            with waiting_for_network(db):
                counts = counting.result()
            checked = self.check.check(db, run, plan, chunks, counts)
            about_file = self._store(data, uploads)
            # Before the run is closed: otherwise a crash in between would leave its share of slots in use.
            self.pace.leave(plan.account_id, run.id, _people_per_second(run, chunks))
            findings = (*checked.findings, *about_file, *about_values, *about_erased)
            self._close(data, replace(checked, findings=findings))

    def _gather(self, data: _RunData) -> None:
        """Make `outcomes` from what the lanes recorded."""
        db, scratch = data.db, data.scratch
        gather_outcomes(db, data.plan, data.chunks, self.files, scratch, unsent_code(data.run))
        return_freed_memory(db)
        fold_outcomes(db, scratch / _OUTCOMES)
        return_freed_memory(db)

    def _upload_outcomes(self, data: _RunData) -> _Uploads:
        """Begin to upload the outcomes, as a table and as the file for Customer Insights."""
        run, plan, db, scratch = data.run, data.plan, data.db, data.scratch
        table = scratch / _OUTCOMES
        write_outcomes(db, table)
        # A process that was delayed may have been replaced by another one, which ended the run.
        self.pointers.check_not_superseded(run, plan)
        uploading = data.threads.submit(self.files.upload, table, outcomes_table(run.id))
        if run.mode.is_partial:
            # The file always describes the newest run with all rows.
            return _Uploads(uploading, None)
        file = self.outcome_file.write(db, plan, scratch)
        return _Uploads(uploading, data.threads.submit(self.outcome_file.upload, plan, file))

    def _fold(self, data: _RunData, before: Path | None) -> None:
        """Make `next` from what the lanes recorded and `before`, the ledger of the plan."""
        plan, db = data.plan, data.db
        open_ledger(db, before, plan.deleted_tags)
        if before is None or plan.deleted_tags or not keep_ledger(db):
            fold_ledger(db, plan, data.scratch / _NEXT)
        return_freed_memory(db)

    def _store(self, data: _RunData, uploads: _Uploads) -> Sequence[Finding]:
        """Replace the ledger, and publish the outcomes. Returns findings about the file for Customer Insights."""
        run, plan, db, scratch = data.run, data.plan, data.db, data.scratch
        blob = ledger_blob(plan.export_id, f"{run.id}-{self.token()}")
        next_ledger = NextLedger(db, self.files, scratch / _NEXT, blob, plan.ledger, data.threads)
        self.pointers.replace_ledger(
            run, plan, next_ledger, complete=is_complete(run, data.chunks), sent=sent_anything(db)
        )
        uploads.table.result()
        return [] if uploads.file is None else self.outcome_file.publish(plan, uploads.file)

    def _close(self, data: _RunData, checked: Checked) -> None:
        """End the run with its counts, findings and final status."""
        run, plan, chunks, db = data.run, data.plan, data.chunks, data.db
        counts = final_counts(db, plan.counts)
        unconfirmed = people_unconfirmed(db)
        proof = consent_proof(db)
        refusals = count_refusals(db)
        findings = (*checked.findings, *unsubscribe_findings(db))
        if run.mode is Mode.ARCHIVE and proof.archived < plan.removals:
            values = {"people": str(plan.removals - proof.archived)}
            findings += (Finding(Severity.WARNING, "contactsNotArchived", values=values),)
        calls = sum((chunk.calls for chunk in chunks), plan.calls + checked.calls)

        def result(current: Run) -> Run:
            current = without_reason_if_all_sent(current, chunks)
            status, reason = status_of_stopped(current, chunks) or final_status(
                plan, counts, findings, unconfirmed, refusals
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
                findings=(
                    *findings_after_confirmation(plan.findings, current.confirmed),
                    *findings,
                ),
            )

        self.transitions.finish(run.id, result)


def _people_per_second(run: Run, chunks: Sequence[Chunk]) -> float | None:
    """Measure the speed of a run; None for a run that is too small or too short to measure."""
    if run.sending_at is None or run.moved_at is None:
        return None
    if run.removals_confirmed:  # the time below includes the wait for the confirmation
        return None
    people = sum(chunk.people for chunk in chunks if chunk.state is ChunkState.DONE)
    seconds = float((run.moved_at - run.sending_at).total_seconds())
    if people < _LEAST_MEASURED or seconds < 1:
        return None
    return round(people / seconds, 1)
