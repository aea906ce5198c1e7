"""Old data is deleted after the retention period, and current data is kept."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import pytest

from shared.messaging.sequence import SequenceState
from shared.model.audience import NotSubscribedPointer
from shared.model.chunk import Chunk, ChunkKind
from shared.model.export import Export, Mapping
from shared.model.run import Mode, Run, RunStatus, Trigger, run_columns
from shared.people.retention import Retention
from shared.runs.outcome_file import OutcomeFile
from shared.runs.transitions import Transitions
from tests.fakes import MemoryFiles, MemoryRecords, MemoryStore, StoreClient

KEEP = timedelta(days=30)


@dataclass(frozen=True)
class Nonce:
    at: datetime


class World:
    def __init__(self) -> None:
        self.store = MemoryStore()
        client = StoreClient(self.store)
        self.clock = self.store.clock
        self.files = MemoryFiles(client)
        self.runs: MemoryRecords[Run] = MemoryRecords(client, "runs", run_columns)
        self.chunks: MemoryRecords[Chunk] = MemoryRecords(client, "chunks")
        self.turns: MemoryRecords[SequenceState] = MemoryRecords(client, "turns")
        self.exports: MemoryRecords[Export] = MemoryRecords(client, "exports")
        self.not_subscribed: MemoryRecords[NotSubscribedPointer] = MemoryRecords(client, "held")
        self.nonces: MemoryRecords[Nonce] = MemoryRecords(client, "nonces")
        outcome_file = OutcomeFile(self.files, "https://landing/outcomes", self.clock.now)
        self.retention = Retention(
            self.runs,
            Transitions(self.runs, self.clock.now),
            self.chunks,
            self.turns,
            self.exports,
            self.not_subscribed,
            self.nonces,
            self.files,
            KEEP,
            self.clock.now,
            outcome_file,
        )

    def run(self, run_id: str, status: RunStatus) -> Run:
        now = self.clock.now()
        over = status in (RunStatus.SUCCESSFUL, RunStatus.FAILED)
        run = Run(
            run_id,
            "e1",
            Trigger.ON_DEMAND,
            Mode.EXPORT,
            status,
            queued_at=now,
            moved_at=now,
            finished_at=now if over else None,
        )
        self.runs.create(run_id, run)
        self.chunks.create(f"{run_id}/000000", Chunk(0, ChunkKind.ADD, 0, 0, 10, 1))
        self.turns.create(f"{run_id}/0", SequenceState(3, sent=True))
        for name in ("plan.json", "plan-a/lines.jsonl", "outcomes.parquet", "outcomes/0-a.csv"):
            self.files.write(f"runs/{run_id}/{name}", b"x")
        return run

    def days(self, days: float) -> None:
        self.clock.forward(days * 86_400)

    def left(self, run_id: str) -> int:
        return len(list(self.files.names(f"runs/{run_id}/")))


@pytest.fixture
def world() -> World:
    return World()


def test_the_files_of_a_run_are_deleted_after_the_retention_period_but_not_its_record(
    world: World,
) -> None:
    world.run("old", RunStatus.SUCCESSFUL)
    world.days(29.9)
    world.run("young", RunStatus.FAILED)
    assert world.retention.delete_old_data() == 0
    assert world.left("old") == 4

    world.days(0.1)

    assert world.retention.delete_old_data() == 1
    assert (world.left("old"), world.left("young")) == (0, 4)
    assert list(world.chunks.all("old")) == []
    assert list(world.turns.all("old")) == []
    assert [stored.value.cleared for stored in world.runs.all()] == [True, False]
    assert world.retention.delete_old_data() == 0


def test_the_files_of_an_active_run_are_kept_regardless_of_age(world: World) -> None:
    world.run("going", RunStatus.SENDING)
    world.days(99)

    assert world.retention.delete_old_data() == 0
    assert world.left("going") == 4


def test_an_unanswered_confirmation_expires_with_the_retention_period(world: World) -> None:
    world.run("waits", RunStatus.AWAITING_CONFIRMATION)
    world.days(29)
    world.retention.delete_old_data()
    stored = world.runs.read("waits")
    assert stored is not None
    assert stored.value.status is RunStatus.AWAITING_CONFIRMATION

    world.days(1)
    world.retention.delete_old_data()

    stored = world.runs.read("waits")
    assert stored is not None
    assert stored.value.status is RunStatus.CANCELED
    assert stored.value.reason is not None
    assert stored.value.reason.code == "confirmationExpired"
    assert world.left("waits") == 0


def test_an_erasure_deletes_outcome_files_and_keeps_a_newer_description(world: World) -> None:
    world.run("old", RunStatus.SUCCESSFUL)
    world.files.write("e1/MailchimpOutcomes/old/MailchimpOutcomes_1.csv", b"x")
    world.files.write("e1/MailchimpOutcomes/new/MailchimpOutcomes_1.csv", b"x")
    world.files.write("e1/model.json", b".../e1/MailchimpOutcomes/new/MailchimpOutcomes_1.csv")
    world.days(31)
    world.run("new", RunStatus.SUCCESSFUL)

    world.retention.delete_old_data()
    assert list(world.files.names("e1/")) == [
        "e1/MailchimpOutcomes/new/MailchimpOutcomes_1.csv",
        "e1/model.json",
    ]

    world.days(31)
    world.retention.delete_old_data()
    assert list(world.files.names("e1/")) == []


def test_lists_of_unused_audiences_are_deleted_after_a_day(world: World) -> None:
    mapping = Mapping(email="EMail")
    world.exports.create("e1", Export("e1", "One", "c1", "used", mapping, ()))
    for audience in ("used", "unused"):
        blob = f"audiences/acc/{audience}/1.parquet"
        world.files.write(blob, b"x")
        world.not_subscribed.create(
            f"acc/{audience}", NotSubscribedPointer(blob, world.clock.now())
        )
    world.retention.delete_old_data()
    assert len(list(world.files.names("audiences/"))) == 2

    world.days(1)
    world.retention.delete_old_data()

    assert list(world.files.names("audiences/")) == ["audiences/acc/used/1.parquet"]
    assert [stored.key for stored in world.not_subscribed.all()] == ["acc/used"]


def test_lists_left_by_a_killed_run_are_deleted_although_the_audience_is_used(world: World) -> None:
    mapping = Mapping(email="EMail")
    world.exports.create("e1", Export("e1", "One", "c1", "used", mapping, ()))
    world.run("over", RunStatus.FAILED)
    world.run("going", RunStatus.PLANNING)
    current = "audiences/acc/used/over-1.parquet"
    names = [current, *(f"audiences/acc/{a}/{run}-2.parquet" for a in ("used", "new")
                        for run in ("over", "going", "erased"))]  # fmt: skip
    for name in names:
        world.files.write(name, b"x")
    world.not_subscribed.create("acc/used", NotSubscribedPointer(current, world.clock.now()))

    world.retention.delete_old_data()

    assert list(world.files.names("audiences/")) == [
        "audiences/acc/new/going-2.parquet",
        "audiences/acc/used/going-2.parquet",
        current,
    ]


def test_nonces_are_deleted_a_day_after_use(world: World) -> None:
    world.nonces.create("first", Nonce(world.clock.now()))
    world.days(0.9)
    world.nonces.create("second", Nonce(world.clock.now()))
    world.retention.delete_old_data()
    assert len(list(world.nonces.all())) == 2

    world.days(0.2)
    world.retention.delete_old_data()

    assert [stored.key for stored in world.nonces.all()] == ["second"]


def test_an_interrupted_deletion_is_completed_by_the_next(world: World) -> None:
    for run_id in ("r1", "r2"):
        world.run(run_id, RunStatus.SUCCESSFUL)
    world.days(31)
    before = (dict(world.store.blobs), {k: dict(v) for k, v in world.store.tables.items()})
    kill_at = 0
    while True:
        kill_at += 1
        world.store.blobs.clear()
        world.store.blobs.update(before[0])
        for kind, table in before[1].items():
            world.store.tables[kind].clear()
            world.store.tables[kind].update(table)
        client = StoreClient(world.store, kill_at)
        dying = replace(
            world.retention,
            runs=MemoryRecords(client, "runs", run_columns),
            chunks=MemoryRecords(client, "chunks"),
            files=MemoryFiles(client),
        )
        try:
            dying.delete_old_data()
        except BaseException as killed:
            assert type(killed).__name__ == "ProcessKilled"  # noqa: PT017
        world.retention.delete_old_data()
        assert list(world.files.names("runs/")) == []
        assert all(stored.value.cleared for stored in world.runs.all())
        if not client.dead:
            break
    assert kill_at > 10
