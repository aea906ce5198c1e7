"""The tick with a controlled clock: no run is missed or doubled."""

from __future__ import annotations

import itertools
import random
import uuid
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.errors import Unavailable
from shared.model.export import Export, Repeat, Schedule, SegmentChoice
from shared.model.export import Mapping as FieldMapping
from shared.model.finding import Reason
from shared.model.run import Mode, Run, RunStatus, Trigger, run_columns
from shared.runs.lookup import NewestRun
from shared.runs.start import RunOptions, Starter
from shared.runs.transitions import Transitions
from shared.scheduling.scheduled_starts import ScheduledStarts, ScheduleState, Tick
from shared.settings import StorageAccount
from shared.storage.clients import StorageClients
from shared.storage.records import TableRecords
from tests.fakes import VisibleRecords
from tests.logged_events import logged_events

START = datetime(2026, 11, 23, 0, 0, tzinfo=UTC)  # a Monday
DAILY = Schedule(repeat=Repeat.DAILY, times=("06:00",))
REFRESH = Schedule(repeat=Repeat.DAILY, times=("03:00", "15:00"))


class TickSimulation:
    """Exports, their runs, and a timer with a controlled clock."""

    def __init__(self) -> None:
        self.now = START
        self.refresh: Schedule | None = None
        self.exports: VisibleRecords[Export] = VisibleRecords()
        self.states: VisibleRecords[ScheduleState] = VisibleRecords()
        self.ticks: VisibleRecords[Tick] = VisibleRecords()
        self.runs: VisibleRecords[Run] = VisibleRecords(run_columns)
        self.newest: VisibleRecords[NewestRun] = VisibleRecords()
        self.broken: set[str] = set()
        self._numbers = itertools.count()
        self.starter = Starter(
            self.exports,
            self.runs,
            self.newest,
            self,
            Transitions(self.runs, lambda: self.now),
            lambda: f"{next(self._numbers):09x}",
        )
        self.scheduled_starts = ScheduledStarts(
            exports=self.exports,
            states=self.states,
            ticks=self.ticks,
            runs=self.runs,
            newest=self.newest,
            starter=self.starter,
            refresh_schedule=lambda: self.refresh,
            now=lambda: self.now,
        )
        self.newest.before_write = self._maybe_fail

    def _maybe_fail(self, key: str) -> None:
        if key in self.broken:
            raise Unavailable("storageNoAnswer", resource="fake", error="Lost")

    def send(self, queue: str, message: Mapping[str, object], delay: float = 0) -> None:
        """Ignore the messages to planners."""

    def export(self, key: str = "e1", schedule: Schedule = DAILY, **more: Any) -> Export:
        export = Export(
            id=key,
            display_name=key,
            connection_id="c1",
            audience_id="a1",
            mapping=FieldMapping("EMail"),
            segments=(SegmentChoice("A"),),
            schedule=schedule,
            updated_at=self.now,
        )
        self.exports.keep(key, replace(export, **more))
        return self.exports.kept[key].value

    def tick(self, at: datetime | None = None) -> int:
        self.now = at or self.now
        self.end_runs()
        return self.scheduled_starts.start_due()

    def end_runs(self, status: RunStatus = RunStatus.SUCCESSFUL, reason: str = "") -> None:
        for key, stored in list(self.runs.kept.items()):
            if stored.value.is_active:
                why = Reason(reason) if reason else None
                over = replace(stored.value, status=status, reason=why, finished_at=self.now)
                self.runs.keep(key, over)

    def every(self, minutes: float, until: datetime, each: Callable[[], object]) -> None:
        while self.now + timedelta(minutes=minutes) <= until:
            self.now += timedelta(minutes=minutes)
            each()

    def started(self, key: str = "e1") -> list[str]:
        """The times at which the runs of an export were requested, oldest first."""
        found = [s.value for s in self.runs.all() if s.value.export_id == key]
        times = sorted(run.queued_at for run in found if run.queued_at)
        return [f"{time:%d %H:%M}" for time in times]


