"""The steps of a refresh: wait, start a run, report that the refresh is incomplete, or close it.

refresh_progress.py has the rules that decide which step follows a check; here the step is taken.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from shared.errors import ConfigError
from shared.messaging.events import log_event
from shared.model.export import Export
from shared.model.finding import Finding, Reason, Severity
from shared.model.ids import run_id_at
from shared.model.ports import Records, Stored
from shared.model.run import Mode, Run, RunStatus, Trigger
from shared.runs.lookup import NewestRun, newest_run, newest_run_id, was_started_after
from shared.runs.start import Starter
from shared.runs.transitions import Transitions
from shared.scheduling.open_refreshes import OpenRefreshes
from shared.scheduling.refresh_progress import (
    CheckResult,
    Decision,
    FilesState,
    RefreshProgress,
    Step,
    WaitingTimes,
    decide,
    digest,
    wait,
)


@dataclass(frozen=True)
class RefreshSteps:
    """Decides which step follows a check, and takes it."""

    open_refreshes: OpenRefreshes
    runs: Records[Run]
    newest: Records[NewestRun]
    transitions: Transitions
    starter: Starter
    now: Callable[[], datetime]
    times: WaitingTimes

    def after_check(
        self, export: Export, stored: Stored[RefreshProgress], result: CheckResult
    ) -> None:
        """Take the step that follows a check with this result."""
        decision = decide(stored.value, result, self.now(), self.times)
        if decision.step is Step.START and self._must_wait_for_run(export.id):
            waited = (self.now() - (decision.progress.opened_at or self.now())).total_seconds()
            delay = min(max(self.times.unchanged, waited / 10), self.times.longest_interval)
            decision = wait(decision.progress, self.now(), delay, self.times)
        if decision.step is Step.REPORT:
            self._record_incomplete(export, decision.progress, result)
            progress = replace(decision.progress, incomplete_since=self.now())
            decision = replace(decision, step=Step.WAIT, progress=progress)
        if decision.step is Step.WAIT:
            self._wait(stored, decision)
        elif decision.step is Step.START:
            self._start(stored, decision.progress, result)
        else:
            if decision.step is Step.GIVE_UP:
                self._record_incomplete(export, decision.progress, result)
            self.open_refreshes.write(stored, _closed(decision.progress, result))

    def complete_start(self, stored: Stored[RefreshProgress]) -> Stored[RefreshProgress] | None:
        """Start the run that `starting_at` announces, unless it was started already.

        While a run is active that does not send all changes, such as a retry, this is tried again later.
        Returns the stored progress if newer announcements remain to be checked, else None.
        """
        progress, now = stored.value, self.now()
        intended_at = progress.starting_at
        if intended_at is None or not was_started_after(
            self.newest, stored.key, progress.newest_before, intended_at
        ):
            try:
                run = self.starter.start(stored.key, Trigger.REFRESH, Mode.EXPORT)
            except ConfigError as error:
                # The export has no connection or was removed: there is nothing to run.
                log_event("refresh.notStarted", exportId=stored.key, reason=error.code)
            else:
                if not run.sends_all_changes:
                    delay = self.times.longest_interval
                    self._wait(stored, wait(progress, now, delay, self.times))
                    return None
        started = replace(progress, starting_at=None, newest_before=None)
        if progress.announced_models:
            return self.open_refreshes.write(stored, started)
        if progress.recheck_until is not None and now < progress.recheck_until:
            recheck = wait(
                replace(started, opened_at=now), now, self.times.longest_interval, self.times
            )
            self._wait(stored, recheck)
        else:
            self.open_refreshes.write(stored, replace(started, open=False))
        return None

    def _wait(self, stored: Stored[RefreshProgress], decision: Decision) -> None:
        # The reminder first: without one, the refresh would wait for the next tick.
        self.open_refreshes.remind(stored.key, decision.progress.check_number, decision.delay)
        self.open_refreshes.write(stored, decision.progress)

    def _start(
        self, stored: Stored[RefreshProgress], progress: RefreshProgress, result: CheckResult
    ) -> None:
        """Start a run exactly once: the intent is stored first."""
        begun = replace(
            _closed(progress, result),
            open=True,
            starting_at=self.now(),
            newest_before=newest_run_id(self.newest, stored.key),
        )
        written = self.open_refreshes.write(stored, begun)
        if written is not None:
            self.complete_start(written)

    def _must_wait_for_run(self, export_id: str) -> bool:
        """Whether there is an active run that might not read the state that this check found.

        A queued run of the whole export will read it, because it pins its files after this check.
        """
        run = newest_run(self.newest, self.runs, export_id)
        if run is None or not run.is_active:
            return False
        return run.status is not RunStatus.QUEUED or not run.sends_all_changes

    def _record_incomplete(
        self, export: Export, progress: RefreshProgress, result: CheckResult
    ) -> None:
        now = self.now()
        begun = progress.incomplete_since or progress.opened_at or now
        minutes = round(self.times.limit / 60)
        cause = result.cause
        waited_for = (Finding(Severity.WARNING, cause.code, cause.values),) if cause else ()
        run = Run(
            id=run_id_at(begun, digest(export.id, *progress.announced_models)),
            export_id=export.id,
            trigger=Trigger.REFRESH,
            mode=Mode.EXPORT,
            status=RunStatus.SKIPPED,
            reason=Reason("refreshNeverComplete", values={"minutes": str(minutes)}),
            findings=waited_for,
            queued_at=begun,
            finished_at=now,
            moved_at=now,
        )
        if self.transitions.create(run) == run:
            log_event("refresh.notComplete", exportId=export.id, runId=run.id, minutes=minutes)


def _closed(progress: RefreshProgress, result: CheckResult) -> RefreshProgress:
    """Close the refresh: the announced writes are handled."""
    complete = result.state in (FilesState.NEW, FilesState.MIXED, FilesState.SAME)
    return replace(
        progress,
        open=False,
        incomplete_since=None,
        handled_models={**progress.handled_models, **result.models},
        announced_models=(),
        exported=result.fingerprint if complete else progress.exported,
        exported_files=result.files if complete else progress.exported_files,
    )
