"""Waits until the files of a refresh have settled: nothing was written to them for a while.

Customer Insights does not report the end of a refresh. So a run that a refresh or the schedule started, or whose export has
exclusion segments, is planned while the files may still be written. They are checked again before anything happens to people.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from duckdb import DuckDBPyConnection

from shared.errors import Changed
from shared.memory import waiting_for_network
from shared.model.ports import SegmentSource
from shared.model.source import Snapshot

UNCHANGED = timedelta(seconds=10)
"""How long the files of a refresh must not have changed before anything is sent."""


class SettledSource:
    """The pinned files of a run; `settle` checks them once."""

    def __init__(
        self,
        source: SegmentSource,
        pinned: Snapshot,
        now: Callable[[], datetime],
        sleep: Callable[[float], None],
    ) -> None:
        self._source = source
        self._pinned = pinned
        self._now = now
        self._sleep = sleep
        self._is_settled = False

    def settle(self, db: DuckDBPyConnection) -> None:
        """Wait until nothing was written for ten seconds. Changed when something was written since it was pinned.

        Another plan may use the memory of `db` meanwhile.
        """
        if self._is_settled:
            return
        with waiting_for_network(db):
            written = self._pinned.modified_at
            if written is not None:
                # A clock that is behind must not make the run wait longer.
                left = min(written + UNCHANGED - self._now(), UNCHANGED)
                self._sleep(max(left.total_seconds(), 0.0))
            names = [segment.name for segment in self._pinned.segments]
            current = self._source.snapshot(names)
        changed = current.etags.items() ^ self._pinned.etags.items()
        if changed:
            raise Changed("segmentFileChanged", file=min(changed)[0])
        if current.modified_at != self._pinned.modified_at:
            raise Changed("segmentFileChanged", file="model.json")
        self._is_settled = True
