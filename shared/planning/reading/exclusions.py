"""People that an export never sends: the members of exclusion segments, and a list.

They get no data and no tag, and lose the tags that the export gave. An exclusion belongs to an
address and to a person (CustomerId), as consent does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from shared.model.exclusions import ExclusionList
from shared.model.run import Finding, Severity
from shared.model.source import SegmentSnapshot, Snapshot
from shared.planning.reading.people import SourceColumns, read_people
from shared.workspace import SqlFile

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from shared.model.ports import SegmentSource


_SQL = SqlFile.of(__file__)


@dataclass(frozen=True)
class Exclusions:
    """The people to exclude from a run, before they are read."""

    segments: tuple[SegmentSnapshot, ...]
    listed: ExclusionList

    def read(
        self, db: DuckDBPyConnection, source: SegmentSource, email: str, scratch: Path
    ) -> list[Finding]:
        """Fill `excluded`. Call it before the segments to send are read into the same tables.

        Returns a finding for each segment with rows that cannot be read, or that excludes no one.
        """
        _SQL.run(db, "create")
        findings: list[Finding] = []
        if self.segments:
            # The address rule is the one for people who are sent.
            read_people(db, Snapshot(self.segments), source, SourceColumns(email), scratch)
            _SQL.run(db, "add_segments")
            findings = self._unreadable(_SQL.rows(db, "unreadable"))
            findings += self._unused(_SQL.rows(db, "unused", segments=len(self.segments)))
        if self.listed:
            _SQL.run(
                db,
                "add_list",
                addresses=list(self.listed.addresses),
                customers=list(self.listed.customers),
            )
        return findings

    def apply(self, db: DuckDBPyConnection) -> None:
        """Add the excluded people to `do_not_send`, after the consent rules."""
        _SQL.run(db, "do_not_send")

    def remove_tags(self, db: DuckDBPyConnection) -> list[Finding]:
        """Let the excluded people of `changes` and `ledger` lose the tags of the export.

        Returns a finding with their number.
        """
        if not _SQL.number(db, "any_excluded"):
            return []
        _SQL.run(db, "remove_tags")
        people = _SQL.number(db, "people")
        if not people:
            return []
        return [Finding(Severity.INFO, "peopleExcluded", values={"people": str(people)})]

    def _unreadable(self, counts: Sequence[Sequence[int]]) -> list[Finding]:
        return [
            Finding(
                Severity.WARNING,
                "exclusionRowsUnreadable",
                values={"segment": self.segments[number].name, "rows": str(rows)},
            )
            for number, rows in counts
        ]

    def _unused(self, counts: Sequence[Sequence[int]]) -> list[Finding]:
        return [
            Finding(
                Severity.WARNING if rows else Severity.INFO,
                "exclusionSegmentUnused",
                values={"segment": self.segments[number].name, "rows": str(rows)},
            )
            for number, rows in counts
        ]
