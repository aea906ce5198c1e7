"""The pace of an account: how many of its slots lanes may use at the moment.

Mailchimp asks to slow down (429, or 403 without JSON) but gives no rate, so the number is halved at once and
grows again slowly. If the response names a time to wait, no lane uses a slot until it is over. While an on-demand
session waits for a slot, lanes leave one free. The pace is stored for each account, so all runs and instances use the
same one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from shared.errors import Changed, Conflict
from shared.model.clocks import WRONG_CLOCK
from shared.model.ports import Records, update

# Ten lanes that are throttled at the same moment halve the pace once.
_HALVE_APART = timedelta(seconds=5)
_GROW_APART = timedelta(seconds=20)
_RESERVED_FOR = timedelta(seconds=15)
# In seconds. A call itself waits for shorter times, before it is repeated.
_SHORTEST_PAUSE = 5.0
LONGEST_ACCOUNT_PAUSE = 600.0
"""The longest pause, in seconds. A proxy may name any time."""
# Lanes read the pace before each chunk. Changes of this process take effect at once.
_VALID_FOR = timedelta(seconds=1)


@dataclass(frozen=True)
class Pace:
    """The pace of one account.

    `reserved_until`: lanes leave a slot free until then. `runs`: the runs that are sending and share
    the slots. `people_per_second` is the speed of the last run that was large enough to measure it.
    `halved_from` was the limit until `halved_at`, when Mailchimp asked to slow down last. `paused_until`: lanes
    use no slot until then.
    """

    limit: int
    changed_at: datetime
    reserved_until: datetime | None = None
    runs: tuple[str, ...] = ()
    people_per_second: float | None = None
    halved_from: int = 0
    halved_at: datetime | None = None
    paused_until: datetime | None = None

    @property
    def unchanged_since(self) -> datetime:
        """The time from which lanes have used the present number of slots."""
        return max(self.changed_at, self.paused_until or self.changed_at)

    def without_future_times(self, now: datetime) -> Pace:
        """The same without times that only a wrong clock can have written: no one must wait until then."""
        latest = now + WRONG_CLOCK
        longest = timedelta(seconds=LONGEST_ACCOUNT_PAUSE)
        return replace(
            self,
            changed_at=self.changed_at if self.changed_at <= latest else now - _GROW_APART,
            reserved_until=_unless_after(self.reserved_until, latest + _RESERVED_FOR),
            halved_at=_unless_after(self.halved_at, latest),
            paused_until=_unless_after(self.paused_until, latest + longest),
        )


def _unless_after(moment: datetime | None, latest: datetime) -> datetime | None:
    return None if moment is None or moment > latest else moment


@dataclass(frozen=True)
class UsableSlots:
    """How many slots lanes could use in the past, and will be able to use if Mailchimp does not throttle again.

    A slot second is one slot for one second. `pace` is None for an account that has none yet: all `connections`
    slots can be used.
    """

    connections: int
    pace: Pace | None = None

    def slot_seconds(self, since: datetime, until: datetime) -> float:
        """The slot seconds between two times in the past."""
        total = 0.0
        for limit, began in self._limits(since):
            total += limit * max(0.0, (until - max(since, began)).total_seconds())
            until = min(until, began)
        return total

    def _limits(self, since: datetime) -> Iterator[tuple[int, datetime]]:
        """The numbers of slots and when each began, newest first; the last one begins at `since`.

        Since the last throttling, or the pause that it began, the number has grown by one at a time.
        """
        pace = self.pace
        if pace is None or pace.halved_at is None:
            yield (min(pace.limit, self.connections) if pace else self.connections), since
            return
        limit, began = min(pace.limit, self.connections), pace.changed_at
        resumed = max(pace.halved_at, pace.paused_until or pace.halved_at)
        while began > resumed and limit > 1:
            yield limit, began
            limit, began = limit - 1, max(resumed, began - _GROW_APART)
        yield limit, resumed
        yield 0, pace.halved_at
        yield min(pace.halved_from, self.connections), since

    def pause(self, now: datetime) -> tuple[datetime, float]:
        """When the present pause began, and the seconds until it ends; `now` and 0 without a pause."""
        pace = self.pace
        if pace is None or pace.paused_until is None or now >= pace.paused_until:
            return now, 0.0
        return min(now, pace.halved_at or now), (pace.paused_until - now).total_seconds()

    def seconds_to_use(self, slot_seconds: float, now: datetime) -> float:
        """The seconds from `now` on that contain so many slot seconds, while the number of slots grows again."""
        limit, wait = self.connections, 0.0
        _, passed = self.pause(now)
        if self.pace is not None:
            limit = max(1, min(self.pace.limit, self.connections))
            grows_at = self.pace.unchanged_since + _GROW_APART
            wait = max(0.0, (grows_at - now).total_seconds() - passed)
        while limit < self.connections and slot_seconds > limit * wait:
            slot_seconds -= limit * wait
            passed += wait
            limit, wait = limit + 1, _GROW_APART.total_seconds()
        return passed + slot_seconds / limit


@dataclass(frozen=True)
class Allowance:
    """The slots and lanes of a run that may be used: those numbered below `slots` and `lanes`.

    `runs` is the number of runs that share the slots. `pause` is the time in seconds during which lanes use none.
    """

    slots: int
    lanes: int
    runs: int = 1
    pause: float = 0.0


class AccountPace:
    """Reads and changes the pace of accounts."""

    def __init__(self, paces: Records[Pace], connections: int, now: Callable[[], datetime]) -> None:
        self._paces = paces
        self._connections = connections
        self._now = now
        self._recent: dict[str, tuple[datetime, Allowance]] = {}

    def allowance(self, account_id: str) -> Allowance:
        """Return what lanes may use now, read at most once a second.

        Grows by one when the last change is long enough ago.
        """
        now = self._now()
        recent = self._recent.get(account_id)
        if recent is not None and abs(now - recent[0]) < _VALID_FOR:
            return recent[1]
        allowed = self._read_allowance(account_id, now)
        self._recent[account_id] = (now, allowed)
        return allowed

    def _read_allowance(self, account_id: str, now: datetime) -> Allowance:
        stored = self._paces.read(account_id)
        if stored is None:
            return Allowance(self._connections, self._connections)
        pace = stored.value.without_future_times(now)
        runs = max(1, len(pace.runs))
        if pace.paused_until is not None and now < pace.paused_until:
            return Allowance(0, 0, runs, (pace.paused_until - now).total_seconds())
        limit = min(pace.limit, self._connections)
        if limit < self._connections and now - pace.unchanged_since >= _GROW_APART:
            grown = replace(pace, limit=limit + 1, changed_at=now)
            try:
                self._paces.replace(account_id, grown, stored.etag)
            except Changed:
                pass  # another lane increased it at the same moment
            else:
                limit += 1
        if pace.reserved_until is not None and now < pace.reserved_until:
            limit = max(1, min(limit, self._connections - 1))
        # Rounded up: with three runs and ten slots, four lanes each try for ten slots.
        return Allowance(limit, -(-limit // runs), runs)

    def join(self, account_id: str, run_id: str, is_active: Callable[[str], bool]) -> None:
        """Add a run that begins to send. It shares the slots with the runs that are still active."""
        self._ensure(account_id, self._now())

        def joined(pace: Pace) -> Pace:
            others = (other for other in pace.runs if other != run_id and is_active(other))
            return replace(pace, runs=(*others, run_id))

        self._change(account_id, joined)

    def leave(self, account_id: str, run_id: str, measured: float | None = None) -> None:
        """Remove a run that has ended, if it had joined. `measured`: the people it sent per second."""

        def left(pace: Pace) -> Pace:
            return replace(
                pace,
                runs=tuple(other for other in pace.runs if other != run_id),
                people_per_second=measured or pace.people_per_second,
            )

        if self._paces.read(account_id) is not None:
            self._change(account_id, left)

    def people_per_second(self, account_id: str) -> float | None:
        """Return the measured speed of an account; None before its first large run."""
        stored = self._paces.read(account_id)
        return stored.value.people_per_second if stored else None

    def usable_slots(self, account_id: str) -> UsableSlots:
        """Return how many slots lanes could use and will be able to use, to estimate the time left."""
        stored = self._paces.read(account_id)
        pace = stored.value.without_future_times(self._now()) if stored else None
        return UsableSlots(self._connections, pace)

    def throttled(self, account_id: str, pause: float = 0.0) -> None:
        """Halve the number of lanes (at least one stays), because Mailchimp asked to slow down.

        If `pause` is at least `_SHORTEST_PAUSE` seconds, no lane uses a slot until it is over.
        """
        now = self._now()
        until = now + timedelta(seconds=min(pause, LONGEST_ACCOUNT_PAUSE))

        def slow_down(pace: Pace) -> Pace | None:
            pace = pace.without_future_times(now)
            if pause >= _SHORTEST_PAUSE:
                pace = replace(pace, paused_until=max(until, pace.paused_until or until))
            if pace.limit < self._connections and now - pace.changed_at < _HALVE_APART:
                return pace if pause >= _SHORTEST_PAUSE else None
            limit = max(1, min(pace.limit, self._connections) // 2)
            return replace(pace, limit=limit, changed_at=now, halved_from=pace.limit, halved_at=now)

        self._ensure(account_id, now)
        self._change(account_id, slow_down)

    def reserve_slot(self, account_id: str) -> None:
        """Make lanes leave one slot free for an on-demand session."""
        until = self._now() + _RESERVED_FOR
        self._ensure(account_id, self._now())
        self._change(account_id, lambda pace: replace(pace, reserved_until=until))

    def _change(self, account_id: str, change: Callable[[Pace], Pace | None]) -> None:
        update(self._paces, account_id, change)
        self._recent.pop(account_id, None)

    def _ensure(self, account_id: str, now: datetime) -> None:
        if self._paces.read(account_id) is None:
            try:
                self._paces.create(account_id, Pace(self._connections, now))
            except Conflict:
                return  # another process created it