def at(day: int, hour: int, minute: int = 0, second: int = 0) -> datetime:
    return datetime(2026, 11, day, hour, minute, second, tzinfo=UTC)


@pytest.fixture
def simulation() -> TickSimulation:
    return TickSimulation()


def test_an_export_runs_at_its_scheduled_time(simulation: TickSimulation) -> None:
    simulation.export()
    simulation.every(5, at(25, 12), simulation.tick)
    assert simulation.started() == ["23 06:00", "24 06:00", "25 06:00"]
    [run, *_] = [stored.value for stored in simulation.runs.all()]
    assert (run.trigger, run.mode) == (Trigger.SCHEDULE, Mode.EXPORT)


def test_a_schedule_set_just_before_its_time_runs_at_the_first_tick(
    simulation: TickSimulation,
) -> None:
    simulation.now = at(23, 5, 58)
    simulation.export()
    simulation.tick(at(23, 6, 0, 1))
    assert simulation.started() == ["23 06:00"]


def test_a_schedule_set_just_after_its_time_waits_a_day(simulation: TickSimulation) -> None:
    simulation.tick(at(23, 5, 55))
    simulation.now = at(23, 6, 1)
    simulation.export()
    simulation.every(5, at(24, 5, 50), simulation.tick)
    assert simulation.started() == []


def test_a_changed_schedule_does_not_start_missed_runs(simulation: TickSimulation) -> None:
    simulation.export()
    simulation.every(5, at(23, 12), simulation.tick)
    simulation.export(schedule=replace(DAILY, times=("07:00",)))
    simulation.every(5, at(24, 12), simulation.tick)
    assert simulation.started() == ["23 06:00", "24 07:00"]


def test_a_time_added_while_another_is_due_skips_no_run(simulation: TickSimulation) -> None:
    simulation.export()
    simulation.tick()
    simulation.now = START.replace(hour=6, minute=2)
    simulation.export(schedule=replace(DAILY, times=("05:00", "06:00", "18:00")))
    simulation.every(5, START + timedelta(days=1, hours=7), simulation.tick)
    assert simulation.started() == ["23 06:07", "23 18:02", "24 05:02", "24 06:02"]


def test_a_time_changed_while_it_is_due_runs_once(simulation: TickSimulation) -> None:
    simulation.export()
    simulation.tick()
    simulation.now = START.replace(hour=6, minute=2)
    simulation.export(schedule=replace(DAILY, times=("07:00",)))
    simulation.every(5, START + timedelta(hours=23), simulation.tick)
    assert simulation.started() == ["23 07:02"]


@pytest.mark.parametrize("hour", [1, 7])
def test_a_clock_that_is_ahead_for_one_tick_blocks_nothing(
    simulation: TickSimulation, hour: int
) -> None:
    simulation.export()
    simulation.tick()
    now = START + timedelta(days=1, hours=hour)
    simulation.every(30, now, simulation.tick)
    before = simulation.started()
    simulation.tick(now + timedelta(days=3))
    simulation.now = now
    simulation.every(30, now + timedelta(days=3), simulation.tick)
    days = [time for time in simulation.started() if time not in before and time[:2] < "28"]
    assert [time[3:] for time in days].count("06:00") >= 3
    tick = simulation.ticks.read("tick")
    assert tick is not None
    assert tick.value.at == simulation.now


def test_renaming_an_export_loses_no_run(simulation: TickSimulation) -> None:
    simulation.export()
    simulation.tick(at(23, 5, 55))
    simulation.now = at(23, 6, 1)
    simulation.export(display_name="another")
    simulation.tick(at(23, 6, 5))
    assert simulation.started() == ["23 06:05"]


def test_a_missed_time_runs_once(simulation: TickSimulation) -> None:
    simulation.export()
    simulation.tick(at(23, 6))
    simulation.tick(at(27, 9))
    simulation.tick(at(27, 9, 5))
    assert simulation.started() == ["23 06:00", "27 09:00"]


