"""Slots on storage in memory."""

from __future__ import annotations

import itertools

from shared.capacity.slots import SlotHolder, Slots
from tests.fakes import MemoryLeases, MemoryRecords, StoreClient

_tokens = itertools.count()


def new_slots(client: StoreClient, connections: int = 3) -> Slots:
    """The slots of accounts, as a process with this client uses them."""
    holders: MemoryRecords[SlotHolder] = MemoryRecords(client, "slots")
    return Slots(MemoryLeases(client), holders, connections, lambda: f"token{next(_tokens)}")
