"""Reports how far the planning of a run is: which segment is read, or that they are compared.

A report is one write of the run's record, so at most one is made per second, and none for a plan
that takes less. A report that fails is dropped: planning does not depend on it.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from shared.errors import ConnectorError
from shared.model.figures import Planning, PlanningStep
from shared.model.ports import SegmentSource
from shared.model.source import LoadedSegment, SegmentSnapshot, Snapshot
from shared.runs.transitions import Transitions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from duckdb import DuckDBPyConnection


_INTERVAL = timedelta(seconds=1)


class PlanningReport:
    """Records the progress of one plan in its run."""

    def __init__(self, transitions: Transitions, run_id: str, segments: int) -> None:
        self._transitions = transitions
        self._run_id = run_id
        self._at = transitions.now()
        self._planning = Planning(PlanningStep.READING, segments=segments)

    def segment_read(self, rows: int) -> None:
        """One more segment was read, with this many rows."""
        read = self._planning.segments_read + 1
        self._record(replace(self._planning, segments_read=read, rows=self._planning.rows + rows))

    def comparing(self) -> None:
        """All segments are read and are now compared with the audience."""
        self._record(replace(self._planning, step=PlanningStep.COMPARING))

    def _record(self, planning: Planning) -> None:
        self._planning = planning
        now = self._transitions.now()
        if now - self._at < _INTERVAL:
            return
        self._at = now
        with suppress(ConnectorError):
            self._transitions.mark_planning(self._run_id, planning)


@dataclass(frozen=True)
class ReportedSource:
    """A source of segments that reports each segment that was read."""

    source: SegmentSource
    report: PlanningReport

    def snapshot(self, segments: Sequence[str]) -> Snapshot:
        """Pin the segments, as the source does."""
        return self.source.snapshot(segments)

    def load(
        self,
        connection: DuckDBPyConnection,
        segment: SegmentSnapshot,
        columns: Sequence[str],
        table: str,
        scratch: Path,
        *,
        consent: bool = False,
    ) -> LoadedSegment:
        """Read a segment, then report it."""
        loaded = self.source.load(connection, segment, columns, table, scratch, consent=consent)
        # `table` is a name of this package, and counting a table reads no rows.
        counted = connection.execute(f"SELECT count(*) FROM {table}").fetchone()
        self.report.segment_read(counted[0] if counted else 0)
        return loaded
