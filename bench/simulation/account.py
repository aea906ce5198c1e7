"""A Mailchimp account: its slots (one lease a connection), its pace, and how long a call takes.

The pace is the app's own code, run against records in memory and simulated time. A slot whose lane
was killed is free when its lease runs out; a call that was under way then goes on at Mailchimp.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from bench.simulation.clock import Clock
from shared.capacity.pace import AccountPace, Pace
from shared.capacity.renewed_lease import LEASE_SECONDS
from shared.model.ports import Stored

BEGINNING = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Mailchimp:
    """How long calls take, in seconds, and the share of calls that Mailchimp throttles."""

    write_seconds: float = 5.0
    spread: float = 0.25
    throttled: float = 0.0
    connections: int = 10


@dataclass(eq=False)
class Slot:
    """A leased slot; `ends` is when its lease ends, infinite while its holder is alive."""

    index: int
    ends: float = float("inf")


class _Paces:
    """Paces in memory: as many records as one account needs."""

    def __init__(self) -> None:
        self._held: Stored[Pace] | None = None
        self._written = 0

    def create(self, key: str, value: Pace) -> Stored[Pace]:
        return self.replace(key, value, "")

    def read(self, key: str) -> Stored[Pace] | None:
        return self._held

    def replace(self, key: str, value: Pace, etag: str) -> Stored[Pace]:
        self._written += 1
        self._held = Stored(key, value, str(self._written))
        return self._held

    def create_many(self, items: Sequence[tuple[str, Pace]]) -> None:
        raise NotImplementedError

    def delete(self, key: str, etag: str | None = None) -> None:
        raise NotImplementedError

    def all(
        self,
        partition: str | None = None,
        where: Mapping[str, str] | None = None,
        *,
        after: str = "",
        last: str = "",
        page: int | None = None,
    ) -> Any:
        raise NotImplementedError


class Account:
    """One account, shared by all runs that export to it."""

    def __init__(self, name: str, clock: Clock, mailchimp: Mailchimp, rng: random.Random) -> None:
        self.name = name
        self.mailchimp = mailchimp
        self.pace = AccountPace(
            _Paces(), mailchimp.connections, lambda: BEGINNING + timedelta(seconds=clock.now)
        )
        self._clock = clock
        self._rng = rng
        self._slots: list[Slot | None] = [None] * mailchimp.connections
        self.connections = 0
        self.most_connections = 0
        self.calls = 0

    def take(self, limit: int | None = None, prefer: int = 0) -> Slot | None:
        """A free slot below `limit`, the preferred one first."""
        count = min(limit or len(self._slots), len(self._slots))
        for step in range(count):
            index = (prefer + step) % count
            slot = self._slots[index]
            if slot is None or slot.ends <= self._clock.now:
                slot = Slot(index)
                self._slots[index] = slot
                return slot
        return None

    def release(self, slot: Slot) -> None:
        """Give a slot back."""
        slot.ends = self._clock.now
        if self._slots[slot.index] is slot:
            self._slots[slot.index] = None

    def abandon(self, slot: Slot) -> None:
        """The holder is dead: the lease was renewed up to ten seconds ago, and runs out."""
        slot.ends = self._clock.now + LEASE_SECONDS - self._rng.uniform(0, LEASE_SECONDS / 3)

    def call(self, seconds: float) -> float:
        """Begin a call of about so many seconds; how long it takes. It ends by itself."""
        spread = self.mailchimp.spread
        took = seconds * self._rng.lognormvariate(-spread * spread / 2, spread)
        self.calls += 1
        self.connections += 1
        self.most_connections = max(self.most_connections, self.connections)
        self._clock.after(took, self._ended)
        return took

    def is_throttled(self) -> bool:
        """Whether Mailchimp asks to slow down just now."""
        return self._rng.random() < self.mailchimp.throttled

    def _ended(self) -> None:
        self.connections -= 1
