"""Finds the chunks of a run that must still be sent, and claims them.

The lanes of one process share a queue, so the chunks' records are read once and not once per lane. A
claim is a conditional write: when two processes try, one gets the chunk. A claimed chunk becomes free
again when its lane's slot is released or held by another lane.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

from shared.capacity.slots import Slot, Slots
from shared.errors import Changed
from shared.model.chunk import Chunk, ChunkKind, ChunkState
from shared.model.plan import Plan
from shared.model.ports import Records, Stored
from shared.model.run import Run

# The number of attempts for a chunk while Mailchimp is unavailable. With growing pauses they take about
# 15 minutes. Then its people are reported as not sent, and later chunks get fewer attempts.
_MOST_ATTEMPTS = 20
_MOST_ATTEMPTS_AFTER_GIVING_UP = 2

_ARCHIVING = (ChunkKind.ARCHIVE, ChunkKind.ARCHIVE_FORMER)


@dataclass(frozen=True)
class ChunkTotals:
    """How many chunks wait, and how many are claimed by a lane that still holds its slot."""

    waiting: int
    in_progress: int


class ChunkQueue:
    """The chunks of one run, as this process last read them.

    `randrange(n)` returns a number below n: the chunk at which this process begins.
    """

    def __init__(
        self,
        run: Run,
        plan: Plan,
        chunks: Records[Chunk],
        slots: Slots,
        randrange: Callable[[int], int],
    ) -> None:
        self._run = run
        self._account_id = plan.account_id
        self._chunks = chunks
        self._slots = slots
        self._randrange = randrange
        self._lock = threading.Lock()
        self._waiting: deque[Stored[Chunk]] = deque()
        self._held_here: set[tuple[int, str]] = set()
        # The slots of lanes of this process that have claimed a chunk and not asked for another one since.
        self._with_chunk: set[tuple[int, str]] = set()
        self._chunk_released = False
        self._gave_up = False

    @property
    def can_prefetch(self) -> bool:
        """Whether enough chunks wait that a lane may claim one ahead without idling other lanes."""
        return len(self._waiting) >= 2 * self._slots.connections

    def has_answers(self) -> bool:
        """Whether Mailchimp has accepted anything of the run so far."""
        return any(stored.value.accepted for stored in self._chunks.all(self._run.id))

    def should_give_up(self, chunk: Chunk) -> bool:
        """Whether a chunk that failed again should not be retried."""
        most = _MOST_ATTEMPTS_AFTER_GIVING_UP if self._gave_up else _MOST_ATTEMPTS
        return chunk.failures + 1 >= most

    def note_sent(self) -> None:
        """Note that a chunk was sent, so that the next ones get all attempts."""
        self._gave_up = False

    def note_given_up(self) -> None:
        """Note that a chunk was given up, so that the next ones get few attempts until one is sent."""
        self._gave_up = True

    @contextmanager
    def holds(self, slot: Slot) -> Iterator[None]:
        """Note that a lane of this process works with a slot, so its claims need no check until it ends."""
        holder = (slot.index, slot.token)
        self._held_here.add(holder)
        try:
            yield
        finally:
            self._held_here.discard(holder)
            with self._lock:
                self._with_chunk.discard(holder)

    def note_release(self) -> None:
        """Note that a lane of this process has released a chunk, so that another lane looks for it."""
        with self._lock:
            self._chunk_released = True

    def claim(self, slot: Slot) -> Stored[Chunk] | ChunkTotals:
        """Claim the next chunk for a slot; the totals when no chunk waits.

        A lane that has sent its last chunk does not read all chunks while other lanes of the process still send
        theirs: the last one of them does.
        """
        holder = (slot.index, slot.token)
        while True:
            with self._lock:
                has_sent = holder in self._with_chunk
                self._with_chunk.discard(holder)
                if not self._waiting:
                    if has_sent and self._with_chunk and not self._chunk_released:
                        return ChunkTotals(0, len(self._with_chunk))
                    self._chunk_released = False
                    free, totals = self._read()
                    if not free:
                        return totals
                    self._waiting.extend(self._in_order(free))
                stored = self._waiting.popleft()
                self._with_chunk.add(holder)
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
                continue  # another process was first

    def totals(self) -> ChunkTotals:
        """Return the current totals, read from storage."""
        return self._read()[1]

    def _read(self) -> tuple[list[Stored[Chunk]], ChunkTotals]:
        """Read all chunks. Returns those that are free to be claimed, and the totals."""
        chunks = list(self._chunks.all(self._run.id))
        # A lane of this process may still be recording a chunk that it has sent. Only a later holder of
        # its slot may claim the chunk again, also when the lease has just ended.
        alive = dict.fromkeys(tuple(self._held_here), True)
        free = [one for one in chunks if self._is_free(one.value, alive)]
        if any(self._removes_tags(one.value) for one in chunks):
            # Mailchimp removes no tags from archived contacts.
            free = [one for one in free if one.value.kind not in _ARCHIVING]
        claimed = sum(one.value.state is ChunkState.CLAIMED for one in chunks)
        free_claims = sum(one.value.state is ChunkState.CLAIMED for one in free)
        return free, ChunkTotals(len(free), claimed - free_claims)

    def _in_order(self, free: Sequence[Stored[Chunk]]) -> list[Stored[Chunk]]:
        people = [one for one in free if one.value.tag_id is None]
        leavers = [one for one in free if one.value.tag_id is not None]
        # Every process begins at a different chunk, so that two rarely claim the same one.
        if people:
            start = self._randrange(len(people))
            people = people[start:] + people[:start]
        return people + leavers

    def _removes_tags(self, chunk: Chunk) -> bool:
        """Whether a chunk takes tags from people and is not done yet, and will be sent."""
        waits = chunk.state is ChunkState.UNCONFIRMED and not self._run.removals_confirmed
        return chunk.kind is ChunkKind.UNTAG and chunk.state is not ChunkState.DONE and not waits

    def _is_free(self, chunk: Chunk, alive: dict[tuple[int, str], bool]) -> bool:
        if chunk.state is ChunkState.UNCONFIRMED:
            return self._run.removals_confirmed
        if chunk.state is not ChunkState.CLAIMED:
            return chunk.state is ChunkState.PENDING
        if chunk.slot is None or chunk.token is None:
            return False
        holder = (chunk.slot, chunk.token)
        if holder not in alive:
            alive[holder] = not self._slots.is_gone(self._account_id, *holder)
        return not alive[holder]
