"""Changes the state of runs, with one conditional write each, and logs when a run ends.

A run that is over never changes again, except for marks that its end was logged and its files were
cleared, and for the runs that retry or undo it. `run.finished` is logged by the process whose write ended the run, after that write, so
several processes that end the same run log it once. If that process is killed before it has marked
the run, the tick logs it: at least once. A run that waits for a confirmation is not over:
`run.waiting` is logged instead, at most once.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime

from shared.errors import Conflict, ConnectorError, NotFound
from shared.messaging.events import log_run_finished, log_run_waiting
from shared.model.figures import Planning, Progress
from shared.model.finding import Reason, Severity
from shared.model.plan import Plan
from shared.model.ports import Records, update
from shared.model.run import (
    ACTIVE,
    REMOVAL_GUARD,
    TERMINAL,
    Mode,
    Run,
    RunStatus,
)
from shared.runs.confirmation import findings_after_confirmation, with_confirmation
from shared.runs.planning_ended import PlanningEnded

_BEFORE_PLAN = frozenset({RunStatus.QUEUED, RunStatus.PLANNING})
# No process works on the run, so it ends at once.
_NO_STEP_ACTIVE = frozenset({RunStatus.QUEUED, RunStatus.AWAITING_CONFIRMATION})


@dataclass(frozen=True)
class Transitions:
    """Changes runs. Every method may be called twice and returns the run as it is afterwards.

    A method does nothing when the run is in another state than the one that the change starts from.
    NotFound when the run does not exist. `changed` is called with the id of a run after each change.
    """

    runs: Records[Run]
    now: Callable[[], datetime]
    changed: Callable[[str], None] = lambda _: None

    # --- start ---

    def create(self, run: Run) -> Run:
        """Record a new run. Returns the stored run, which another process may have recorded first."""
        run = replace(run, end_logged=not run.is_over)
        try:
            self.runs.create(run.id, run)
        except Conflict:
            stored = self.runs.read(run.id)
            return stored.value if stored else run
        return self._log(run)

    # --- planning ---

    def begin_planning(self, run_id: str) -> Run:
        """queued -> planning, or -> canceled when a cancel was requested."""

        def begun(run: Run) -> Run:
            if run.cancel_requested:
                return self._canceled(run)
            now = self.now()
            return replace(
                run, status=RunStatus.PLANNING, started_at=run.started_at or now, moved_at=now
            )

        return self._change(run_id, _BEFORE_PLAN, begun)

    def complete_planning(self, run_id: str, plan: Plan) -> Run:
        """planning -> sending with the plan's figures. A preview ends here."""

        def planned(run: Run) -> Run:
            now = self.now()
            run = replace(
                run,
                reason=None,
                waiting_since=None,
                counts=plan.counts,
                calls=plan.calls,
                findings=plan.findings,
                segments=plan.run_segments(),
                audience_size=plan.audience_size,
                definition=plan.definition,
                progress=Progress(0, plan.people_to_send + plan.removals, 0, plan.chunks),
                audience_name=plan.audience_name,
                sending_at=now,
                moved_at=now,
            )
            if run.cancel_requested:
                return self._canceled(run)
            if run.mode is Mode.PREVIEW:
                return _ended_preview(run, plan, now)
            return replace(run, status=RunStatus.SENDING)

        return self._change(run_id, {RunStatus.PLANNING}, planned)

    def mark_planning(self, run_id: str, planning: Planning) -> Run:
        """Record how far planning is."""
        return self._change(
            run_id,
            {RunStatus.PLANNING},
            lambda run: replace(run, planning=planning, moved_at=self.now()),
        )

    def wait_in_planning(self, run_id: str, cause: Reason) -> Run:
        """Record why a run that is being planned currently has to wait."""

        def waiting(run: Run) -> Run:
            now = self.now()
            return replace(run, reason=cause, waiting_since=run.waiting_since or now, moved_at=now)

        return self._change(run_id, _BEFORE_PLAN, waiting)

    def end_planning(self, run_id: str, end: PlanningEnded) -> Run:
        """planning -> skipped, failed or awaitingConfirmation, without a plan."""

        def ended(run: Run) -> Run:
            if run.cancel_requested:
                return self._canceled(run)
            now = self.now()
            return replace(
                run,
                status=end.status,
                reason=end.reason,
                counts=end.counts,
                findings=end.findings,
                audience_size=end.audience_size,
                definition=end.definition,
                moved_at=now,
                finished_at=None if end.status is RunStatus.AWAITING_CONFIRMATION else now,
            )

        return self._change(run_id, _BEFORE_PLAN, ended)

    # --- sending and finishing ---

    def begin_finishing(self, run_id: str, reason: Reason | None = None) -> Run:
        """sending -> finishing. `reason` is why sending stops early; one that is already recorded is kept."""
        return self._change(
            run_id,
            {RunStatus.SENDING},
            lambda run: replace(
                run,
                status=RunStatus.FINISHING,
                reason=run.reason or reason,
                moved_at=self.now(),
            ),
        )

    def return_to_sending(self, run_id: str) -> Run:
        """finishing -> sending, because chunks are still waiting."""
        return self._change(
            run_id,
            {RunStatus.FINISHING},
            lambda run: replace(run, status=RunStatus.SENDING, moved_at=self.now()),
        )

    def finish(self, run_id: str, result: Callable[[Run], Run]) -> Run:
        """finishing -> the state, reason and figures that `result` gives the run."""

        def finished(run: Run) -> Run:
            now = self.now()
            return replace(result(run), moved_at=now, finished_at=now)

        return self._change(run_id, {RunStatus.FINISHING}, finished)

    def fail(self, run_id: str, reason: Reason, measured: Callable[[Run], Run]) -> Run:
        """Any active state -> failed. `measured` adds the progress so far."""

        def failed(run: Run) -> Run:
            now = self.now()
            seen = measured(run)
            return replace(
                seen,
                status=RunStatus.FAILED,
                reason=reason,
                progress=replace(seen.progress, seconds_left=None),
                moved_at=now,
                finished_at=now,
            )

        return self._change(run_id, ACTIVE, failed)

    # --- the watchdog's marks, which change no status ---

    def mark_waiting(self, run_id: str) -> Run:
        """Record that a run is waiting for connections, so the watchdog does not treat it as stalled."""
        return self._change(
            run_id, {RunStatus.SENDING}, lambda run: replace(run, moved_at=self.now())
        )

    def mark_resumed(self, run_id: str, times: int, progress: str) -> Run:
        """Record how often the run was resumed without progress, and how far it is."""
        return self._change(
            run_id,
            ACTIVE,
            lambda run: replace(
                run, resumed=times, resumed_at=self.now(), resumed_progress=progress
            ),
        )

    # --- commands ---

    def cancel(self, run_id: str, everything_sent: Callable[[], bool]) -> Run:
        """queued or awaitingConfirmation -> canceled. In other states, request a cancel from the steps.

        Conflict when the run is over, or has sent everything and is only being finished.
        """

        def canceled(run: Run) -> Run:
            if run.is_over:
                raise Conflict("runOver")
            if run.status in _NO_STEP_ACTIVE:
                return self._canceled(run)
            if run.status is RunStatus.FINISHING:
                if run.is_stopped:
                    return run  # already stopped
                if everything_sent():
                    raise Conflict("runFinishing")
            return replace(run, cancel_requested=True)

        return self._change(run_id, frozenset(RunStatus), canceled)

    def confirm(self, run_id: str, check: Callable[[Run], None] = lambda _: None) -> Run:
        """awaitingConfirmation -> sending (of the removals), or -> queued when there is no plan yet.

        `check` gets the run that is confirmed, and raises an error if it must not be.
        """

        def confirmed(run: Run) -> Run:
            check(run)
            now = self.now()
            after = with_confirmation(run)
            return replace(
                after,
                status=RunStatus.QUEUED if run.waits_to_send else RunStatus.SENDING,
                reason=None,
                findings=findings_after_confirmation(run.findings, after.confirmed),
                finished_at=None,
                confirmed_at=now,
                moved_at=now,
            )

        return self._change(run_id, {RunStatus.AWAITING_CONFIRMATION}, confirmed)

    def close_waiting(
        self, run_id: str, status: RunStatus, reason: Reason, at: datetime | None = None
    ) -> Run:
        """awaitingConfirmation -> a final state, because the run no longer waits for an answer."""
        return self._change(
            run_id,
            {RunStatus.AWAITING_CONFIRMATION},
            lambda run: replace(run, status=status, reason=reason, finished_at=at or self.now()),
        )

    def cancel_for_removed_export(self, run_id: str) -> Run:
        """queued or awaitingConfirmation -> canceled. In other states, request a cancel from the steps."""

        def canceled(run: Run) -> Run:
            if run.status in _NO_STEP_ACTIVE:
                reason = Reason("exportRemoved")
                return replace(
                    run, status=RunStatus.CANCELED, reason=reason, finished_at=self.now()
                )
            return replace(run, cancel_requested=True)

        return self._change(run_id, frozenset(RunStatus) - TERMINAL, canceled)

    # --- afterwards ---

    def log_end(self, run: Run) -> Run:
        """Log `run.finished`, and mark the run. Without the mark, the tick logs it again."""
        log_run_finished(run)
        with suppress(ConnectorError):
            return update(self.runs, run.id, lambda stored: replace(stored, end_logged=True)).value
        return run

    def add_later(self, run_id: str, later_id: str) -> None:
        """Record that a run retries or undoes another one, which may be gone."""

        def added(run: Run) -> Run | None:
            return None if later_id in run.later else replace(run, later=(*run.later, later_id))

        with suppress(NotFound):
            update(self.runs, run_id, added)

    def mark_cleared(self, run_id: str) -> None:
        """Record that the plan, chunks and outcomes of a run that is over are deleted."""
        update(self.runs, run_id, lambda run: replace(run, cleared=True) if run.is_over else None)

    # --- internals ---

    def _canceled(self, run: Run) -> Run:
        guarded = run.reason is not None and run.reason.code == REMOVAL_GUARD
        now = self.now()
        return replace(
            run,
            status=RunStatus.CANCELED,
            reason=Reason("canceledRemovals") if guarded else Reason("canceledBeforeSending"),
            moved_at=now,
            finished_at=now,
        )

    def _change(
        self, run_id: str, states: Collection[RunStatus], change: Callable[[Run], Run]
    ) -> Run:
        """Change a run that is in one of these states, retry after write conflicts, and log the result."""
        before: RunStatus | None = None

        def changed(run: Run) -> Run | None:
            nonlocal before
            before = run.status
            if run.status not in states:
                return None
            after = change(run)
            return replace(
                after, end_logged=not after.is_over, waited_seconds=self._waited(run, after)
            )

        run = update(self.runs, run_id, changed).value
        self.changed(run_id)
        return self._log(run) if run.status is not before else run

    def _waited(self, run: Run, after: Run) -> float:
        """The seconds that a run has waited for confirmations so far, with the wait that this change ends. It began at `moved_at`."""
        if run.status is not RunStatus.AWAITING_CONFIRMATION or run.moved_at is None:
            return run.waited_seconds
        return (
            run.waited_seconds + ((after.finished_at or self.now()) - run.moved_at).total_seconds()
        )

    def _log(self, run: Run) -> Run:
        if run.is_over:
            return self.log_end(run)
        if run.status is RunStatus.AWAITING_CONFIRMATION:
            log_run_waiting(run)
        return run


def _ended_preview(run: Run, plan: Plan, now: datetime) -> Run:
    has_warnings = any(f.severity is not Severity.INFO for f in plan.findings)
    if plan.reason is not None:
        status = RunStatus.FAILED
    elif has_warnings or plan.counts.rejected > plan.rejected_before:
        status = RunStatus.COMPLETED_WITH_WARNINGS
    else:
        status = RunStatus.SUCCESSFUL
    return replace(
        run,
        status=status,
        reason=plan.reason,
        progress=replace(run.progress, percent=100),
        finished_at=now,
    )
