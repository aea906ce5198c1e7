"""Slots on storage in memory."""

from __future__ import annotations

import itertools
from contextlib import suppress

from shared.capacity.slots import Slot, SlotHolder, Slots
from tests.fakes import MemoryLeases, MemoryRecords, ProcessKilled, StoreClient

_tokens = itertools.count()
_taken: list[Slot] = []


class _TestSlots(Slots):
    """Slots that are released after the test, because the threads that renew them would keep the process from ending cleanly."""

    def take(self, account_id: str, limit: int | None = None, prefer: int = 0) -> Slot | None:
        slot = super().take(account_id, limit, prefer)
        if slot is not None:
            _taken.append(slot)
        return slot


def new_slots(client: StoreClient, connections: int = 3) -> Slots:
    """The slots of accounts, as a process with this client uses them."""
    holders: MemoryRecords[SlotHolder] = MemoryRecords(client, "slots")
    return _TestSlots(MemoryLeases(client), holders, connections, lambda: f"token{next(_tokens)}")


def release_all() -> None:
    """Release all slots that tests have taken."""
    while _taken:
        with suppress(ProcessKilled):
            _taken.pop().release()
