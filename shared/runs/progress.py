"""The progress of a run, computed from its chunks when it is read.

No counter is incremented while sending, so nothing is counted twice: a chunk is done once.

The time left is computed from the speed of a slot in the last minute, so it adapts when Mailchimp slows down. If
more than two minutes are left, the speed of up to five minutes is used, because the speed will change before the end.
After Mailchimp throttled the account, the number of slots grows again step by step (capacity/pace.py): the estimate is
the mean of this and of an unchanged speed.
The first calls of a run do not count, because nothing is done until they end. The time in which the run is finished
is included (record 93).

Reading the 2,000 chunks of a million people takes a third of a second of processor time, and a page asks
every two seconds. So the chunks of a large run are read again only after some seconds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from shared.capacity.pace import UsableSlots
from shared.model.chunk import Chunk, ChunkState
from shared.model.figures import Progress
from shared.model.ports import Records
from shared.model.run import Run, RunStatus

_WINDOW = timedelta(seconds=60)
_LONGEST_WINDOW = timedelta(minutes=5)
# So many chunks are done at about the same time when a run begins: one for each connection.
_FIRST_CHUNKS = 10
_ONE_SLOT = UsableSlots(1)
# People of a run, sent or not, whose outcomes become the next ledger in a second (bench/results.md).
_FINISHED_PER_SECOND = 50_000
# Chunks are read again after a second for each 400: reading takes less than a tenth of one processor.
_CHUNKS_PER_SECOND = 400
_LEAST_REMEMBERED = 200
_LONGEST_REMEMBERED = 10.0
_MOST_RUNS = 16


class CurrentProgress:
    """Adds the current progress to runs.

    `clock` counts seconds. `slots_of_run` takes the id of a run and returns the slots of the account to which it sends.
    """

    def __init__(
        self,
        chunks: Records[Chunk],
        now: Callable[[], datetime],
        clock: Callable[[], float],
        slots_of_run: Callable[[str], UsableSlots],
    ) -> None:
        self._chunks = chunks
        self._now = now
        self._clock = clock
        self._slots_of_run = slots_of_run
        self._read: dict[tuple[str, RunStatus, bool], _Read] = {}

    def of(self, run: Run) -> Run:
        """The run with its progress, which for a large run may be up to ten seconds old."""
        if run.is_over:
            return run  # stored when the run ended; its chunks may be deleted since
        key = (run.id, run.status, run.removals_confirmed)
        read = self._read.get(key)
        if read is None or self._clock() >= read.valid_until:
            chunks = [stored.value for stored in self._chunks.all(run.id)]
            valid_for = min(_LONGEST_REMEMBERED, len(chunks) / _CHUNKS_PER_SECOND)
            sending = run.status is RunStatus.SENDING
            slots = self._slots_of_run(run.id) if sending else _ONE_SLOT
            read = _Read(chunks, slots, self._now(), self._clock() + valid_for)
            if len(chunks) >= _LEAST_REMEMBERED:
                if len(self._read) >= _MOST_RUNS:
                    self._read.clear()
                self._read[key] = read
        return with_progress(run, read.chunks, read.at, read.slots)


@dataclass(frozen=True)
class _Read:
    """The chunks of a run as they were at a time."""

    chunks: Sequence[Chunk]
    slots: UsableSlots
    at: datetime
    valid_until: float


def with_progress(
    run: Run, chunks: Sequence[Chunk], now: datetime, slots: UsableSlots = _ONE_SLOT
) -> Run:
    """The run with its progress and calls as of now; `chunks` are all chunks of the run.

    `slots` are those of the account. Without them, the recent speed is expected to last.
    """
    to_send = [
        chunk
        for chunk in chunks
        if run.removals_confirmed or chunk.state is not ChunkState.UNCONFIRMED
    ]
    total = sum(chunk.people for chunk in to_send)
    done = [chunk for chunk in chunks if chunk.state is ChunkState.DONE]
    people = sum(chunk.people for chunk in done)
    over = run.is_over or run.status is RunStatus.AWAITING_CONFIRMATION
    progress = Progress(
        profiles_done=people,
        profiles_total=total,
        chunks_done=len(done),
        chunks_total=len(to_send),
        percent=_percent(run, people, total),
        seconds_left=None if over else _seconds_left(run, done, total - people, now, slots),
        profiles_accepted=sum(chunk.accepted for chunk in done),
        profiles_per_second=None if over else _speed(run, done, now),
    )
    calls = run.calls
    if run.status in (RunStatus.SENDING, RunStatus.FINISHING):
        calls = sum((chunk.calls for chunk in chunks), calls)
    return replace(run, progress=progress, calls=calls)


def _percent(run: Run, done: int, total: int) -> int:
    if run.status.is_completed:
        return 100
    if total == 0:
        return 0
    # Only runs that are over show 100: after the last chunk, the counts and the ledger are still written.
    return min(99, 100 * done // total)


def _seconds_left(
    run: Run, done: Sequence[Chunk], people_left: int, now: datetime, slots: UsableSlots
) -> int | None:
    finishing = run.counts.distinct / _FINISHED_PER_SECOND
    if run.status is RunStatus.FINISHING:
        began = run.moved_at or now
        return max(1, round(finishing - (now - began).total_seconds()))
    if done and people_left == 0:
        return max(1, round(finishing))
    left = _sending_left(run, done, people_left, now, slots, _WINDOW)
    if left is None:
        return None
    window = min(_LONGEST_WINDOW, timedelta(seconds=left / 2))
    if window > _WINDOW:
        left = _sending_left(run, done, people_left, now, slots, window) or left
    return max(1, round(left + finishing))


def _sending_left(
    run: Run,
    done: Sequence[Chunk],
    people_left: int,
    now: datetime,
    slots: UsableSlots,
    window: timedelta,
) -> float | None:
    # During a pause of the account, the speed is that of the time before it.
    until, pause = slots.pause(now)
    recent = _recent(run, done, until, window)
    if recent is None:
        return None
    people, since = recent
    share = people_left / people
    unchanged = pause + share * (until - since).total_seconds()
    undisturbed = slots.seconds_to_use(share * slots.slot_seconds(since, until), now)
    # More slots will be used again, but Mailchimp may throttle again. The real time is usually in between.
    return (unchanged + undisturbed) / 2


def _recent(
    run: Run, done: Sequence[Chunk], now: datetime, window: timedelta
) -> tuple[int, datetime] | None:
    """The number of people sent in the last `window`, and when the counted time began.

    After enough chunks, the time until the first ones ended is left out. None when no one was sent.
    """
    if run.status is not RunStatus.SENDING or run.sending_at is None:
        return None
    times = sorted(chunk.done_at for chunk in done if chunk.done_at is not None)
    since = max(run.sending_at, now - window)
    if len(times) > 2 * _FIRST_CHUNKS and since < times[_FIRST_CHUNKS - 1] < times[-1]:
        since = times[_FIRST_CHUNKS - 1]
        people = sum(c.people for c in done if c.done_at is not None and c.done_at > since)
    else:
        people = sum(c.people for c in done if c.done_at is not None and c.done_at >= since)
    return (people, since) if people and since < now else None


def _speed(run: Run, done: Sequence[Chunk], now: datetime) -> float | None:
    """People per second in the last minute; None when nothing was sent in it."""
    recent = _recent(run, done, now, _WINDOW)
    return None if recent is None else recent[0] / (now - recent[1]).total_seconds()
