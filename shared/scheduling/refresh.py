"""A refresh of Customer Insights starts the exports that run with every refresh.

An event announces that a `model.json` was written; delayed messages then check for each export whether the
refresh is complete (scheduling/refresh_progress.py). One refresh makes one run, however often it is
announced; one that arrives during a run makes exactly one more, because the refresh stays open until that run
has ended. Events are hints only: the content of the container decides, so late, repeated and reordered events
do no harm.
https://learn.microsoft.com/azure/event-grid/event-schema-blob-storage
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from shared.errors import Changed, ConfigError, Conflict, InputError, Unavailable
from shared.messaging.events import log_event
from shared.messaging.messages import refresh_message, refresh_of
from shared.model.export import Export, Repeat
from shared.model.ledger import LedgerPointer
from shared.model.names import BLOB_EVENTS
from shared.model.ports import Queue, Records, SegmentSource, Stored, readable, update
from shared.model.run import Finding, Mode, Reason, Run, RunStatus, Severity, Trigger
from shared.planning.fingerprint import source_fingerprint
from shared.runs.lookup import NewestRun, newest_run, run_id_at
from shared.runs.start import Starter
from shared.runs.transitions import Transitions
from shared.scheduling.refresh_progress import (
    CheckResult,
    Decision,
    FilesState,
    RefreshProgress,
    Step,
    WaitingTimes,
    check_result,
    decide,
    digest,
    wait,
)
from shared.segments.finding.blob_events import BlobCreated

_REMEMBERED = 32
# The message of a check that is later than this is lost; the tick sends it again.
_LOST = timedelta(seconds=60)


@dataclass(frozen=True)
class Refreshes:
    """Starts exports when a refresh is complete.

    `planned` returns the fingerprint of the source in the plan of a run, None without a plan. `read_events` returns
    the events in a message that are about the landing container. `model_etag` returns the current ETag of a
    `model.json`, None when it does not exist. `excluded` returns the fingerprint of an export's list of excluded
    people.
    """

    exports: Records[Export]
    progress: Records[RefreshProgress]
    runs: Records[Run]
    transitions: Transitions
    newest: Records[NewestRun]
    ledgers: Records[LedgerPointer]
    starter: Starter
    source: SegmentSource
    queue: Queue
    planned: Callable[[str], str | None]
    read_events: Callable[[bytes], Sequence[BlobCreated]]
    model_etag: Callable[[str], str | None]
    now: Callable[[], datetime]
    times: WaitingTimes
    excluded: Callable[[str], str] = lambda _: ""

    def event(self, body: bytes) -> None:
        """Process a message of the queue: events, or our own reminder to check again."""
        check = refresh_of(body)
        if check is not None:
            self.check(*check)
            return
        for announced in self.read_events(body):
            if announced.is_model:
                self.announce(announced)

    def give_up(self, body: bytes) -> None:
        """Log a message that failed in every attempt.

        An open refresh stays open: the tick sends its reminder again.
        """
        try:
            check = refresh_of(body)
        except InputError:
            check = None
        log_event("refresh.messageGaveUp", exportId=check[0] if check else None)

    def announce(self, announced: BlobCreated) -> None:
        """Open a refresh, after a `model.json` was written, for every export that may read it."""
        identity = digest(announced.blob, announced.etag)
        for stored in self._exports_with_refresh():
            if _is_older(announced, stored.value):
                continue
            opened = self._open(stored.key, announced, identity)
            if opened.open:
                self._remind(stored.key, opened.check_number, 0)

    def check(self, export_id: str, check_number: int) -> None:
        """Check whether an export's refresh is complete. Safe to call again."""
        stored = self.progress.read(export_id)
        if stored is None or not stored.value.open or check_number < stored.value.check_number:
            return
        if check_number > stored.value.check_number:
            # The reminder arrived before its record was written.
            raise Unavailable("refreshBusy", retry_after=1)
        export = self.exports.read(export_id)
        if export is None or not _runs_with_refresh(export.value):
            self._write(stored, replace(stored.value, open=False, announced_models=()))
            return
        if stored.value.starting_at is not None:
            stored = self._complete_start(stored)
            if stored is None:
                return
        result = self._check_files(export.value, stored.value)
        self._act(
            export.value, stored, result, decide(stored.value, result, self.now(), self.times)
        )

    def resend_lost(self) -> int:
        """Send lost reminders again; returns their number."""
        late = [
            stored
            for stored in self.progress.all()
            if stored.value.open and self._is_lost(stored.value.next_at)
        ]
        for stored in late:
            self._remind(stored.key, stored.value.check_number, 0)
        return len(late)

    def _is_lost(self, next_at: datetime | None) -> bool:
        """Whether the reminder for a check is lost: it is late, or a clock that was ahead set its time."""
        if next_at is None:
            return True
        late = self.now() - next_at
        return late > _LOST or -late > timedelta(seconds=2 * self.times.longest_interval) + _LOST

    # --- announcing ------------------------------------------------------------------------

    def _exports_with_refresh(self) -> Iterator[Stored[Export]]:
        exports = readable(self.exports.all())
        return (stored for stored in exports if _runs_with_refresh(stored.value))

    def _open(self, export_id: str, announced: BlobCreated, identity: str) -> RefreshProgress:
        now = self.now()
        written_at = announced.written_at or now

        def opened(progress: RefreshProgress) -> RefreshProgress:
            if identity in progress.announcements:
                return progress
            return replace(
                progress,
                open=True,
                check_number=progress.check_number + 1,
                announcements=(*progress.announcements, identity)[-_REMEMBERED:],
                announced_models=tuple(dict.fromkeys((*progress.announced_models, announced.blob))),
                written_at=max(written_at, progress.written_at or written_at),
                opened_at=now,
                incomplete_since=progress.incomplete_since or now,
                next_at=now,
                found="",
                found_since=None,
            )

        try:
            return self.progress.create(export_id, opened(RefreshProgress())).value
        except Conflict:
            return update(self.progress, export_id, opened).value

    # --- checking ---------------------------------------------------------------------------

    def _check_files(self, export: Export, progress: RefreshProgress) -> CheckResult:
        try:
            models = {blob: self.model_etag(blob) or "" for blob in progress.announced_models}
            snapshot = self.source.snapshot(export.segments_read)
            excluded = self.excluded(export.id)
        except Unavailable as error:
            incomplete = error.code == "refreshIncomplete"
            return CheckResult(
                FilesState.INCOMPLETE if incomplete else FilesState.UNKNOWN, cause=Reason.of(error)
            )
        except Changed:
            return CheckResult(FilesState.UNKNOWN, cause=Reason("segmentsBeingWritten"))
        except (ConfigError, InputError) as error:
            incomplete = error.code == "filesMissing"
            return CheckResult(
                FilesState.INCOMPLETE if incomplete else FilesState.FAULT, cause=Reason.of(error)
            )
        result = check_result(progress, snapshot, models)
        fingerprint = source_fingerprint(export, snapshot, excluded)
        return replace(result, is_exported=self._is_exported(export, fingerprint, progress))

    def _is_exported(self, export: Export, fingerprint: str, progress: RefreshProgress) -> bool:
        """Whether a run that had not ended at the announced write has read exactly this state.

        It does not matter how it ended: one that was canceled, or waits for a confirmation, must not be
        replaced because of the refresh that it has read.
        """
        newest = self.newest.read(export.id)
        pointer = self.ledgers.read(export.id)
        run = self._run_ended_since(newest.value.run.id, progress) if newest else None
        if run is not None and run.covers_export and not run.is_active:
            if run.waits_to_send:
                return True  # after the confirmation, the source is read again
            if self.planned(run.id) == fingerprint:
                return True
        if pointer is None or pointer.value.source_fingerprint != fingerprint:
            return False
        return self._run_ended_since(pointer.value.run_id, progress) is not None

    def _run_ended_since(self, run_id: str, progress: RefreshProgress) -> Run | None:
        """The run, unless it had ended before the announced write."""
        stored = self.runs.read(run_id)
        if stored is None or stored.value.started_at is None or progress.written_at is None:
            return None
        ended = stored.value.finished_at
        return stored.value if ended is None or ended >= progress.written_at else None

    # --- deciding --------------------------------------------------------------------------

    def _act(
        self,
        export: Export,
        stored: Stored[RefreshProgress],
        result: CheckResult,
        decision: Decision,
    ) -> None:
        if decision.step is Step.START and self._must_wait_for_run(export.id):
            waited = (self.now() - (decision.progress.opened_at or self.now())).total_seconds()
            delay = min(max(self.times.unchanged, waited / 10), self.times.longest_interval)
            decision = wait(decision.progress, self.now(), delay, self.times)
        if decision.step is Step.REPORT:
            self._record_incomplete(export, decision.progress, result)
            progress = replace(decision.progress, incomplete_since=self.now())
            decision = replace(decision, step=Step.WAIT, progress=progress)
        if decision.step is Step.WAIT:
            # The reminder first: without one, the refresh would wait for the next tick.
            self._remind(export.id, decision.progress.check_number, decision.delay)
            self._write(stored, decision.progress)
        elif decision.step is Step.START:
            self._start(stored, decision.progress, result)
        else:
            if decision.step is Step.GIVE_UP:
                self._record_incomplete(export, decision.progress, result)
            self._write(stored, _closed(decision.progress, result))

    def _start(
        self, stored: Stored[RefreshProgress], progress: RefreshProgress, result: CheckResult
    ) -> None:
        """Start a run exactly once: the intent is stored first."""
        begun = replace(_closed(progress, result), open=True, starting_at=self.now())
        written = self._write(stored, begun)
        if written is not None:
            self._complete_start(written)

    def _complete_start(self, stored: Stored[RefreshProgress]) -> Stored[RefreshProgress] | None:
        """Start the run of a stored intent; returns what remains to be checked, or None."""
        progress, now = stored.value, self.now()
        newest = self.newest.read(stored.key)
        requested_at = newest.value.run.queued_at if newest else None
        if (
            requested_at is None
            or progress.starting_at is None
            or requested_at < progress.starting_at
        ):
            try:
                self.starter.start(stored.key, Trigger.REFRESH, Mode.EXPORT)
            except ConfigError as error:
                # The export has no connection or was deleted: there is nothing to run.
                log_event("refresh.notStarted", exportId=stored.key, reason=error.code)
        started = replace(progress, starting_at=None)
        if progress.announced_models:
            return self._write(stored, started)
        if progress.recheck_until is not None and now < progress.recheck_until:
            recheck = wait(
                replace(started, opened_at=now), now, self.times.longest_interval, self.times
            )
            self._remind(stored.key, recheck.progress.check_number, recheck.delay)
            self._write(stored, recheck.progress)
        else:
            self._write(stored, replace(started, open=False))
        return None

    def _must_wait_for_run(self, export_id: str) -> bool:
        """Whether an active run may not read the state that this check found.

        A run that is still queued will read it, because it pins its files later than this check.
        """
        run = newest_run(self.newest, self.runs, export_id)
        if run is None or not run.is_active:
            return False
        return run.status is not RunStatus.QUEUED or not run.covers_export

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

    # --- writing ---------------------------------------------------------------------------

    def _remind(self, export_id: str, check_number: int, delay: float) -> None:
        self.queue.send(BLOB_EVENTS, refresh_message(export_id, check_number), delay)

    def _write(
        self, stored: Stored[RefreshProgress], progress: RefreshProgress
    ) -> Stored[RefreshProgress] | None:
        """Write a decision; None when an event arrived in the meantime, which has its own reminder."""
        try:
            return self.progress.replace(stored.key, progress, stored.etag)
        except Changed:
            return None


def _runs_with_refresh(export: Export) -> bool:
    schedule = export.schedule
    return (
        schedule.enabled and schedule.repeat is Repeat.EVERY_REFRESH and bool(export.connection_id)
    )


def _is_older(announced: BlobCreated, export: Export) -> bool:
    """Whether it was written before the export was created: saving an export does not run it.

    Some times of writing are precise to the second only.
    """
    written, made = announced.written_at, export.created_at
    return written is not None and made is not None and written + timedelta(seconds=1) < made


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
