"""What is old goes: plans, chunks and outcomes of runs, lists of audiences nobody uses, used nonces.

A run itself, with its counts, stays: it holds nothing personal. Receipts of erasures stay as well.
Everything may be done again; a run whose files are gone is marked, so that it is not looked at
every time.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

from shared.messaging.sequence import SequenceState
from shared.model.audience import NotSubscribedPointer
from shared.model.chunk import Chunk
from shared.model.export import Export
from shared.model.names import ALL_NOT_SUBSCRIBED, not_subscribed_folder, run_folder
from shared.model.ports import Files, Records, readable
from shared.model.run import Reason, Run, RunStatus, Stage
from shared.runs.outcome_file import OutcomeFile
from shared.runs.transitions import Transitions

__all__ = ["Dated", "Retention"]

# A sign-in takes minutes; a state that old is refused for its age already.
_NONCES = timedelta(days=1)
# Time for an export that was just moved to another audience to be moved back without a full read.
_HELD = timedelta(days=1)


class Dated(Protocol):
    """Something that happened at a time."""

    @property
    def at(self) -> datetime:
        """When."""


@dataclass(frozen=True)
class Retention:
    """Clears away what is older than `keep`."""

    runs: Records[Run]
    transitions: Transitions
    chunks: Records[Chunk]
    sequences: Records[SequenceState]
    exports: Records[Export]
    not_subscribed: Records[NotSubscribedPointer]
    nonces: Records[Any]
    files: Files
    keep: timedelta
    now: Callable[[], datetime]
    outcome_file: OutcomeFile

    def clear(self) -> int:
        """Clear away all that is old; how many runs lost their files."""
        self._nonces()
        count = 0
        for stored in readable(self.runs.all(where={"stage": Stage.WAITING})):
            if self._is_old(stored.value.moved_at):
                self._expired(stored.value)
        for stored in readable(self.runs.all(where={"stage": Stage.STORED})):
            if self._is_old(stored.value.finished_at):
                self._clear(stored.value)
                count += 1
        self._held()
        return count

    def _is_old(self, moment: datetime | None) -> bool:
        return moment is not None and self.now() - moment >= self.keep

    def _expired(self, run: Run) -> Run:
        """A question that nobody answered; its plan holds people, so it cannot wait for ever."""

        return self.transitions.close_waiting(
            run.id, RunStatus.CANCELED, Reason("confirmationExpired"), run.moved_at
        )

    def _clear(self, run: Run) -> None:
        for name in list(self.files.names(run_folder(run.id))):
            self.files.delete(name)
        self.outcome_file.clear(run.export_id, run.id)
        for chunk in list(self.chunks.all(run.id)):
            self.chunks.delete(chunk.key)
        for sequence in list(self.sequences.all(run.id)):
            self.sequences.delete(sequence.key)
        self.transitions.mark_cleared(run.id)

    def _held(self) -> None:
        used = {stored.value.audience_id for stored in self.exports.all()}
        current = set()
        for pointer in list(self.not_subscribed.all()):
            audience_id = pointer.key.partition("/")[2]
            if audience_id in used or self.now() - pointer.value.read_at < _HELD:
                current.add(pointer.value.blob)
                continue
            for name in list(self.files.names(not_subscribed_folder(*pointer.key.split("/")))):
                self.files.delete(name)
            self.not_subscribed.delete(pointer.key)
        for name in list(self.files.names(ALL_NOT_SUBSCRIBED)):
            if name not in current and not self._may_become_current(name):
                self.files.delete(name)

    def _may_become_current(self, name: str) -> bool:
        """Whether the run that wrote a list is going; one that died has left it behind."""
        run = self.runs.read(name.rpartition("/")[2].partition("-")[0])
        return run is not None and not run.value.is_over

    def _nonces(self) -> None:
        records: Records[Dated] = self.nonces
        for nonce in list(records.all()):
            if self.now() - nonce.value.at > _NONCES:
                records.delete(nonce.key)
