"""People that an export never sends: the members of exclusion segments, and a list.

They get no data and no tag, and lose the tags that the export gave. An exclusion belongs to an
address and to a person (CustomerId), as consent does.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from shared.model.exclusions import ExclusionList
from shared.model.finding import Finding, Severity
from shared.model.source import SegmentSnapshot, Snapshot
from shared.planning.reading.people import SourceColumns, read_people
from shared.workspace import SqlFile

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from shared.model.ports import SegmentSource


_SQL = SqlFile.of(__file__)


@dataclass(frozen=True)
class ExclusionSegment:
    """How many people an exclusion segment excludes, and how many of its rows exclude no one.

    `unreadable_rows` are those of `unused_rows` that cannot be read.
    """

    name: str
    members: int
    unused_rows: int
    unreadable_rows: int


@dataclass(frozen=True)
class ExcludedMembers:
    """The number of people that each exclusion segment excludes, by its name.

    `before`: the largest number in a complete run since a person last confirmed a loss of the segment. `now`: in this run.
    """

    before: Mapping[str, int]
    now: Mapping[str, int]

    def lost(self, max_share: float) -> dict[str, int]:
        """The segments that have lost more than this share of their members, with the number before."""
        before = {name: self.before.get(name, 0) for name in self.now}
        return {
            name: count
            for name, count in before.items()
            if count - self.now[name] > max_share * count
        }

    def after_run(self, max_share: float) -> dict[str, int]:
        """`before` of the next run, if this one is complete.

        Losses that a person has not confirmed add up. Otherwise a segment that loses a few members in each run could lose
        all of them without a question.
        """
        confirmed = self.lost(max_share)
        return {
            name: count if name in confirmed else max(count, self.before.get(name, 0))
            for name, count in self.now.items()
        }


@dataclass(frozen=True)
class Exclusions:
    """The people to exclude from a run, before they are read."""

    segments: tuple[SegmentSnapshot, ...]
    listed: ExclusionList

    def read(
        self, db: DuckDBPyConnection, source: SegmentSource, email: str, scratch: Path
    ) -> list[ExclusionSegment]:
        """Fill `excluded`, and count the rows of each segment.

        Call it before the segments to send are read into the same tables.
        """
        _SQL.run(db, "create")
        found: list[ExclusionSegment] = []
        if self.segments:
            # The address rule is the one for people who are sent.
            read_people(db, Snapshot(self.segments), source, SourceColumns(email), scratch)
            _SQL.run(db, "add_segments")
            counts = _SQL.rows(db, "counts", segments=len(self.segments))
            found = [ExclusionSegment(self.segments[n].name, *count) for n, *count in counts]
        if self.listed:
            _SQL.run(
                db,
                "add_list",
                addresses=list(self.listed.addresses),
                customers=list(self.listed.customers),
            )
        return found

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


def exclusion_findings(segments: Sequence[ExclusionSegment]) -> Iterator[Finding]:
    """Report each segment with rows that cannot be read, or that excludes no one."""
    for segment in segments:
        if segment.unreadable_rows:
            values = {"segment": segment.name, "rows": str(segment.unreadable_rows)}
            yield Finding(Severity.WARNING, "exclusionRowsUnreadable", values=values)
        if not segment.members:
            severity = Severity.WARNING if segment.unused_rows else Severity.INFO
            values = {"segment": segment.name, "rows": str(segment.unused_rows)}
            yield Finding(severity, "exclusionSegmentUnused", values=values)
