"""Processes share slots, pace and chunks, and messages contain ids only."""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devhost.processes import Azurite
from shared.capacity.pace import AccountPace, Pace
from shared.capacity.slots import Slot, SlotHolder, Slots
from shared.errors import Changed, Conflict, InputError, NotFound
from shared.messaging.messages import lane_of, run_of
from shared.model.chunk import Chunk, ChunkKind, ChunkState, chunk_key
from shared.model.ports import Stored
from shared.model.run import REMOVAL_GUARD, Mode, Run, Trigger
from shared.sending.chunk_queue import ChunkQueue, ChunkTotals
from shared.settings import StorageAccount
from shared.storage.clients import StorageClients
from shared.storage.files import BlobFiles
from shared.storage.leases import BlobLeases
from shared.storage.records import TableRecords
from tests.fakes import (
    Clock,
    MemoryFiles,
    MemoryLeases,
    MemoryRecords,
    MemoryStore,
    ProcessKilled,
    StoreClient,
)

RUN = "e5df66fac8ccf43da03b"
_tokens = itertools.count()


# --- the fakes keep what Azure keeps -------------------------------------------------------


@pytest.fixture(params=["memory", "azurite"])
def memory_storage(request: pytest.FixtureRequest) -> Iterator[tuple[Any, Any, Any]]:
    """Records, files and leases: in memory, and on a real Azurite."""
    if request.param == "memory":
        client = StoreClient(MemoryStore())
        yield MemoryRecords(client, "paces"), MemoryFiles(client), MemoryLeases(client)
        return
    azurite: Azurite = request.getfixturevalue("azurite")
    name = f"t{uuid.uuid4().hex[:16]}"
    clients = StorageClients(StorageAccount(connection_string=azurite.connection_string))
    yield TableRecords(clients, name, Pace), BlobFiles(clients, name), BlobLeases(clients, name)
    clients.close()


def test_in_memory_storage_and_azurite_behave_the_same(
    memory_storage: tuple[Any, Any, Any], tmp_path: Path
) -> None:
    records, files, leases = memory_storage
    one, two = Pace(1, Clock().now()), Pace(2, Clock().now())

    assert records.read("a/1") is None
    first = records.create("a/1", one)
    with pytest.raises(Conflict):
        records.create("a/1", two)
    second = records.replace("a/1", two, first.etag)
    with pytest.raises(Changed):
        records.replace("a/1", one, first.etag)
    with pytest.raises(Changed):
        records.replace("a/9", one, first.etag)
    records.create_many([("a/0", one), ("a/1", one), ("a/2", one)])
    assert [(s.key, s.value.limit) for s in records.all("a")] == [
        ("a/0", 1), ("a/1", 2), ("a/2", 1),
    ]  # fmt: skip
    assert list(records.all("b")) == []
    with pytest.raises(Changed):
        records.delete("a/1", first.etag)
    records.delete("a/1", second.etag)
    records.delete("a/1")

    files.write("f/x", b"hello", once=True)
    with pytest.raises(Conflict):
        files.write("f/x", b"other", once=True)
    assert files.read("f/x", 1, 3) == b"ell"
    files.download("f/x", tmp_path / "x")
    files.upload(tmp_path / "x", "f/y")
    assert list(files.names("f/")) == ["f/x", "f/y"]
    files.delete("f/x")
    files.delete("f/x")
    with pytest.raises(NotFound):
        files.read("f/x")

    lease = leases.acquire("l", 15)
    assert lease is not None
    assert leases.acquire("l", 15) is None
    lease.renew()
    lease.release()
    again = leases.acquire("l", 15)
    assert again is not None
    with pytest.raises(Changed):
        lease.renew()
    again.release()


# --- slots, pace, chunks --------------------------------------------------------------------


def slots(client: StoreClient, connections: int = 3) -> Slots:
    holders: MemoryRecords[SlotHolder] = MemoryRecords(client, "slots")
    return Slots(MemoryLeases(client), holders, connections, lambda: f"token{next(_tokens)}")


def test_two_processes_never_hold_more_slots_than_allowed() -> None:
    store = MemoryStore()
    here, there = slots(StoreClient(store)), slots(StoreClient(store))

    taken = [here.take("acc", prefer=1), there.take("acc"), here.take("acc")]

    held = [slot for slot in taken if slot]
    assert sorted(slot.index for slot in held) == [0, 1, 2]
    assert there.take("acc") is None
    assert there.take("other account") is not None
    held[0].release()
    assert there.take("acc").index == held[0].index


