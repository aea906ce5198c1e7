"""Reads runs of the past: some of them, newest first, or the newest run of each export.

The keys of runs sort newest first, so a page of runs costs what it shows. The newest run of an export is
named by a record of its own, so a list of exports reads one record per export, however many runs
there were.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from shared.errors import ConnectorError
from shared.model.ids import moment_of, run_id_at
from shared.model.ports import RECORD_NEWER, Records, readable
from shared.model.run import Run, RunStatus, Trigger
from shared.request_time import RequestThreads
from shared.runs.lookup import NewestRun

# More than one page of records is read when few of them match a filter.
_PAGE = 200
_AT_ONCE = 8
# Greater than the digits that follow the time in an id.
_ABOVE_ALL_DIGITS = "g"


@dataclass(frozen=True)
class RunFilter:
    """Which runs to read; None means any. `since` is included, `until` is not."""

    export_id: str | None = None
    status: RunStatus | None = None
    trigger: Trigger | None = None
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True)
class History:
    """Reads runs. `as_of_now` adds the current progress to a run."""

    runs: Records[Run]
    newest_runs: Records[NewestRun]
    as_of_now: Callable[[Run], Run]

    def newest(self, wanted: RunFilter, top: int, after: str = "") -> list[Run]:
        """Runs that match, newest first. `after` is the id of the last run of the page before."""
        found: list[Run] = []
        for run in self._started(wanted, after, _PAGE if wanted.trigger else top):
            if wanted.since is not None and moment_of(run.id) < wanted.since:
                break
            if wanted.trigger is None or run.trigger is wanted.trigger:
                found.append(self._with_progress(run))
            if len(found) == top:
                break
        return found

    def _started(self, wanted: RunFilter, after: str, page: int) -> Iterator[Run]:
        where = {}
        if wanted.export_id is not None:
            where["export"] = wanted.export_id
        if wanted.status is not None:
            where["status"] = wanted.status.value
        if wanted.until is not None:
            after = max(after, run_id_at(wanted.until, _ABOVE_ALL_DIGITS))
        # `last` ends the query at `since`. Without it, a query with too few results reads the older runs of all exports.
        last = run_id_at(wanted.since, _ABOVE_ALL_DIGITS) if wanted.since is not None else ""
        stored = self.runs.all(where=where or None, after=after, last=last, page=min(page, 1_000))
        return (one.value for one in readable(stored))

    def last_run(self, export_id: str) -> Run | None:
        """The newest run of an export, with its current progress."""
        run = self._newest_of(export_id)
        return None if run is None else self._with_progress(run)

    def has_active_run(self, export_id: str) -> bool:
        """Whether a run of an export is active."""
        run = self._newest_of(export_id)
        return run is not None and run.is_active

    def waiting_run(self, export_id: str) -> Run | None:
        """The run of an export that waits for a confirmation. Only the newest run can."""
        run = self._newest_of(export_id)
        is_waiting = run is not None and run.status is RunStatus.AWAITING_CONFIRMATION
        return run if is_waiting else None

    def last_runs(self, export_ids: Iterable[str]) -> dict[str, Run]:
        """The newest run of each export that has one, by the id of the export."""
        wanted = set(export_ids)
        newest = [one for one in readable(self.newest_runs.all()) if one.key in wanted]
        with RequestThreads(_AT_ONCE) as pool:
            runs = pool.map(self._run, (one.value for one in newest))
            return {one.key: run for one, run in zip(newest, runs, strict=True)}

    def with_ids(self, run_ids: Sequence[str]) -> list[Run]:
        """The runs with these ids, in their order. Runs that do not exist, or that a newer version wrote, are left out."""
        with RequestThreads(_AT_ONCE) as pool:
            found = pool.map(self._with_id, run_ids)
            return [run for run in found if run is not None]

    def _newest_of(self, export_id: str) -> Run | None:
        stored = self.newest_runs.read(export_id)
        return None if stored is None else self._stored(stored.value)

    def _with_id(self, run_id: str) -> Run | None:
        try:
            stored = self.runs.read(run_id)
        except ConnectorError as error:
            if error.code != RECORD_NEWER:
                raise
            return None
        return None if stored is None else self._with_progress(stored.value)

    def _run(self, newest: NewestRun) -> Run:
        return self._with_progress(self._stored(newest))

    def _with_progress(self, run: Run) -> Run:
        return self.as_of_now(run) if run.is_active else run

    def _stored(self, newest: NewestRun) -> Run:
        # The record is written before the run is: a start that was killed in between has no run yet.
        stored = self.runs.read(newest.run.id)
        return newest.run if stored is None else stored.value
