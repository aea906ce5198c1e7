"""The record of calls: counts, peaks and changed statuses, without personal data.

Paths are stored as route templates, without subscriber hashes.
"""

from __future__ import annotations

import threading
from collections import Counter, deque
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Call:
    """One call as it was answered. `query` holds names and values; `members` is how many it carried.

    `ended` is the time of the answer, in seconds since 1970.
    """

    method: str
    route: str
    query: dict[str, str]
    status: int
    members: int
    milliseconds: float
    fault: str
    body: Any = None
    ended: float = 0.0


class Calls:
    """The record of all calls since the start or the last `clear`."""

    def __init__(self) -> None:
        """An empty record."""
        self._lock = threading.Lock()
        self.clear()

    def clear(self) -> None:
        """Start counting again."""
        with self._lock:
            self.by_route: Counter[tuple[str, str]] = Counter()
            self.by_status: Counter[int] = Counter()
            self.last_end: dict[tuple[str, str], float] = {}
            self.last: deque[Call] = deque(maxlen=10_000)
            self.members = 0
            self.largest = 0
            self.throttled = 0
            self.faults: Counter[str] = Counter()
            self.peak_in_flight = 0
            self.statuses_contradicted = 0
            self.statuses_changed: Counter[tuple[str, str]] = Counter()
            self.sync_tags = 0

    def record(self, call: Call) -> None:
        """Count one answered (or deliberately unanswered) call."""
        with self._lock:
            self.by_route[(call.method, call.route)] += 1
            self.by_status[call.status] += 1
            route = (call.method, call.route)
            self.last_end[route] = max(call.ended, self.last_end.get(route, 0.0))
            self.last.append(call)
            self.members += call.members
            self.largest = max(self.largest, call.members)
            if call.fault:
                self.faults[call.fault] += 1

    def in_flight(self, number: int) -> None:
        """Remember the largest number of calls of one account at the same time."""
        with self._lock:
            self.peak_in_flight = max(self.peak_in_flight, number)

    def throttle(self) -> None:
        """Count a call over the connection limit."""
        with self._lock:
            self.throttled += 1

    def status_sent(self, before: str, wanted: str, after: str) -> None:
        """Note that a call sent the status `wanted` for a contact whose status was `before` and is now `after`."""
        with self._lock:
            if wanted != before:
                self.statuses_contradicted += 1
            if after != before:
                self.statuses_changed[(before, after)] += 1

    def synced_tags(self) -> None:
        """Note a call with `sync_tags: true`, which removes all other tags."""
        with self._lock:
            self.sync_tags += 1

    def count(self, method: str | None = None, route: str | None = None) -> int:
        """How many calls, of one method and one route template such as `/lists/{list_id}`."""
        with self._lock:
            return sum(
                n
                for (m, r), n in self.by_route.items()
                if method in (None, m) and route in (None, r)
            )

    def summary(self) -> dict[str, Any]:
        """All of it as JSON."""
        with self._lock:
            return {
                "total": sum(self.by_route.values()),
                "byRoute": {f"{m} {r}": n for (m, r), n in sorted(self.by_route.items())},
                "lastEnd": {f"{m} {r}": end for (m, r), end in sorted(self.last_end.items())},
                "byStatus": {str(s): n for s, n in sorted(self.by_status.items())},
                "membersCarried": self.members,
                "largestCall": self.largest,
                "throttled": self.throttled,
                "faults": dict(self.faults),
                "peakInFlight": self.peak_in_flight,
                "statusesContradicted": self.statuses_contradicted,
                "statusesChanged": sum(self.statuses_changed.values()),
                "statusChanges": {f"{a}->{b}": n for (a, b), n in self.statuses_changed.items()},
                "syncTags": self.sync_tags,
            }