def test_a_retry_does_not_take_the_place_of_a_scheduled_run(simulation: TickSimulation) -> None:
    simulation.export()
    simulation.tick(at(23, 6))
    simulation.end_runs()
    [failed] = simulation.runs.kept
    simulation.now = at(24, 5, 59)
    simulation.starter.start("e1", Trigger.RETRY, options=RunOptions(retry_of=failed))
    simulation.now = at(24, 6)
    assert simulation.scheduled_starts.start_due() == 0
    simulation.tick(at(24, 6, 5))
    assert simulation.started() == ["23 06:00", "24 05:59", "24 06:05"]


def test_a_retry_that_begins_during_a_scheduled_start_does_not_take_its_place(
    simulation: TickSimulation,
) -> None:
    simulation.export()
    simulation.tick(at(23, 6))
    simulation.end_runs()
    [failed] = simulation.runs.kept

    def begin_retry(_: str) -> None:
        simulation.states.before_write = lambda _: None
        simulation.starter.start("e1", Trigger.RETRY, options=RunOptions(retry_of=failed))

    simulation.states.before_write = begin_retry
    assert simulation.tick(at(24, 6)) == 0
    assert simulation.tick(at(24, 6, 5)) == 1
    assert simulation.started() == ["23 06:00", "24 06:00", "24 06:05"]


def test_times_missed_while_switched_off_are_not_run(simulation: TickSimulation) -> None:
    simulation.export()
    simulation.tick(at(23, 6))
    simulation.export(schedule=replace(DAILY, enabled=False))
    simulation.tick(at(25, 12))
    simulation.export()
    simulation.tick(at(25, 12, 5))
    assert simulation.started() == ["23 06:00"]
    simulation.tick(at(26, 6))
    assert simulation.started() == ["23 06:00", "26 06:00"]


def test_a_detached_export_does_not_run_until_it_has_a_connection(
    simulation: TickSimulation,
) -> None:
    simulation.export(connection_id=None)
    simulation.every(60, at(24, 12), simulation.tick)
    simulation.export()
    simulation.every(60, at(25, 12), simulation.tick)
    assert simulation.started() == ["25 06:00"]


def test_exports_after_every_refresh_follow_the_refresh_schedule(
    simulation: TickSimulation,
) -> None:
    simulation.export("every", Schedule(repeat=Repeat.EVERY_REFRESH))
    simulation.export("own")
    simulation.export("off", Schedule(enabled=False, repeat=Repeat.EVERY_REFRESH))
    simulation.every(5, at(23, 2), simulation.tick)
    simulation.refresh = REFRESH
    simulation.every(5, at(24, 2), simulation.tick)
    assert simulation.started("every") == ["23 03:00", "23 15:00"]
    assert simulation.started("own") == ["23 06:00"]
    assert simulation.started("off") == []

    simulation.refresh = replace(REFRESH, enabled=False)
    simulation.every(5, at(25, 2), simulation.tick)
    assert simulation.started("every") == ["23 03:00", "23 15:00"]


def test_an_export_that_cannot_start_blocks_no_other_and_is_retried(
    simulation: TickSimulation, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "shared.events")
    for key in ("e1", "e2", "e3"):
        simulation.export(key)
    simulation.broken = {"e2"}
    simulation.tick(at(23, 6))
    assert [simulation.started(key) for key in ("e1", "e2", "e3")] == [
        ["23 06:00"],
        [],
        ["23 06:00"],
    ]
    [event] = logged_events(caplog)
    assert (event["event"], event["exportId"]) == ("export.notStarted", "e2")

    simulation.broken = set()
    simulation.every(5, at(23, 8), simulation.tick)
    assert [len(simulation.started(key)) for key in ("e1", "e2", "e3")] == [1, 1, 1]


def test_a_tick_killed_after_the_start_does_not_start_a_second_run(
    simulation: TickSimulation,
) -> None:
    simulation.export()
    dying = iter([True])

    def die(key: str) -> None:
        if simulation.started(key) and next(dying, False):
            raise Unavailable("noAnswer")

    simulation.states.before_write = die
    simulation.tick(at(23, 6))
    simulation.every(5, at(23, 12), simulation.tick)
    assert simulation.started() == ["23 06:00"]
    assert next(dying, None) is None