def test_the_slot_of_a_killed_holder_is_free_when_its_lease_expires() -> None:
    store = MemoryStore()
    dying = StoreClient(store)
    slot = slots(dying).take("acc")
    alive = slots(StoreClient(store))
    assert not alive.is_gone("acc", slot.index, slot.token)
    dying.dead = True
    with pytest.raises(ProcessKilled):
        slot.release()
    assert not alive.is_gone("acc", slot.index, slot.token)

    store.clock.forward(31)

    assert alive.is_gone("acc", slot.index, slot.token)
    fresh = alive.take("acc")
    assert fresh.index == slot.index
    assert alive.is_gone("acc", slot.index, slot.token)
    assert not alive.is_gone("acc", fresh.index, fresh.token)
    fresh.release()


def test_the_pace_is_halved_at_once_and_grows_slowly() -> None:
    store = MemoryStore()
    pace = AccountPace(MemoryRecords(StoreClient(store), "paces"), 10, store.clock.now)
    assert pace.allowance("acc").slots == 10

    for _ in range(10):  # ten lanes throttled at the same moment
        pace.throttled("acc")
    assert pace.allowance("acc").slots == 5
    store.clock.forward(6)
    pace.throttled("acc")
    assert pace.allowance("acc").slots == 2
    for expected in (3, 4, 5):
        store.clock.forward(20)
        assert pace.allowance("acc").slots == expected
        assert pace.allowance("acc").slots == expected
    for _ in range(9):
        store.clock.forward(6)
        pace.throttled("acc")
    assert pace.allowance("acc").slots == 1


def test_runs_of_one_account_share_its_connections() -> None:
    store = MemoryStore()
    pace = AccountPace(MemoryRecords(StoreClient(store), "paces"), 10, store.clock.now)

    def lanes() -> int:
        allowed = pace.allowance("acc")
        assert allowed.slots == 10
        return allowed.lanes

    for run in ("r1", "r2", "r1", "r3"):
        pace.join("acc", run, lambda _: True)
    assert lanes() == 4
    pace.join("acc", "r4", lambda run: run != "r3")  # r3 has ended without a word
    assert lanes() == 4
    pace.leave("acc", "r4")
    assert lanes() == 5
    for run in ("r1", "r2", "r2"):
        pace.leave("acc", run)
    assert lanes() == 10
    pace.leave("nobody", "r1")


def chunks(store: MemoryStore, number: int) -> None:
    records: MemoryRecords[Chunk] = MemoryRecords(StoreClient(store), "chunks")
    for n in range(number):
        last = n == number - 1
        chunk = Chunk(
            n, ChunkKind.UNTAG if last else ChunkKind.ADD, 0, 0, 1, 1, 5 if last else None
        )
        records.create(chunk_key(RUN, n), chunk)


