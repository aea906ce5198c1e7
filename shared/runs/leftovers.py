"""Deletes the data of a removed export: its ledger, its list of excluded people and its ownership of tags.

Mailchimp keeps the people and their tags, and the outcomes of its runs stay readable until the
retention period is over. Every step may be repeated. The sweep finds data that is left because a
removal was killed, or because a run that started at the same moment wrote it afterwards.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from shared.errors import Changed
from shared.model.export import Export
from shared.model.ledger import LedgerPointer
from shared.model.names import ALL_EXCLUSIONS, exclusions_blob, ledger_folder
from shared.model.ports import Files, Records, delete_all
from shared.model.run import Run
from shared.model.tag import TagOwner
from shared.runs.lookup import NewestRun
from shared.runs.transitions import Transitions


@dataclass(frozen=True)
class Leftovers:
    """Deletes the data of removed exports.

    `others` are further tables whose records have an export's id as their key.
    """

    exports: Records[Export]
    runs: Records[Run]
    newest: Records[NewestRun]
    ledgers: Records[LedgerPointer]
    owners: Records[TagOwner]
    files: Files
    transitions: Transitions
    others: Sequence[Records[Any]]

    def delete(self, export_id: str) -> bool:
        """Delete the data of an export. False while the export exists or one of its runs is active."""
        if self.exports.read(export_id) is not None:
            return False
        active = False
        for stored in list(self.runs.all(where={"export": export_id})):
            if stored.value.is_over:
                continue
            active |= self.transitions.cancel_for_removed_export(stored.key).is_active
        if active:
            return False
        for owner in list(self.owners.all()):
            if owner.value.export_id == export_id:
                with suppress(Changed):  # another export has just taken over the tag
                    self.owners.delete(owner.key, owner.etag)
        for records in self.others:
            records.delete(export_id)
        # The pointer is deleted near the end: the sweep finds the export by its pointer.
        for prefix in (ledger_folder(export_id), exclusions_blob(export_id)):
            delete_all(self.files, prefix)
        self.ledgers.delete(export_id)
        self.newest.delete(export_id)
        return True

    def sweep(self) -> int:
        """Delete the data of every removed export. Returns the number of exports."""
        known = {stored.key for stored in self.ledgers.all()}
        known |= {stored.key for stored in self.newest.all()}
        known |= {stored.value.export_id for stored in self.owners.all()}
        lists = self.files.names(ALL_EXCLUSIONS)
        known |= {n.removeprefix(ALL_EXCLUSIONS).removesuffix(".json") for n in lists}
        known -= {stored.key for stored in self.exports.all()}
        return sum(self.delete(export_id) for export_id in sorted(known))
