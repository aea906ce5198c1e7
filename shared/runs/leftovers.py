"""What is left of an export that was removed: its tags become free, its ledger goes.

Mailchimp keeps the people and their tags, and what became of every row stays readable until the
retention is over. Every step may be repeated; what a removal that died has left, or a run that was
started in the same moment writes afterwards, the sweep finds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from shared.model.export import Export
from shared.model.ledger import LedgerPointer
from shared.model.names import ledger_folder
from shared.model.ports import Files, Records
from shared.model.run import Run
from shared.model.tag import TagOwner
from shared.runs.start import ActiveRun
from shared.runs.transitions import Transitions

__all__ = ["Leftovers"]


@dataclass(frozen=True)
class Leftovers:
    """Clears away what belonged to exports that are no more.

    `others` are kinds of records that have an export's id as their key.
    """

    exports: Records[Export]
    runs: Records[Run]
    active: Records[ActiveRun]
    ledgers: Records[LedgerPointer]
    owners: Records[TagOwner]
    files: Files
    now: Callable[[], datetime]
    others: Sequence[Records[Any]] = ()

    def clear(self, export_id: str) -> bool:
        """Clear away one export's remains; False while it exists or a run of it is going."""
        if self.exports.read(export_id) is not None:
            return False
        transitions = Transitions(self.runs, self.now)
        going = False
        for stored in list(self.runs.all(where={"export": export_id})):
            if stored.value.is_over:
                continue
            going |= transitions.cancel_for_removed_export(stored.key).is_active
        if going:
            return False
        for owner in list(self.owners.all()):
            if owner.value.export_id == export_id:
                self.owners.delete(owner.key, owner.etag)
        for records in self.others:
            records.delete(export_id)
        # The pointer goes last but one: while it is there, the sweep knows of the export.
        for name in list(self.files.names(ledger_folder(export_id))):
            self.files.delete(name)
        self.ledgers.delete(export_id)
        self.active.delete(export_id)
        return True

    def sweep(self) -> int:
        """Clear away the remains of every export that is gone; how many there were."""
        known = {stored.key for stored in self.ledgers.all()}
        known |= {stored.key for stored in self.active.all()}
        known |= {stored.value.export_id for stored in self.owners.all()}
        known -= {stored.key for stored in self.exports.all()}
        return sum(self.clear(export_id) for export_id in sorted(known))
