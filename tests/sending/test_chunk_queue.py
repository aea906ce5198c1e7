"""The lanes of all processes share the chunks of a run."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from shared.capacity.slots import Slot, Slots
from shared.model.chunk import ARCHIVE_TAG, Chunk, ChunkKind, ChunkState, chunk_key
from shared.model.ports import Stored
from shared.model.run import REMOVAL_GUARD, Mode, Run, Trigger
from shared.sending.chunk_queue import ChunkQueue, ChunkTotals
from tests.capacity.new_slots import new_slots
from tests.fakes import MemoryRecords, MemoryStore, StoreClient

RUN = "e5df66fac8ccf43da03b"


def create(store: MemoryStore, *chunks: Chunk) -> MemoryRecords[Chunk]:
    """Create the records of chunks."""
    records: MemoryRecords[Chunk] = MemoryRecords(StoreClient(store), "chunks")
    for chunk in chunks:
        records.create(chunk_key(RUN, chunk.number), chunk)
    return records


def create_many(store: MemoryStore, number: int) -> None:
    """Create so many chunks; the last one takes a tag from people who left."""
    last = number - 1
    adds = (Chunk(n, ChunkKind.ADD, 0, 0, 1, 1) for n in range(last))
    create(store, *adds, Chunk(last, ChunkKind.UNTAG, 0, 0, 1, 1, 5))


def chunk_queue(records: MemoryRecords[Chunk], slots: Slots, *confirmed: str) -> ChunkQueue:
    """The queue of a process that reads these records."""
    run = Run(RUN, "e1", Trigger.ON_DEMAND, Mode.EXPORT, confirmed=confirmed)
    plan: Any = SimpleNamespace(account_id="acc")
    return ChunkQueue(run, plan, records, slots, lambda n: n // 2)


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
        create_many(store, 2)
        client = StoreClient(store)
        self.records = CountedRecords(client, "chunks")
        held = new_slots(client)
        self.queue = chunk_queue(self.records, held)
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
    create_many(store, 7)
    clients = StoreClient(store), StoreClient(store)
    both = [new_slots(client) for client in clients]
    queues = [
        chunk_queue(MemoryRecords(client, "chunks"), held)
        for client, held in zip(clients, both, strict=True)
    ]
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
    records = create(store, Chunk(0, ChunkKind.UNTAG, 0, 0, 1, 1, 5, ChunkState.UNCONFIRMED))
    held = new_slots(StoreClient(store))
    slot = held.take("acc")

    nothing = ChunkTotals(waiting=0, in_progress=0)
    assert chunk_queue(records, held).claim(slot) == nothing
    assert chunk_queue(records, held).totals() == nothing
    confirmed = chunk_queue(records, held, REMOVAL_GUARD)
    assert confirmed.totals() == ChunkTotals(waiting=1, in_progress=0)
    assert isinstance(confirmed.claim(slot), Stored)
    slot.release()


def test_a_chunk_is_not_free_while_a_lane_of_this_process_still_works_with_it() -> None:
    store = MemoryStore()
    records = create(store, Chunk(0, ChunkKind.ADD, 0, 0, 1, 1))
    held = new_slots(StoreClient(store))
    queue = chunk_queue(records, held)
    ended, other = held.take("acc"), held.take("acc")
    with queue.holds(ended):
        assert isinstance(queue.claim(ended), Stored)
        ended.release()  # its lease has ended, and it records what it has sent
        assert queue.claim(other) == ChunkTotals(waiting=0, in_progress=1)
    assert isinstance(queue.claim(other), Stored)
    other.release()


def test_contacts_are_archived_after_everyone_has_lost_their_tags() -> None:
    """Mailchimp removes no tags from archived contacts."""
    store = MemoryStore()
    untags = Chunk(0, ChunkKind.UNTAG, 0, 0, 1, 1, 5)
    archives = Chunk(1, ChunkKind.ARCHIVE, 0, 0, 1, 1, ARCHIVE_TAG)
    records = create(store, untags, archives)
    held = new_slots(StoreClient(store))
    here, there = (chunk_queue(records, held) for _ in range(2))
    one, two = held.take("acc"), held.take("acc")

    untag = here.claim(one)

    assert there.claim(two) == ChunkTotals(waiting=0, in_progress=1)
    records.replace(untag.key, replace(untag.value, state=ChunkState.DONE), untag.etag)
    assert there.claim(two).value.kind is ChunkKind.ARCHIVE
    one.release()
    two.release()
