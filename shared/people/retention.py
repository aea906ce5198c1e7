"""Deletes old data: plans, chunks and outcomes of runs, lists of unused audiences, used nonces.

Runs with their counts and receipts of erasures are kept, because they contain no personal data. Every step may
run twice. A run whose files were deleted is marked, so that it is not checked again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from shared.messaging.sequence import SequenceState
from shared.model.audience import NotSubscribedPointer
from shared.model.chunk import Chunk
from shared.model.connection import UsedNonce
from shared.model.export import Export
from shared.model.finding import Reason
from shared.model.ids import run_id_at
from shared.model.names import ALL_NOT_SUBSCRIBED, audience_in, not_subscribed_folder, run_folder
from shared.model.ports import Files, Records, delete_all, readable
from shared.model.run import END_NOT_LOGGED, Run, RunStatus, Stage
from shared.runs.outcome_file import OutcomeFile
from shared.runs.transitions import Transitions

# A sign-in takes minutes. An older state is already refused because of its age.
_NONCES = timedelta(days=1)
# A process logs the end of a run at once. After this time, it was killed before it could.
_LOGGED = timedelta(minutes=2)
# During this time, an export can be moved back to an earlier audience without a full read.
_UNUSED_LIST_LIFETIME = timedelta(days=1)


@dataclass(frozen=True)
class Retention:
    """Deletes data of runs that ended more than `keep` ago."""

    runs: Records[Run]
    transitions: Transitions
    chunks: Records[Chunk]
    sequences: Records[SequenceState]
    exports: Records[Export]
    not_subscribed: Records[NotSubscribedPointer]
    nonces: Records[UsedNonce]
    files: Files
    keep: timedelta
    now: Callable[[], datetime]
    outcome_file: OutcomeFile

    def delete_old_data(self) -> int:
        """Delete old data. Returns the number of runs whose files were deleted."""
        self._delete_nonces()
        count = 0
        for stored in readable(self.runs.all(where={"stage": Stage.WAITING})):
            if self._is_old(stored.value.moved_at):
                self._end_waiting(stored.value)
        for stored in readable(self.runs.all(where={"end": END_NOT_LOGGED})):
            if self._is_not_logged(stored.value.finished_at):
                self.transitions.log_end(stored.value)
        # Runs are sorted newest first, and a run that ended long ago began before that.
        oldest = run_id_at(self.now() - self.keep, "")
        for stored in readable(self.runs.all(where={"stage": Stage.STORED}, after=oldest)):
            if self._is_old(stored.value.finished_at):
                self._delete_files(stored.value)
                count += 1
        self._delete_unused_lists()
        return count

    def _is_old(self, moment: datetime | None) -> bool:
        return moment is not None and self.now() - moment >= self.keep

    def _is_not_logged(self, ended_at: datetime | None) -> bool:
        """Whether the process that ended a run was killed before it logged the end."""
        return ended_at is not None and self.now() - ended_at > _LOGGED

    def _end_waiting(self, run: Run) -> None:
        """End a run that waited too long for a confirmation, because its plan contains personal data."""
        self.transitions.close_waiting(
            run.id, RunStatus.CANCELED, Reason("confirmationExpired"), run.moved_at
        )

    def _delete_files(self, run: Run) -> None:
        delete_all(self.files, run_folder(run.id))
        self.outcome_file.delete(run.export_id, run.id)
        for chunk in list(self.chunks.all(run.id)):
            self.chunks.delete(chunk.key)
        for sequence in list(self.sequences.all(run.id)):
            self.sequences.delete(sequence.key)
        self.transitions.mark_cleared(run.id)

    def _delete_unused_lists(self) -> None:
        used = {stored.value.audience_id for stored in self.exports.all()}
        kept_blobs = set()
        for pointer in list(self.not_subscribed.all()):
            audience_id = audience_in(pointer.key)
            if audience_id in used or self.now() - pointer.value.read_at < _UNUSED_LIST_LIFETIME:
                kept_blobs.add(pointer.value.blob)
                continue
            delete_all(self.files, not_subscribed_folder(pointer.key))
            self.not_subscribed.delete(pointer.key)
        for name in list(self.files.names(ALL_NOT_SUBSCRIBED)):
            if name not in kept_blobs and not self._may_become_current(name):
                self.files.delete(name)

    def _may_become_current(self, name: str) -> bool:
        """Whether the run that wrote a list has not ended, so that the list may still be used."""
        run = self.runs.read(name.rpartition("/")[2].partition("-")[0])
        return run is not None and not run.value.is_over

    def _delete_nonces(self) -> None:
        for nonce in list(readable(self.nonces.all())):
            if self.now() - nonce.value.at > _NONCES:
                self.nonces.delete(nonce.key)
