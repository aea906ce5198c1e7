"""The board: which chunks of a run are still to be sent, and taking the next one.

Shared by the lanes of one process, so that they read the chunks' records once and not once each.
A claim is a conditional write: when two processes reach for one chunk, one gets it. A chunk whose
holder is gone (its slot is held by someone else, or by no one) is free again.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace

from shared.capacity.slots import Slot, Slots
from shared.errors import Changed
from shared.model.chunk import Chunk, ChunkState
from shared.model.ports import Records, Stored

__all__ = ["ChunkQueue", "ChunkTotals"]


@dataclass(frozen=True)
class ChunkTotals:
    """How many chunks wait, are under way with a living lane, are held, and are done."""

    waiting: int
    under_way: int
    held: int
    done: int


class ChunkQueue:
    """Chunks of one run, as this process knows them."""

    def __init__(
        self,
        run_id: str,
        account_id: str,
        chunks: Records[Chunk],
        slots: Slots,
        randrange: Callable[[int], int],
    ) -> None:
        """`randrange(n)` gives a number below n: where this process begins."""
        self._randrange = randrange
        self._run_id = run_id
        self._account_id = account_id
        self._chunks = chunks
        self._slots = slots
        self._lock = threading.Lock()
        self._known: deque[Stored[Chunk]] = deque()

    @property
    def plenty(self) -> bool:
        """Whether so much waits that claiming ahead takes no work from another lane."""
        return len(self._known) >= 2 * self._slots.connections

    def take(self, slot: Slot) -> Stored[Chunk] | None:
        """Claim the next chunk for a slot; None when nothing waits."""
        fresh = False
        while True:
            with self._lock:
                if not self._known:
                    if fresh:
                        return None
                    self._known.extend(self._free())
                    fresh = True
                    if not self._known:
                        return None
                stored = self._known.popleft()
            claimed = replace(
                stored.value,
                state=ChunkState.CLAIMED,
                slot=slot.index,
                token=slot.token,
                attempts=stored.value.attempts + 1,
            )
            try:
                return self._chunks.replace(stored.key, claimed, stored.etag)
            except Changed:
                continue  # another process was quicker

    def standing(self) -> ChunkTotals:
        """Where the run stands, read from storage."""
        waiting = under_way = held = done = 0
        alive: dict[tuple[int, str], bool] = {}
        for stored in self._chunks.all(self._run_id):
            match stored.value.state:
                case ChunkState.DONE:
                    done += 1
                case ChunkState.HELD:
                    held += 1
                case ChunkState.PENDING:
                    waiting += 1
                case ChunkState.CLAIMED:
                    if self._is_free(stored.value, alive):
                        waiting += 1
                    else:
                        under_way += 1
        return ChunkTotals(waiting, under_way, held, done)

    def _free(self) -> list[Stored[Chunk]]:
        alive: dict[tuple[int, str], bool] = {}
        free = [s for s in self._chunks.all(self._run_id) if self._is_free(s.value, alive)]
        people = [s for s in free if s.value.tag_id is None]
        leavers = [s for s in free if s.value.tag_id is not None]
        # Every process begins somewhere else, so that they rarely reach for the same chunk.
        if people:
            start = self._randrange(len(people))
            people = people[start:] + people[:start]
        return people + leavers

    def _is_free(self, chunk: Chunk, alive: dict[tuple[int, str], bool]) -> bool:
        if chunk.state is ChunkState.PENDING:
            return True
        if chunk.state is not ChunkState.CLAIMED or chunk.slot is None or chunk.token is None:
            return False
        holder = (chunk.slot, chunk.token)
        if holder not in alive:
            alive[holder] = not self._slots.is_gone(self._account_id, *holder)
        return not alive[holder]
