"""Find contacts that an export created and that no export of the audience targets any more.

A contact is targeted while any ledger of the audience has a tag for it. That is only known while every
export of the audience has sent everyone, so otherwise nothing is unused.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from shared.model.chunk import FORMER_TAG
from shared.model.export import Export
from shared.model.ledger import LedgerPointer
from shared.model.ports import Files, Records
from shared.planning.reading.ledger import load_ledger
from shared.workspace import SqlFile

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


_SQL = SqlFile.of(__file__)


@dataclass(frozen=True)
class AudienceLedgers:
    """The exports to one audience, each with its ledger; None if it never ran for this audience."""

    exports: tuple[tuple[Export, LedgerPointer | None], ...]

    @classmethod
    def read(
        cls,
        exports: Records[Export],
        ledgers: Records[LedgerPointer],
        account_id: str,
        audience_id: str,
    ) -> AudienceLedgers:
        """Read the exports to an audience. Those that were removed have no ledger any more.

        ConnectorError when a newer version of the app wrote an export: it may target any contact.
        """

        def pointer(export: Export) -> LedgerPointer | None:
            stored = ledgers.read(export.id)
            is_ours = stored is not None and stored.value.is_of(account_id, audience_id)
            return stored.value if stored is not None and is_ours else None

        found = [stored.value for stored in exports.all()]
        return cls(tuple((e, pointer(e)) for e in found if e.audience_id == audience_id))

    @property
    def incomplete(self) -> list[str]:
        """The names of exports whose ledger does not show everyone that they target."""
        return [
            export.display_name
            for export, pointer in self.exports
            if pointer is None or not pointer.source_fingerprint
        ]

    def download(self, files: Files, scratch: Path) -> Iterator[tuple[str, Path]]:
        """Download the ledgers; yields the id of the export and the local file. NotFound when one is gone."""
        for number, (export, pointer) in enumerate(self.exports):
            if pointer is not None:
                local = scratch / f"ledger-{number}.parquet"
                files.download(pointer.blob, local)
                yield export.id, local


def find_unused(db: DuckDBPyConnection, files: Mapping[str, Path]) -> dict[str, int]:
    """Fill `unused` from the ledgers of an audience, by the id of their export.

    Needs `not_subscribed`. Returns the number of unused contacts of each export that has any.
    """
    _SQL.run(db, "create")
    for export_id, file in files.items():
        load_ledger(db, file)
        _SQL.run(db, "add", export=export_id)
    _SQL.run(db, "find")
    return dict(_SQL.rows(db, "counts"))


def plan_unused(db: DuckDBPyConnection, export_id: str) -> None:
    """Fill `changes` and related tables from the contacts of an export in `unused`."""
    _SQL.run(db, "changes", export=export_id, former_tag=FORMER_TAG)
