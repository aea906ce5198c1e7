"""The time left of a run while Mailchimp slows it down now and then, in simulated time."""

from __future__ import annotations

import heapq
import random
import statistics
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from shared.model.chunk import CHUNK_SIZE, Chunk, ChunkKind, ChunkState
from shared.model.run import Mode, Run, RunStatus, Trigger
from shared.runs.progress import with_progress

BEGAN = datetime(2026, 11, 1, 8, tzinfo=UTC)
CONNECTIONS, CALL, GROW_APART, HALVE_APART = 10, 2.6, 20.0, 5.0
RUN = Run("r", "e", Trigger.ON_DEMAND, Mode.EXPORT, status=RunStatus.SENDING, sending_at=BEGAN)


def ends_of_calls(calls: int, throttled_every: float, seed: int) -> list[float]:
    """The times at which calls end on ten connections, by the rules of capacity/pace.py.

    Mailchimp throttles at random times, `throttled_every` seconds apart on average.
    """
    chance = random.Random(seed)
    limit, changed, now = CONNECTIONS, -GROW_APART, 0.0
    throttled = chance.expovariate(1 / throttled_every)
    running: list[float] = []
    ended: list[float] = []
    while len(ended) < calls:
        while len(ended) + len(running) < calls and len(running) < limit:
            heapq.heappush(running, now + CALL * chance.uniform(0.8, 1.3))
        grows = changed + GROW_APART if limit < CONNECTIONS else float("inf")
        now = min(running[0], throttled, grows)
        if now == grows:
            limit, changed = limit + 1, now
        elif now == throttled:
            if limit == CONNECTIONS or now - changed >= HALVE_APART:
                limit, changed = max(1, limit // 2), now
            throttled = now + chance.expovariate(1 / throttled_every)
        else:
            ended.append(heapq.heappop(running))
    return ended


def errors(calls: int, throttled_every: float, seed: int) -> Iterator[float]:
    """The relative errors of the time left, from the second minute on."""
    ends = ends_of_calls(calls, throttled_every, seed)
    waiting = [Chunk(n, ChunkKind.ADD, 0, 0, 1, CHUNK_SIZE) for n in range(calls)]
    done = [
        replace(chunk, state=ChunkState.DONE, done_at=BEGAN + timedelta(seconds=end))
        for chunk, end in zip(waiting, ends, strict=True)
    ]
    for step in range(12):
        now = 60 + (ends[-1] - 60) * step / 12
        sent = sum(end <= now for end in ends)
        shown = with_progress(
            RUN, [*done[:sent], *waiting[sent:]], BEGAN + timedelta(seconds=now)
        ).progress.seconds_left
        left = ends[-1] - now
        yield abs((shown or 0) - left) / left


@pytest.mark.parametrize("calls", [400, 2_000])
def test_the_time_left_is_right_within_15_percent_in_the_median(calls: int) -> None:
    found = [
        error
        for throttled_every in (120.0, 300.0, 600.0)
        for seed in range(3)
        for error in errors(calls, throttled_every, seed)
    ]

    assert statistics.median(found) <= 0.15
