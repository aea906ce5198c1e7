"""The files of a refresh: what a check finds in the container, and whether a run has read it already."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from shared.errors import Changed, ConfigError, InputError, Unavailable
from shared.model.export import Export
from shared.model.finding import Reason
from shared.model.ledger import LedgerPointer
from shared.model.ports import Records, SegmentSource
from shared.model.run import Run
from shared.planning.fingerprint import source_fingerprint
from shared.runs.lookup import NewestRun
from shared.scheduling.refresh_progress import (
    CheckResult,
    FilesState,
    RefreshProgress,
    check_result,
)


@dataclass(frozen=True)
class RefreshedFiles:
    """Finds the state of the files that an export reads.

    `fingerprint_of_plan` returns the fingerprint of the source in the plan of a run, None without a plan. `model_etag`
    returns the current ETag of a `model.json`, None when it does not exist. `fingerprint_of_exclusions` returns that of an
    export's list of excluded people.
    """

    runs: Records[Run]
    newest: Records[NewestRun]
    ledgers: Records[LedgerPointer]
    source: SegmentSource
    fingerprint_of_plan: Callable[[str], str | None]
    model_etag: Callable[[str], str | None]
    fingerprint_of_exclusions: Callable[[str], str]

    def check(self, export: Export, progress: RefreshProgress) -> CheckResult:
        """Compare the files, as they are now, with what was exported last. Causes are part of the result."""
        try:
            models = {blob: self.model_etag(blob) or "" for blob in progress.announced_models}
            snapshot = self.source.snapshot(export.segments_read)
            exclusions = self.fingerprint_of_exclusions(export.id)
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
        fingerprint = source_fingerprint(export, snapshot, exclusions)
        return replace(result, is_exported=self._is_exported(export, fingerprint, progress))

    def _is_exported(self, export: Export, fingerprint: str, progress: RefreshProgress) -> bool:
        """Whether a run that had not ended at the announced write has read exactly this state.

        It does not matter how it ended: one that was canceled, or waits for a confirmation, must not be
        replaced because of the refresh that it has read.
        """
        newest = self.newest.read(export.id)
        pointer = self.ledgers.read(export.id)
        run = self._run_unless_ended_before(newest.value.run.id, progress) if newest else None
        if run is not None and run.sends_all_changes and not run.is_active:
            if run.waits_to_send:
                return True  # after the confirmation, the source is read again
            if self.fingerprint_of_plan(run.id) == fingerprint:
                return True
        if pointer is None or pointer.value.source_fingerprint != fingerprint:
            return False
        return self._run_unless_ended_before(pointer.value.run_id, progress) is not None

    def _run_unless_ended_before(self, run_id: str, progress: RefreshProgress) -> Run | None:
        """The run, unless it was never started or had ended before the announced write."""
        stored = self.runs.read(run_id)
        if stored is None or stored.value.started_at is None or progress.written_at is None:
            return None
        ended = stored.value.finished_at
        return stored.value if ended is None or ended >= progress.written_at else None
