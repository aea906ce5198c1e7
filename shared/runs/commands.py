"""Commands on a run: read, cancel, confirm, retry."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import partial

from shared.capacity.pace import AccountPace
from shared.errors import Changed, ConfigError, Conflict, InputError
from shared.model.chunk import CHUNK_SIZE, Chunk, ChunkState
from shared.model.finding import Reason
from shared.model.plan import Plan, PlanGone
from shared.model.ports import Queue, Records, readable
from shared.model.run import Mode, Run, RunStatus, Trigger
from shared.runs.confirmation import with_confirmation
from shared.runs.lookup import is_active, read_run
from shared.runs.progress import CurrentProgress
from shared.runs.run_messages import send_lane_messages, send_plan_message
from shared.runs.start import RunOptions, Starter
from shared.runs.transitions import Transitions


@dataclass(frozen=True)
class RunCommands:
    """Use cases on runs. `plan_of` reads a run's plan; `connections` is the number of connections to an account.

    `definition_of` returns the fingerprint of an export as it is now; `Run.definition` is the one when the run was planned.
    `source_of` returns the fingerprint of what an export would send now, including its files and its list of excluded people.
    It raises the errors of a `SegmentSource`.
    """

    runs: Records[Run]
    chunks: Records[Chunk]
    transitions: Transitions
    queue: Queue
    starter: Starter
    progress: CurrentProgress
    pace: AccountPace
    plan_of: Callable[[str], Plan]
    definition_of: Callable[[str], str]
    source_of: Callable[[str], str]
    connections: int

    def read(self, run_id: str) -> Run:
        """Return a run with its current progress. NotFound when the run does not exist."""
        return self.progress.of(read_run(self.runs, run_id))

    def cancel(self, run_id: str) -> Run:
        """Stop a run after its current calls; outcomes and ledger contain what was sent.

        Conflict when the run is over, or has sent everything and is only being finished.
        """
        read_run(self.runs, run_id)
        run = self.transitions.cancel(run_id, lambda: self._is_all_sent(run_id))
        if run.status is RunStatus.SENDING:
            # All lanes may be waiting: a message finishes the run at once.
            send_lane_messages(self.queue, run, 1)
        elif run.status is RunStatus.PLANNING and run.waiting_since is not None:
            send_plan_message(self.queue, run)
        return run

    def confirm(self, run_id: str, check: Callable[[Run], None] = lambda _: None) -> Run:
        """Continue a run that waits for a confirmation. `check` raises an error if the person was asked something else.

        A new run replaces it in three cases. First, if it has already carried out withdrawals of consent: its plan has only
        these. Second, if the export, its files or its list of excluded people were changed since: the change may correct a
        mistake in what waits. Third, if its plan is missing or damaged.

        Conflict when the run does not wait, or its export was detached from its connection. Unavailable when the files cannot
        be read at the moment.
        """
        run = read_run(self.runs, run_id)
        if run.status is not RunStatus.AWAITING_CONFIRMATION or run.reason is None:
            raise Conflict("notWaiting")
        check(run)
        self.starter.refuse_detached(run.export_id)
        if run.waits_to_send:
            if run.sending_at is not None:
                return self._start_confirmed(run)
            run = self.transitions.confirm(run_id, check)
            send_plan_message(self.queue, run)
            return run
        plan = self._find_plan(run_id)
        if plan is None or self._is_outdated(run, plan):
            # What the person confirms is not what the export does now, or is unknown, so the new run may ask again.
            options = RunOptions(retry_of=run.retry_of)
            return self._start_instead(run, options)
        self.pace.join(plan.account_id, run_id, partial(is_active, self.runs))
        run = self.transitions.confirm(run_id, check)
        if run.is_over:  # someone canceled it at the same moment
            self.pace.leave(plan.account_id, run_id)
            return run
        lanes = min(self.connections, -(-plan.removals // CHUNK_SIZE) + len(plan.tags))
        send_lane_messages(self.queue, run, lanes)
        return run

    def _find_plan(self, run_id: str) -> Plan | None:
        """Return the plan of a run; None if it is missing or damaged."""
        try:
            return self.plan_of(run_id)
        except PlanGone:
            return None

    def _is_outdated(self, run: Run, plan: Plan) -> bool:
        """Whether the export, its files or its list of excluded people have changed since the plan was made."""
        if not run.is_of_definition(self.definition_of(run.export_id)):
            return True
        was_read = plan.read_fingerprint or plan.source_fingerprint
        if not was_read:
            return False  # a plan of an earlier version, for example of a retry
        try:
            return self.source_of(run.export_id) != was_read
        except (Changed, ConfigError, InputError):
            return True  # the new run names the fault

    def _start_confirmed(self, run: Run) -> Run:
        """Start the run that replaces a confirmed one."""
        confirmed = with_confirmation(run)
        options = RunOptions(
            retry_of=run.retry_of,
            confirmed=confirmed.confirmed,
            confirmed_new=confirmed.confirmed_new,
            confirmed_members=confirmed.confirmed_members,
            definition=run.definition,
        )
        return self._start_instead(run, options)

    def _start_instead(self, run: Run, options: RunOptions) -> Run:
        """Start a run of the same mode instead of one that waits."""
        return self.starter.start(run.export_id, run.trigger, run.mode, run.requested_by, options)

    def retry(self, run_id: str, by: str) -> Run:
        """Start a run of the rows that failed, including those that were refused permanently.

        Conflict with the reason when nothing can be retried.
        """
        run = self.read(run_id)
        _refuse_retry(run)
        options = RunOptions(retry_of=run_id)
        started = self.starter.start(run.export_id, Trigger.RETRY, Mode.EXPORT, by, options)
        if started.retry_of != run_id:
            raise Conflict("otherRunGoing")
        return started

    def stop_sending(self, export_ids: Collection[str]) -> int:
        """Stop sending for exports whose connection was removed. Returns the number of stopped runs.

        A run that is not sending yet notices the removal when it needs the connection.
        """
        count = 0
        # One query for all exports, because each query reads the whole table.
        for stored in list(readable(self.runs.all(where={"status": RunStatus.SENDING.value}))):
            if stored.value.export_id in export_ids:
                run = self.transitions.begin_finishing(stored.key, Reason("disconnected"))
                count += run.status is RunStatus.FINISHING
                send_lane_messages(self.queue, run, 1)
        return count

    def _is_all_sent(self, run_id: str) -> bool:
        chunks = (stored.value for stored in self.chunks.all(run_id))
        return all(chunk.state in (ChunkState.DONE, ChunkState.UNCONFIRMED) for chunk in chunks)


def _refuse_retry(run: Run) -> None:
    """Raise Conflict when a run has no failed rows, or when they are unknown or already deleted."""
    counts = run.counts
    failed = counts.rejected + counts.not_sent + max(0, counts.left - counts.removed)
    stopped = (
        run.status in (RunStatus.FAILED, RunStatus.CANCELED)
        and not run.sent_everything_before_cancel
    )
    if run.is_active:
        raise Conflict("runGoing")
    if run.status is RunStatus.AWAITING_CONFIRMATION:
        raise Conflict("retryWaiting")
    if run.mode is Mode.PREVIEW:
        raise Conflict("retryPreview")
    if run.mode is Mode.ONE_PERSON:
        raise Conflict("retryOnePerson")
    if run.mode is Mode.ARCHIVE:
        raise Conflict("retryArchive")
    if run.undo_of is not None:
        raise Conflict("retryUndo")
    if not failed and not stopped:
        raise Conflict("retryNothing")
    if run.cleared:
        raise Conflict("retryTooOld")


def can_retry(run: Run) -> bool:
    """Whether a run has rows that can be retried."""
    try:
        _refuse_retry(run)
    except Conflict:
        return False
    return True