def chunk_queue(client: StoreClient, slots: Slots, *confirmed: str) -> ChunkQueue:
    run = Run(RUN, "e1", Trigger.ON_DEMAND, Mode.EXPORT, confirmed=confirmed)
    plan: Any = SimpleNamespace(account_id="acc")
    return ChunkQueue(run, plan, MemoryRecords(client, "chunks"), slots, lambda n: n // 2)


class CountedRecords(MemoryRecords[Chunk]):
    """Counts how often all chunks are read."""

    reads = 0

    def all(self, *partition: Any, **where: Any) -> Iterator[Stored[Chunk]]:
        self.reads += 1
        return super().all(*partition, **where)


class TwoLanes:
    """Two lanes of a process that have claimed the two chunks of a run."""

    def __init__(self) -> None:
        store = MemoryStore()
        chunks(store, 2)
        client = StoreClient(store)
        self.records = CountedRecords(client, "chunks")
        run = Run(RUN, "e1", Trigger.ON_DEMAND, Mode.EXPORT)
        plan: Any = SimpleNamespace(account_id="acc")
        held = slots(client)
        self.queue = ChunkQueue(run, plan, self.records, held, lambda _: 0)
        self.one, self.two = [held.take("acc") or pytest.fail("no slot") for _ in range(2)]
        self.claimed = [self.claim(self.one), self.claim(self.two)]

    def claim(self, slot: Slot) -> Stored[Chunk]:
        claimed = self.queue.claim(slot)
        assert isinstance(claimed, Stored)
        return claimed

    def record(self, stored: Stored[Chunk], state: ChunkState) -> None:
        changed = replace(stored.value, state=state, slot=None)
        self.records.replace(stored.key, changed, stored.etag)


def test_only_the_last_lane_of_a_process_reads_the_chunks_at_the_end() -> None:
    lanes = TwoLanes()
    lanes.record(lanes.claimed[0], ChunkState.DONE)

    assert lanes.queue.claim(lanes.one) == ChunkTotals(0, 1)
    assert lanes.records.reads == 1

    lanes.record(lanes.claimed[1], ChunkState.DONE)
    assert lanes.queue.claim(lanes.two) == ChunkTotals(0, 0)
    assert lanes.records.reads == 2


def test_a_lane_finds_a_chunk_that_another_lane_of_the_process_has_released() -> None:
    lanes = TwoLanes()
    first, second = lanes.claimed
    with lanes.queue.holds(lanes.two), lanes.queue.holds(lanes.one):
        lanes.record(first, ChunkState.PENDING)
        lanes.queue.note_release()

        assert lanes.claim(lanes.one).key == first.key
        lanes.record(second, ChunkState.DONE)
        assert lanes.queue.claim(lanes.two) == ChunkTotals(0, 1)


def test_two_processes_claim_different_chunks() -> None:
    store = MemoryStore()
    chunks(store, 7)
    clients = StoreClient(store), StoreClient(store)
    both = [slots(client) for client in clients]
    queues = [chunk_queue(client, held) for client, held in zip(clients, both, strict=True)]
    held = [one.take("acc") for one in both]

    taken = []
    while True:
        found = [queue.claim(slot) for queue, slot in zip(queues, held, strict=True)]
        claimed = [one for one in found if isinstance(one, Stored)]
        taken += [stored.value.number for stored in claimed]
        if not claimed:
            break

    assert sorted(taken) == list(range(7))
    assert 6 in taken[-2:]  # leavers come last
    assert queues[0].totals() == ChunkTotals(waiting=0, in_progress=7)
    for slot in held:
        slot.release()
    assert queues[1].totals() == ChunkTotals(waiting=7, in_progress=0)


def test_chunks_are_not_claimed_before_the_removals_are_confirmed() -> None:
    store = MemoryStore()
    records: MemoryRecords[Chunk] = MemoryRecords(StoreClient(store), "chunks")
    records.create(
        chunk_key(RUN, 0), Chunk(0, ChunkKind.UNTAG, 0, 0, 1, 1, 5, ChunkState.UNCONFIRMED)
    )
    held = slots(StoreClient(store))
    slot = held.take("acc")

    nothing = ChunkTotals(waiting=0, in_progress=0)
    assert chunk_queue(StoreClient(store), held).claim(slot) == nothing
    assert chunk_queue(StoreClient(store), held).totals() == nothing
    confirmed = chunk_queue(StoreClient(store), held, REMOVAL_GUARD)
    assert confirmed.totals() == ChunkTotals(waiting=1, in_progress=0)
    assert isinstance(confirmed.claim(slot), Stored)
    slot.release()


# --- messages ------------------------------------------------------------------------------


def test_messages_contain_a_run_and_a_lane() -> None:
    assert run_of(b'{"v": 1, "run": "%s"}' % RUN.encode()) == RUN
    assert lane_of(b'{"v": 1, "run": "%s", "lane": 9}' % RUN.encode()) == (RUN, 9)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"\xff",
        b'{"v": 2, "run": "e5df66fac8ccf43da03b", "lane": 1}',
        b'{"v": 1, "lane": 1}',
        b'{"v": 1, "run": "../../other", "lane": 1}',
        b'{"v": 1, "run": "e5df66fac8ccf43da03b\\n", "lane": 1}',
        b'{"v": 1, "run": "e5df66fac8ccf43da03b", "lane": true}',
        b'{"v": 1, "run": "e5df66fac8ccf43da03b", "lane": -1}',
        b'{"v": 1, "run": "e5df66fac8ccf43da03b", "lane": 1e999}',
        b"[" * 100_000,
    ],
)
def test_any_other_value_is_refused_without_repeating_it(body: bytes) -> None:
    with pytest.raises(InputError) as refused:
        lane_of(body)
    assert "example" not in refused.value.message
    assert refused.value.code == "messageInvalid"


@given(st.binary(max_size=200))
def test_any_bytes_are_refused(body: bytes) -> None:
    readers: list[Callable[[bytes], object]] = [run_of, lane_of]
    for read in readers:
        with pytest.raises(InputError):
            read(body)


def test_a_chunk_is_not_free_while_a_lane_of_this_process_still_works_with_it() -> None:
    store = MemoryStore()
    records: MemoryRecords[Chunk] = MemoryRecords(StoreClient(store), "chunks")
    records.create(chunk_key(RUN, 0), Chunk(0, ChunkKind.ADD, 0, 0, 1, 1))
    held = slots(StoreClient(store))
    queue = chunk_queue(StoreClient(store), held)
    ended, other = held.take("acc"), held.take("acc")
    with queue.holds(ended):
        assert isinstance(queue.claim(ended), Stored)
        ended.release()  # its lease has ended, and it records what it has sent
        assert queue.claim(other) == ChunkTotals(waiting=0, in_progress=1)
    assert isinstance(queue.claim(other), Stored)
    other.release()
