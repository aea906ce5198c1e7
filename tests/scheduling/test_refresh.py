"""Each refresh starts one run, regardless of the order of messages, with a controlled clock."""

from __future__ import annotations

import heapq
import itertools
import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.errors import ConfigError, InputError, Unavailable
from shared.messaging.messages import refresh_of
from shared.model.export import Export, Repeat, Schedule, SegmentChoice
from shared.model.export import Mapping as FieldMapping
from shared.model.ledger import LedgerPointer
from shared.model.names import BLOB_EVENTS
from shared.model.ports import update
from shared.model.run import Mode, Reason, Run, RunStatus, Trigger
from shared.model.source import Partition, SegmentSnapshot, Snapshot
from shared.planning.fingerprint import source_fingerprint
from shared.runs.lookup import NewestRun
from shared.runs.start import RunOptions, Starter
from shared.runs.transitions import Transitions
from shared.scheduling.refresh import Refreshes
from shared.scheduling.refresh_progress import RefreshProgress, WaitingTimes
from tests.web.world import MemoryRecords

START = datetime(2026, 11, 23, 6, 0, tzinfo=UTC)
MODEL = "export/model.json"
EVENT = b'{"an": "event"}'


@dataclass(frozen=True)
class Written:
    """An announcement, as segments/events.py gives it."""

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
        self.exports: MemoryRecords[Export] = MemoryRecords()
        self.progress: MemoryRecords[RefreshProgress] = MemoryRecords()
        self.runs: MemoryRecords[Run] = MemoryRecords()
        self.newest: MemoryRecords[NewestRun] = MemoryRecords()
        self.ledgers: MemoryRecords[LedgerPointer] = MemoryRecords()
        self._numbers = itertools.count()
        self._announced: dict[bytes, Written] = {}
        self._planned: dict[str, str] = {}
        self.planned_at: dict[str, datetime] = {}
        self._written: dict[str, datetime] = {}
        transitions = Transitions(self.runs, self.clock)
        self.refreshes = Refreshes(
            exports=self.exports,
            progress=self.progress,
            runs=self.runs,
            transitions=transitions,
            newest=self.newest,
            ledgers=self.ledgers,
            starter=Starter(self.exports, self.runs, self.newest, self, transitions, self._entropy),
            source=self,  # type: ignore[arg-type]
            queue=self,
            planned=lambda run_id: self._planned.get(run_id),
            read_events=lambda body: [one for one in [self._announced.get(body)] if one],
            model_etag=self.blobs.get,
            now=self.clock,
            times=self.times,
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
        self._planned[run.id] = "" if run.undo_of else mark
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


@pytest.fixture
def world() -> World:
    world = World()
    world.export()
    return world


def test_model_json_first_and_late_duplicated_files_start_one_run(world: World) -> None:
    files = [dated("A", number) for number in (1, 2, 3)]
    world.announce(world.write_model(A=files))
    world.wait(20)
    for file in files:
        assert world.made() == []
        world.put(file)
        world.wait(8)
    world.put(*files)
    last = world.now
    world.wait(300)

    [run] = world.made()
    assert run.trigger is Trigger.REFRESH
    assert last + timedelta(seconds=10) <= world.planned_at[run.id] <= last + timedelta(seconds=30)


def test_a_run_starts_as_soon_as_all_files_are_new(world: World) -> None:
    world.announce(refresh(world))
    world.wait(0.5)
    [run] = world.made()
    assert (run.trigger, run.status) == (Trigger.REFRESH, RunStatus.QUEUED)


def test_no_plan_is_ready_while_files_are_being_written(world: World) -> None:
    world.announce(refresh(world))
    for _ in range(5):
        world.wait(9)
        world.put(dated("A", 1))
    assert world.planned_at == {}
    world.wait(60)
    assert world.outcomes() == ["successful"]


def test_several_writes_of_model_json_in_a_refresh_start_one_run(world: World) -> None:
    for _ in range(6):
        world.announce(refresh(world))
        world.wait(3)
    world.wait(300)
    assert world.outcomes() == ["successful"]


def test_a_repeated_event_starts_nothing(world: World) -> None:
    written = refresh(world)
    for delay in (0, 0, 1, 30, 500):
        world.announce(written, delay)
    world.wait(1000)
    assert world.outcomes() == ["successful"]


def test_a_late_old_event_starts_nothing(world: World) -> None:
    old = refresh(world, 6)
    world.wait(1)
    world.announce(refresh(world, 7))
    world.announce(old, 200)
    world.wait(1000)
    assert world.outcomes() == ["successful"]


def test_the_next_refresh_starts_the_next_run(world: World) -> None:
    for hour in (6, 12, 18):
        world.announce(refresh(world, hour))
        world.wait(3600)
    assert world.outcomes() == ["successful"] * 3


def test_a_refresh_without_changes_is_reported(world: World) -> None:
    world.announce(refresh(world))
    world.wait(300)
    world.announce(world.write_model(A=world.listed["A"]))
    world.wait(300)
    assert world.outcomes() == ["successful", "noNewData"]


def test_refreshes_during_a_run_make_exactly_one_more() -> None:
    world = World(run_seconds=600)
    world.export()
    world.announce(refresh(world, 6))
    world.wait(60)
    for hour in (7, 8, 9):
        world.announce(refresh(world, hour))
        world.wait(60)
    assert len(world.made()) == 1
    world.wait(3000)

    first, second = world.made()
    assert first.finished_at is not None
    assert second.queued_at is not None
    assert second.queued_at >= first.finished_at
    assert world.outcomes() == ["successful"] * 2


def test_a_queued_run_consumes_the_refresh(world: World) -> None:
    written = refresh(world)
    started = world.refreshes.starter.start("e1", Trigger.ON_DEMAND)
    world.announce(written)
    world.wait(600)
    assert [run.id for run in world.made()] == [started.id]


def test_a_manual_run_after_the_refresh_has_nothing_to_do(world: World) -> None:
    world.announce(refresh(world), delay=10)
    world.wait(1)
    world.refreshes.starter.start("e1", Trigger.ON_DEMAND)
    world.wait(600)
    assert [run.trigger for run in world.made()] == [Trigger.ON_DEMAND]


def test_a_run_awaiting_confirmation_is_not_replaced_by_the_refresh_it_read(
    world: World,
) -> None:
    world.announce(refresh(world), delay=10)
    world.wait(1)
    asked = world.refreshes.starter.start("e1", Trigger.ON_DEMAND)
    world.wait(5)
    waiting = replace(world.made()[0], status=RunStatus.AWAITING_CONFIRMATION)
    world.runs.keep(asked.id, waiting)
    world.wait(300)
    assert world.outcomes() == ["awaitingConfirmation"]
    world.announce(refresh(world, 7))
    world.wait(300)
    assert world.outcomes() == ["superseded", "successful"]


def test_a_canceled_run_is_not_restarted_by_the_same_refresh(world: World) -> None:
    world.announce(refresh(world))
    world.wait(20)
    canceled = replace(world.made()[0], status=RunStatus.CANCELED, finished_at=world.now)
    world.runs.keep(canceled.id, canceled)
    world.wait(300)
    assert world.outcomes() == ["canceled"]


def test_a_queued_preview_does_not_consume_a_refresh(world: World) -> None:
    written = refresh(world)
    world.refreshes.starter.start("e1", Trigger.ON_DEMAND, Mode.PREVIEW)
    world.announce(written)
    world.wait(600)
    assert [run.mode for run in world.made()] == [Mode.PREVIEW, Mode.EXPORT]


def test_an_undo_does_not_consume_a_refresh(world: World) -> None:
    world.announce(refresh(world))
    world.wait(300)
    written = refresh(world, 7)
    undone = world.made()[0].id
    world.refreshes.starter.start("e1", options=RunOptions(undo_of=undone))
    world.announce(written)
    world.wait(600)
    assert [run.undo_of for run in world.made()] == [None, undone, None]


def test_a_missing_file_is_reported_after_a_while(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "shared.events")
    files = [dated("A", 1), dated("A", 2)]
    world.put(files[0])
    world.announce(world.write_model(A=files))
    world.wait(3500)
    assert world.made() == []
    world.wait(300)

    [run] = world.made()
    assert (run.status, run.trigger) == (RunStatus.SKIPPED, Trigger.REFRESH)
    assert run.reason is not None
    assert run.reason.code == "refreshNeverComplete"
    [finding] = run.findings
    assert finding.code == "filesMissing"
    assert "1 of 2 files of the segment A" in finding.message
    events = [json.loads(record.message) for record in caplog.records]
    assert {"refresh.notComplete", "run.finished"} == {one["event"] for one in events}
    assert world.queue == []

    world.put(files[1])
    world.announce(world.write_model(A=files))
    world.wait(300)
    assert world.outcomes() == ["refreshNeverComplete", "successful"]


def test_a_file_that_is_missing_in_every_refresh_is_reported_once_an_hour(world: World) -> None:
    world.put(dated("A", 1))
    for _ in range(12):
        world.announce(world.write_model(A=[dated("A", 1), dated("A", 2)]))
        world.wait(50 * 60)
    reported = world.outcomes()
    world.put(dated("A", 2))
    world.wait(300)

    assert 8 <= len(reported) <= 10
    assert set(reported) == {"refreshNeverComplete"}
    assert world.outcomes() == [*reported, "successful"]


def test_a_fault_is_reported_although_refreshes_follow_one_another_closely(world: World) -> None:
    world.fault = ConfigError("segmentMissing", segments="A")
    world._plan = lambda run: None  # type: ignore[method-assign]  # the planner's part is not tried here
    for _ in range(65):
        world.announce(refresh(world))
        world.wait(60)
    [run] = world.made()
    assert run.reason is not None
    assert run.reason.code == "refreshNeverComplete"
    assert [finding.code for finding in run.findings] == ["segmentMissing"]

    world.wait(120)
    assert world.outcomes() == ["refreshNeverComplete", "planning"]


def test_a_refresh_that_is_announced_twice_and_never_complete_is_reported_once(
    world: World,
) -> None:
    world.put(dated("A", 1))
    for _ in range(2):
        world.announce(world.write_model(A=[dated("A", 1), dated("A", 2)]))
        world.wait(10 * 60)
    world.wait(2 * 3600)
    assert world.outcomes() == ["refreshNeverComplete"]
    assert world.queue == []


def test_a_refresh_after_one_that_waits_for_a_run_has_an_hour_of_its_own() -> None:
    world = World(run_seconds=4000)
    world.export()
    world.announce(refresh(world, 6))
    world.wait(60)
    world.announce(refresh(world, 7))
    world.wait(3700)
    files = [dated("A", number, 8) for number in (1, 2)]
    world.announce(world.write_model(A=files))
    world.wait(60)
    world.put(*files)
    world.wait(8000)
    assert world.outcomes() == ["successful"] * 2


def test_a_fault_while_the_next_refresh_is_written_starts_no_run(world: World) -> None:
    """The documents of a manifest are written one after another."""
    files = [dated("A", number) for number in (1, 2)]
    world.put(files[0])
    world.announce(world.write_model(A=files))
    for _ in range(4):
        world.wait(20 * 60)
        world.fault = InputError("definitionUnusable", where=MODEL, entity="A", document="A.json")
        world.announce(world.write_model(A=files))
        world.wait(60)
        world.fault = None
    reported = world.outcomes()
    world.put(*files)
    world.wait(300)
    assert reported == ["refreshNeverComplete"]
    assert world.outcomes() == ["refreshNeverComplete", "successful"]


def test_every_export_waits_only_for_its_own_segments() -> None:
    world = World()
    world.export("e1", ["A"])
    world.export("e2", ["A", "B"])
    world.export("e3", ["A"], enabled=False)
    world.export("e4", ["A"], repeat=Repeat.DAILY, times=("06:00",))
    here, late = dated("A", 1), dated("B", 1)
    world.put(here)
    world.announce(world.write_model(A=[here], B=[late]))
    world.wait(120)
    assert [len(world.made(key)) for key in ("e1", "e2", "e3", "e4")] == [1, 0, 0, 0]
    world.put(late)
    world.wait(120)
    assert [len(world.made(key)) for key in ("e1", "e2", "e3", "e4")] == [1, 1, 0, 0]


def test_a_refresh_older_than_the_export_does_not_start_it(world: World) -> None:
    written = refresh(world)
    world.wait(2)
    world.export()
    made = replace(world.exports.kept["e1"].value, created_at=world.now)
    world.exports.keep("e1", made)
    world.announce(written)
    world.wait(300)
    assert world.made() == []
    world.announce(refresh(world, 7))
    world.wait(300)
    assert world.outcomes() == ["successful"]


def test_a_model_json_elsewhere_does_not_start_an_export(world: World) -> None:
    world.announce(refresh(world))
    world.wait(300)
    world.put("other/model.json")
    world.announce(Written("other/model.json", world.blobs["other/model.json"], world.now))
    world.wait(300)
    assert world.outcomes() == ["successful"]


def test_files_rewritten_in_place_are_waited_for(world: World) -> None:
    files = ["export/A/A_1.csv", "export/A/A_2.csv"]
    world.put(*files)
    world.announce(world.write_model(A=files))
    world.wait(300)

    world.announce(world.write_model(A=files))  # model.json first, the old files are still there
    world.wait(12)
    world.put(files[0])
    world.wait(20)
    assert len(world.made()) == 1
    world.put(files[1])
    world.wait(300)
    assert world.outcomes() == ["successful", "successful"]


def test_the_first_files_rewritten_in_place_are_waited_for_as_well(world: World) -> None:
    """Nothing shows that they are those of an earlier refresh."""
    files = ["export/A/A_1.csv", "export/A/A_2.csv"]
    world.put(*files)
    world.wait(3600)
    world.announce(world.write_model(A=files))
    for file in files:
        world.wait(8)
        world.put(file)
    world.wait(300)
    [run] = world.made()
    assert world.planned_at[run.id] - world._written[files[1]] >= timedelta(seconds=10)


def test_files_rewritten_long_after_model_json_are_detected(world: World) -> None:
    files = ["export/A/A_1.csv", "export/A/A_2.csv"]
    world.put(*files)
    world.announce(world.write_model(A=files))
    world.wait(300)
    world.announce(world.write_model(A=files))
    world.wait(300)
    world.put(*files)
    world.wait(4000)
    assert world.outcomes() == ["successful", "noNewData", "successful"]
    world.wait(8000)
    assert world.queue == []


def test_a_config_error_creates_a_run_that_reports_it(world: World) -> None:
    world.fault = ConfigError("segmentMissing", segments="A")
    world.announce(refresh(world))
    world.wait(100)
    assert world.made() == []
    world._plan = lambda run: None  # type: ignore[method-assign]  # the planner's part is not tried here
    world.wait(60)
    assert len(world.made()) == 1
    world.wait(4000)
    assert world.queue == []


def test_a_lost_reminder_message_is_sent_again_by_the_tick(world: World) -> None:
    files = [dated("A", 1), dated("A", 2)]
    world.announce(world.write_model(A=files))
    world.wait(3)
    world.put(*files)
    world.lost = True
    world.wait(100)
    world.lost = False
    assert world.queue == []
    assert world.refreshes.resend_lost() == 1
    world.wait(100)
    assert world.outcomes() == ["successful"]
    assert world.refreshes.resend_lost() == 0


def test_a_worker_killed_while_starting_does_not_start_a_second_run(world: World) -> None:
    world.announce(refresh(world))
    dying = iter([True])

    def die(key: str) -> None:
        stored = world.progress.read(key)
        if stored and stored.value.starting_at is not None and next(dying, False):
            raise Unavailable("noAnswer")

    world.progress.before_write = die
    world.wait(600)
    assert world.outcomes() == ["successful"]
    assert next(dying, None) is None


def test_messages_are_validated_strictly() -> None:
    assert refresh_of(b'{"v": 1, "refresh": "e1", "number": 3}') == ("e1", 3)
    assert refresh_of(b'{"eventType": "Microsoft.Storage.BlobCreated"}') is None
    assert refresh_of(b"no JSON") is None
    for wrong in (
        '"../e"',
        '"e1", "number": -1',
        '"e1", "number": true',
        "7",
        '"e1", "number": "1"',
    ):
        with pytest.raises(InputError):
            refresh_of(f'{{"v": 1, "refresh": {wrong}}}'.encode())


def test_a_message_that_was_given_up_is_logged_without_its_content(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "shared.events")
    world.refreshes.give_up(b'{"subject": "kim@example.org"}')
    world.refreshes.give_up(b'{"v": 1, "refresh": "e1", "number": 1}')
    assert [json.loads(record.message) for record in caplog.records] == [
        {"event": "refresh.messageGaveUp", "exportId": None},
        {"event": "refresh.messageGaveUp", "exportId": "e1"},
    ]


@settings(max_examples=60)
@given(
    seed=st.integers(0, 10_000),
    refreshes=st.integers(1, 3),
    duplicates=st.integers(1, 3),
    run_seconds=st.sampled_from([5.0, 40.0, 400.0]),
)
def test_refresh_events_out_of_order_duplicated_or_late_start_exactly_one_run(
    seed: int, refreshes: int, duplicates: int, run_seconds: float
) -> None:
    dice = random.Random(seed)
    world = World(run_seconds=run_seconds, duplicates=duplicates)
    world.export()
    for hour in range(6, 6 + refreshes):
        files = [dated("A", number, hour) for number in (1, 2, 3)]
        steps: list[str] = [*files, *dice.sample(files, dice.randint(0, 2)), MODEL]
        dice.shuffle(steps)
        for step in steps:
            if step == MODEL:
                written = world.write_model(A=files)
                for _ in range(dice.randint(1, 3)):
                    world.announce(written, dice.choice([0, 1, 20, 300]))
            else:
                world.put(step)
            world.wait(dice.choice([0, 0.5, 3, 7]))
        world.wait(3000)  # the next refresh comes much later

    assert world.outcomes() == ["successful"] * refreshes
    settled = world.ledgers.kept["e1"].value.source_fingerprint
    export = world.exports.kept["e1"].value
    assert settled == source_fingerprint(export, world.snapshot(["A"]))


@settings(max_examples=60)
@given(seed=st.integers(0, 10_000), run_seconds=st.sampled_from([5.0, 40.0, 400.0]))
def test_files_overwritten_in_place_are_never_missed(seed: int, run_seconds: float) -> None:
    """Without dated folders, old and new files differ only in their ETags."""
    dice = random.Random(seed)
    world = World(run_seconds=run_seconds)
    world.export()
    files = [f"export/A/A_{number}.csv" for number in (1, 2, 3)]
    for _ in range(3):
        steps = [*files, MODEL]
        dice.shuffle(steps)
        for step in steps:
            if step == MODEL:
                world.announce(world.write_model(A=files), dice.choice([0, 1, 20]))
            else:
                world.put(step)
            world.wait(dice.choice([0, 3, 15, 45, 200]))
        world.wait(9000)
        export = world.exports.kept["e1"].value
        assert world.ledgers.kept["e1"].value.source_fingerprint == source_fingerprint(
            export, world.snapshot(["A"])
        )
    assert world.queue == []
