"""The watchdog resumes stalled runs, and ends them after an hour without progress."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from shared.capacity.pace import AccountPace, Pace
from shared.model.chunk import Chunk, ChunkKind, ChunkState
from shared.model.plan import PlanGone
from shared.model.run import Mode, Run, RunStatus, Trigger, run_columns
from shared.runs.abandon import Abandon
from shared.runs.transitions import Transitions
from shared.runs.watchdog import MOST_RESUMES, STALLED_AFTER, Watchdog
from tests.fakes import MemoryQueue, MemoryRecords, MemoryStore, StoreClient


class World:
    """A run, its chunks and the watchdog, which checks every minute."""

    def __init__(self, status: RunStatus) -> None:
        self.store = MemoryStore()
        client = StoreClient(self.store)
        self.clock = self.store.clock
        self.runs: MemoryRecords[Run] = MemoryRecords(client, "runs", run_columns)
        self.chunks: MemoryRecords[Chunk] = MemoryRecords(client, "chunks")
        paces: MemoryRecords[Pace] = MemoryRecords(client, "paces")
        transitions = Transitions(self.runs, self.clock.now)
        pace = AccountPace(paces, 10, self.clock.now)
        self.watchdog = Watchdog(
            self.runs,
            self.chunks,
            transitions,
            MemoryQueue(client),
            Abandon(transitions, self.chunks, pace, no_plan),
            10,
            self.clock.now,
        )
        now = self.clock.now()
        self.runs.create(
            "r1",
            Run("r1", "e1", Trigger.ON_DEMAND, Mode.EXPORT, status, queued_at=now, moved_at=now),
        )

    def minutes(self, number: int) -> None:
        for _ in range(number):
            self.clock.forward(60)
            self.watchdog.resume_stalled()

    @property
    def run(self) -> Run:
        stored = self.runs.read("r1")
        assert stored is not None
        return stored.value

    def chunk_is_done(self, number: int, behind: timedelta = timedelta()) -> None:
        """Record a chunk as an instance does whose clock may be behind."""
        chunk = Chunk(number, ChunkKind.ADD, 0, 0, 1, 500)
        done_at = self.clock.now() - behind
        self.chunks.create(f"r1/{number}", replace(chunk, state=ChunkState.DONE, done_at=done_at))


def no_plan(_: str) -> Any:
    raise PlanGone


ACTIVE = [RunStatus.QUEUED, RunStatus.PLANNING, RunStatus.SENDING, RunStatus.FINISHING]


@pytest.mark.parametrize("status", ACTIVE)
def test_a_run_is_resumed_whenever_it_has_stalled_and_not_at_every_tick(
    status: RunStatus,
) -> None:
    world = World(status)

    world.minutes(16)

    lanes = 1 if status in (RunStatus.QUEUED, RunStatus.PLANNING) else 10
    assert len(world.store.messages) == 3 * lanes
    assert world.run.status is status


@pytest.mark.parametrize("status", ACTIVE)
def test_after_an_hour_of_resuming_it_is_ended_with_the_reason(status: RunStatus) -> None:
    world = World(status)
    until = STALLED_AFTER * (MOST_RESUMES + 1)

    world.minutes(int(until / timedelta(minutes=1)) - 1)
    assert world.run.status is status
    world.minutes(2)

    assert world.run.status is RunStatus.FAILED
    assert world.run.reason is not None
    assert world.run.reason.code == "stalled"
    assert world.run.finished_at is not None
    sent = len(world.store.messages)
    world.minutes(30)
    assert len(world.store.messages) == sent


def test_a_run_that_progresses_slowly_is_never_ended() -> None:
    world = World(RunStatus.SENDING)

    for number in range(10):
        world.minutes(45)
        world.chunk_is_done(number)

    assert world.run.status is RunStatus.SENDING
    world.minutes(70)
    assert world.run.status is RunStatus.FAILED
    assert world.run.progress.chunks_done == 10


def test_a_run_that_progresses_is_not_ended_because_the_clock_of_its_instance_is_behind() -> None:
    world = World(RunStatus.SENDING)

    for number in range(6):
        world.minutes(30)
        world.chunk_is_done(number, behind=timedelta(hours=5))

    assert world.run.status is RunStatus.SENDING


def test_a_clock_that_is_hours_ahead_does_not_delay_a_run_by_hours() -> None:
    world = World(RunStatus.FINISHING)
    stored = world.runs.read("r1")
    assert stored is not None
    ahead = world.clock.now() + timedelta(hours=3)
    world.runs.replace("r1", replace(stored.value, moved_at=ahead), stored.etag)

    world.minutes(6)

    assert len(world.store.messages) >= 10
    assert world.run.status is RunStatus.FINISHING