def test_a_tick_killed_before_the_start_loses_no_run_although_the_clock_of_the_last_run_was_ahead(
    simulation: TickSimulation,
) -> None:
    simulation.export()
    simulation.now = at(23, 8)
    simulation.starter.start("e1")
    simulation.broken = {"e1"}
    simulation.tick(at(23, 6))
    simulation.broken = set()
    simulation.every(5, at(23, 7), simulation.tick)
    assert simulation.started() == ["23 06:05", "23 08:00"]


def test_two_simultaneous_ticks_start_one_run(simulation: TickSimulation) -> None:
    simulation.export()
    second = iter([True])

    def both(key: str) -> None:
        if next(second, False):
            simulation.scheduled_starts.start_due()

    simulation.now = at(23, 5, 55)
    simulation.tick()
    simulation.states.before_write = both
    simulation.tick(at(23, 6))
    simulation.every(5, at(23, 12), simulation.tick)
    assert simulation.started() == ["23 06:00"]


@settings(max_examples=60)
@given(seed=st.integers(0, 10_000))
def test_every_day_has_one_run_regardless_of_the_ticks(seed: int) -> None:
    dice = random.Random(seed)
    simulation = TickSimulation()
    simulation.export()
    while simulation.now < at(28, 0):
        simulation.now += timedelta(minutes=dice.choice([0, 0.5, 5, 5, 30, 200]))
        simulation.tick()
    days = [one[:2] for one in simulation.started()]
    assert days == sorted(set(days))
    assert days == [f"{day}" for day in range(23, 23 + len(days))]
    assert len(days) >= 5


def overdue(caplog: pytest.LogCaptureFixture) -> int:
    return sum(one["event"] == "export.overdue" for one in logged_events(caplog))


def test_an_export_without_a_successful_run_for_two_periods_is_reported_once_per_period(
    simulation: TickSimulation, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "shared.events")
    simulation.export()

    def failing() -> None:
        simulation.end_runs(RunStatus.FAILED, "connectionLost")
        simulation.scheduled_starts.start_due()

    simulation.every(5, at(23, 12), simulation.tick)
    simulation.every(5, at(24, 12), failing)
    assert overdue(caplog) == 0
    simulation.every(5, at(25, 5), failing)
    assert overdue(caplog) == 0
    simulation.every(5, at(25, 12), failing)
    assert overdue(caplog) == 1
    simulation.every(5, at(26, 12), failing)
    assert overdue(caplog) == 2
    simulation.every(5, at(28, 12), simulation.tick)
    assert overdue(caplog) == 2


def test_a_run_without_new_data_is_not_a_failure(
    simulation: TickSimulation, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "shared.events")
    simulation.export()

    def nothing_new() -> None:
        simulation.end_runs(RunStatus.SKIPPED, "noNewData")
        simulation.scheduled_starts.start_due()

    simulation.every(5, at(27, 12), nothing_new)
    assert len(simulation.started()) == 5
    assert overdue(caplog) == 0


def test_real_tables_are_read_back_unchanged(simulation: TickSimulation, storage: str) -> None:
    clients = StorageClients(StorageAccount(connection_string=storage))
    part = uuid.uuid4().hex[:12]
    simulation.scheduled_starts = replace(
        simulation.scheduled_starts,
        states=TableRecords(clients, f"dues{part}", ScheduleState),
        ticks=TableRecords(clients, f"ticks{part}", Tick),
    )
    simulation.export(
        schedule=Schedule(
            repeat=Repeat.WEEKLY,
            days=("monday", "wednesday"),
            times=("06:00", "18:30"),
            time_zone="Korea Standard Time",
        )
    )
    simulation.every(30, at(26, 0), simulation.tick)
    clients.close()
    # 06:00 and 18:30 in Seoul, 9 hours ahead of UTC.
    assert simulation.started() == ["23 09:30", "24 21:00", "25 09:30"]
