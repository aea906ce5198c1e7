"""A world of refreshes: a container, a queue, a controlled clock, and exports whose runs take a while."""

from __future__ import annotations

import heapq
import itertools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from shared.errors import ConfigError, InputError, Unavailable
from shared.model.export import Export, Schedule, SegmentChoice
from shared.model.export import Mapping as FieldMapping
from shared.model.finding import Reason
from shared.model.ledger import LedgerPointer
from shared.model.names import BLOB_EVENTS
from shared.model.ports import update
from shared.model.run import Mode, Run, RunStatus, Trigger, run_columns
from shared.model.source import Partition, SegmentSnapshot, Snapshot
from shared.planning.fingerprint import source_fingerprint
from shared.runs.lookup import NewestRun
from shared.runs.start import Starter
from shared.runs.transitions import Transitions
from shared.scheduling.open_refreshes import OpenRefreshes
from shared.scheduling.refresh import Refreshes
from shared.scheduling.refresh_progress import RefreshProgress, WaitingTimes
from shared.scheduling.refresh_steps import RefreshSteps
from shared.scheduling.refreshed_files import RefreshedFiles
from tests.fakes import VisibleRecords

START = datetime(2026, 11, 23, 6, 0, tzinfo=UTC)


MODEL = "export/model.json"


EVENT = b'{"an": "event"}'


@dataclass(frozen=True)
class Written:
    """An announcement, as segments/finding/blob_events.py gives it."""

    blob: str
    etag: str
    written_at: datetime | None = None
    is_model: bool = True


