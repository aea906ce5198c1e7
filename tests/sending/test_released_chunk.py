"""What is recorded of a chunk that a lane releases before it is done."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from shared.model.audience import CallCounts
from shared.model.chunk import Chunk, ChunkKind, ChunkState, chunk_key
from shared.sending.chunk_payload import ChunkPayload, ChunkPayloads
from tests.fakes import MemoryFiles, MemoryRecords, MemoryStore, StoreClient

RUN = "e5df66fac8ccf43da03b"


@pytest.mark.parametrize(("writes", "attempts"), [(0, 0), (1, 1)])
def test_only_a_chunk_with_a_call_may_have_been_applied(writes: int, attempts: int) -> None:
    store = MemoryStore()
    client = StoreClient(store)
    records: MemoryRecords[Chunk] = MemoryRecords(client, "chunks")
    chunk = Chunk(0, ChunkKind.ADD, 0, 0, 1, 1, state=ChunkState.CLAIMED, attempts=1)
    claimed = records.create(chunk_key(RUN, 0), chunk)
    plan: Any = SimpleNamespace(run_id=RUN)
    payloads = ChunkPayloads(plan, records, MemoryFiles(client), store.clock.now)

    payloads.release(ChunkPayload(claimed, (), (), {}, {}), {}, CallCounts(write=writes))

    [released] = records.all(RUN)
    assert (released.value.state, released.value.attempts) == (ChunkState.PENDING, attempts)