@dataclass
class World:
    """A container, a queue, a clock, and exports whose runs take `run_seconds`."""

    run_seconds: float = 30
    times: WaitingTimes = field(default_factory=WaitingTimes)
    now: datetime = START
    blobs: dict[str, str] = field(default_factory=dict)
    listed: dict[str, list[str]] = field(default_factory=dict)
    fault: Exception | None = None
    lost: bool = False
    duplicates: int = 1
    queue: list[tuple[datetime, int, bytes]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.exports: VisibleRecords[Export] = VisibleRecords()
        self.progress: VisibleRecords[RefreshProgress] = VisibleRecords()
        self.runs: VisibleRecords[Run] = VisibleRecords(run_columns)
        self.newest: VisibleRecords[NewestRun] = VisibleRecords()
        self.ledgers: VisibleRecords[LedgerPointer] = VisibleRecords()
        self._numbers = itertools.count()
        self._announced: dict[bytes, Written] = {}
        self._planned: dict[str, str] = {}
        self.planned_at: dict[str, datetime] = {}
        self._written: dict[str, datetime] = {}
        transitions = Transitions(self.runs, self.clock)
        self.starter = Starter(
            self.exports, self.runs, self.newest, self, transitions, self._entropy
        )
        self.open_refreshes = OpenRefreshes(self.progress, self, self.clock, self.times)
        files = RefreshedFiles(
            runs=self.runs,
            newest=self.newest,
            ledgers=self.ledgers,
            source=self,  # type: ignore[arg-type]
            fingerprint_of_plan=lambda run_id: self._planned.get(run_id),
            model_etag=self.blobs.get,
            fingerprint_of_exclusions=lambda _: "",
        )
        steps = RefreshSteps(
            self.open_refreshes,
            runs=self.runs,
            newest=self.newest,
            transitions=transitions,
            starter=self.starter,
            now=self.clock,
            times=self.times,
        )
        self.refreshes = Refreshes(
            exports=self.exports,
            open_refreshes=self.open_refreshes,
            files=files,
            steps=steps,
            read_events=lambda body: [one for one in [self._announced.get(body)] if one],
        )

    def clock(self) -> datetime:
        return self.now

    def _entropy(self) -> str:
        return f"{next(self._numbers):09x}"

    # --- Customer Insights ---

    def put(self, *blobs: str) -> None:
        for blob in blobs:
            self.blobs[blob] = f"0x{next(self._numbers):X}"
            self._written[blob] = self.now

    def write_model(self, **segments: list[str]) -> Written:
        """Customer Insights replaces model.json; the event is not sent yet."""
        self.listed = segments
        self.put(MODEL)
        return Written(MODEL, self.blobs[MODEL], self.now)

    def announce(self, written: Written, delay: float = 0) -> None:
        """Event Grid delivers."""
        body = EVENT + str(next(self._numbers)).encode()
        self._announced[body] = written
        heapq.heappush(self.queue, (self.now + timedelta(seconds=delay), next(self._numbers), body))

    def snapshot(self, segments: Sequence[str]) -> Snapshot:
        if self.fault:
            raise self.fault
        found = []
        for name in segments:
            if name not in self.listed:
                raise ConfigError("segmentMissing", segments=name)
            files = self.listed[name]
            missing = sum(file not in self.blobs for file in files)
            if missing:
                values: dict[str, Any] = {
                    "segment": name,
                    "missing": missing,
                    "listed": len(files),
                    "files": ", ".join(file for file in files if file not in self.blobs),
                }
                if self.now - self._written[MODEL] > timedelta(hours=1):
                    raise InputError("filesMissing", **values, where=MODEL)
                raise Unavailable("refreshIncomplete", **values)
            parts = tuple(
                Partition(file, self.blobs[file], 1, modified_at=self._written.get(file))
                for file in files
            )
            described_at = self._written.get(MODEL)
            found.append(SegmentSnapshot(name, name, (), parts, described_at=described_at))
        return Snapshot(tuple(found))

    # --- the queue and the passing of time ---

    def send(self, queue: str, message: Mapping[str, object], delay: float = 0) -> None:
        if queue != BLOB_EVENTS:
            return
        for _ in range(self.duplicates):
            due = self.now + timedelta(seconds=delay)
            heapq.heappush(
                self.queue, (due, next(self._numbers), json.dumps(dict(message)).encode())
            )

    def wait(self, seconds: float) -> None:
        """Let time pass: messages arrive, runs are planned and end."""
        end = self.now + timedelta(seconds=seconds)
        while self.queue and self.queue[0][0] <= end:
            due, _, body = heapq.heappop(self.queue)
            self._pass(max(due, self.now))
            if self.lost:
                continue
            try:
                self.refreshes.event(body)
            except Unavailable:
                heapq.heappush(
                    self.queue, (self.now + timedelta(seconds=1), next(self._numbers), body)
                )
        self._pass(end)

    def _pass(self, to: datetime) -> None:
        """Planning begins two seconds after a run was queued; sending takes `run_seconds`."""
        self.now = max(self.now, to)
        for stored in list(self.runs.all()):
            run = stored.value
            if run.queued_at is None or not run.is_active:
                continue
            begins = run.queued_at + timedelta(seconds=2)
            if run.status is RunStatus.QUEUED and self.now >= begins:
                run = replace(run, status=RunStatus.PLANNING, started_at=begins)
                self.runs.keep(run.id, run)
            if run.status is RunStatus.PLANNING:
                self._plan(run)
            planned_at = self.planned_at.get(run.id)
            if planned_at is not None and self.now >= planned_at + timedelta(
                seconds=self.run_seconds
            ):
                self._end(run, planned_at + timedelta(seconds=self.run_seconds))

    def _plan(self, run: Run) -> None:
        """Plan a run at once; one that a refresh started, when no file has changed for ten seconds."""
        began = run.started_at
        assert began is not None
        export = self.exports.kept[run.export_id].value
        ready = began
        try:
            snapshot = self.snapshot([choice.name for choice in export.segments])
        except Unavailable:
            return
        if run.trigger is Trigger.REFRESH and snapshot.modified_at is not None:
            ready = max(began, snapshot.modified_at + timedelta(seconds=10))
        if self.now < ready:
            return
        mark = source_fingerprint(export, snapshot)
        self._planned[run.id] = "" if run.undo_of or run.retry_of else mark
        self.planned_at[run.id] = ready

        def planned(current: Run) -> Run:
            pointer = self.ledgers.read(export.id)
            if (
                pointer
                and pointer.value.source_fingerprint == mark
                and run.trigger is Trigger.REFRESH
            ):
                return replace(
                    current,
                    status=RunStatus.SKIPPED,
                    reason=Reason("noNewData"),
                    finished_at=began,
                )
            return replace(current, status=RunStatus.SENDING)

        update(self.runs, run.id, planned)

    def _end(self, run: Run, at: datetime) -> None:
        current = self.runs.kept[run.id].value
        if current.status is not RunStatus.SENDING:
            return
        pointer = LedgerPointer("blob", run.id, 1, self._planned[run.id])
        if run.mode is not Mode.PREVIEW:
            self.ledgers.keep(run.export_id, pointer)
        self.runs.keep(run.id, replace(current, status=RunStatus.SUCCESSFUL, finished_at=at))

    # --- what there is ---

    def export(self, key: str = "e1", segments: Sequence[str] = ("A",), **schedule: Any) -> None:
        self.exports.keep(
            key,
            Export(
                id=key,
                display_name=key,
                connection_id="c1",
                audience_id="a1",
                mapping=FieldMapping("EMail"),
                segments=tuple(SegmentChoice(name) for name in segments),
                schedule=Schedule(**schedule),
            ),
        )

    def made(self, key: str = "e1") -> list[Run]:
        """The runs of an export, oldest first."""
        found = [s.value for s in self.runs.all() if s.value.export_id == key]
        return sorted(found, key=lambda run: run.queued_at or START)

    def outcomes(self, key: str = "e1") -> list[str]:
        return [run.reason.code if run.reason else run.status for run in self.made(key)]


def dated(name: str, number: int, hour: int = 6) -> str:
    return f"export/{name}/2026/11/23/{hour:02d}00/{name}_{number}.csv"


def refresh(world: World, hour: int = 6, name: str = "A") -> Written:
    """A whole refresh, written at once."""
    files = [dated(name, number, hour) for number in (1, 2)]
    world.put(*files)
    return world.write_model(**{name: files})
