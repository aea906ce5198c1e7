"""`python -m bench.time_left`: how right the time left of a run is while Mailchimp slows it down, in simulated time.

The app's own estimate (shared/runs/progress.py) and pace (shared/capacity/pace.py), in the simulation of `bench.scale`.
Each run has its own seed, which decides how long calls take, when that changes, when Mailchimp throttles (429), and when it
is unavailable (503). Without options it prints the tables of bench/time_left.md (half a minute); with `--write`
it writes the page.
"""

from __future__ import annotations

import argparse
import random
import statistics
import sys
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

from bench.simulation.account import BEGINNING, Account, Mailchimp
from bench.simulation.clock import Clock
from bench.simulation.platform import Hosting
from bench.simulation.run import Costs, Run
from bench.simulation.world import World
from shared.capacity.pace import UsableSlots
from shared.mailchimp.transport import RetryPolicy
from shared.model import run as model
from shared.model.chunk import CHUNK_SIZE, Chunk, ChunkKind, ChunkState
from shared.model.figures import Counts
from shared.runs.progress import with_progress

PAGE = Path(__file__).with_suffix(".md")
PEOPLE = (200_000, 1_000_000)
RUNS = 20
GOAL = 0.15
MINUTE = 60.0
# Seconds between the times at which the estimate is compared, after the first minute.
_EVERY = 10.0
# Seconds of a finish as in record 90: 1.6 s for 50,000 people, 13 s for a million.
_FINISH, _FINISH_PER_MILLION = 1.0, 12.0
_SHARES = (0.25, 0.5, 0.75)


@dataclass(frozen=True)
class Disturbance:
    """How Mailchimp behaves during a run. Times are in seconds, and those between two events are averages."""

    write_seconds: float
    throttled_every: float
    unavailable_every: float
    unavailable_for: tuple[float, float] = (5.0, 30.0)
    changes_every: float = 150.0
    factors: tuple[float, float] = (0.8, 1.25)

    @classmethod
    def of_seed(cls, seed: int) -> Disturbance:
        """The disturbance of a run."""
        draw = random.Random(f"disturbance {seed}")
        return cls(
            write_seconds=draw.uniform(2.6, 6.0),
            throttled_every=draw.choice((120.0, 200.0, 300.0, 600.0)),
            unavailable_every=draw.choice((300.0, 600.0, 1200.0)),
        )


class DisturbedAccount(Account):
    """An account whose calls take different times, and are throttled or refused now and then.

    The time of a call includes the retries of the app. `throttled_at` has the times at which Mailchimp
    throttled a call, `unavailable_at` those at which it became unavailable. `usable_slots` has what the app knew of its
    slots, and when.
    """

    def __init__(
        self, name: str, clock: Clock, disturbance: Disturbance, rng: random.Random
    ) -> None:
        mailchimp = Mailchimp(write_seconds=disturbance.write_seconds)
        super().__init__(name, clock, mailchimp, rng)
        self.throttled_at: list[float] = []
        self.unavailable_at: list[float] = []
        self.usable_slots: list[tuple[float, UsableSlots]] = []
        self._disturbance = disturbance
        self._time = clock
        self._draw = random.Random(rng.random())
        self._factor = 1.0
        self._next_throttling = self._after(disturbance.throttled_every)
        self._next_change = self._after(disturbance.changes_every)
        self._next_outage = self._after(disturbance.unavailable_every)
        self._available_from = 0.0

    def _after(self, average: float) -> float:
        return self._time.now + self._draw.expovariate(1 / average)

    def call(self, seconds: float) -> float:
        """Begin a call of about so many seconds; how long it and its retries take."""
        self._change()
        wait = self._unavailable()
        if self._time.now >= self._next_throttling:
            self._next_throttling = self._after(self._disturbance.throttled_every)
            self.throttled_at.append(self._time.now)
            self.pace.throttled(self.name)
            wait += self._draw.uniform(0, RetryPolicy.first_wait)
        self.usable_slots.append((self._time.now, self.pace.usable_slots(self.name)))
        return wait + super().call(seconds * self._factor)

    def _change(self) -> None:
        if self._time.now >= self._next_change:
            self._factor = self._draw.uniform(*self._disturbance.factors)
            self._next_change = self._after(self._disturbance.changes_every)

    def _unavailable(self) -> float:
        """The seconds of retries until Mailchimp is available, as mailchimp/transport.py waits."""
        if self._time.now >= self._next_outage:
            self.unavailable_at.append(self._time.now)
            self._available_from = self._time.now + self._draw.uniform(
                *self._disturbance.unavailable_for
            )
            self._next_outage = self._after(self._disturbance.unavailable_every)
        waited, limit = 0.0, RetryPolicy.first_wait
        while self._time.now + waited < self._available_from:
            waited += self._draw.random() * limit
            limit = min(RetryPolicy.longest_wait, 2 * limit)
        return waited


class _DisturbedWorld(World):
    def __init__(self, disturbance: Disturbance, seed: int, people: int) -> None:
        costs = Costs(finish=_FINISH + _FINISH_PER_MILLION * people / 1_000_000)
        super().__init__(Hosting.of_project(), Mailchimp(), costs, seed)
        self._disturbance = disturbance

    def account(self) -> DisturbedAccount:
        made = DisturbedAccount(str(len(self.accounts)), self.clock, self._disturbance, self.rng)
        self.accounts.append(made)
        return made


@dataclass(frozen=True)
class SimulatedRun:
    """A run that was sent: when each chunk was done, and when the run ended, in seconds of sending."""

    people: int
    sending_at: datetime
    done: tuple[float, ...]
    ended: float
    throttled: int
    unavailable: int
    usable_slots: tuple[tuple[float, UsableSlots], ...]

    def error_at(self, seconds: float) -> float:
        """The error of the time left, as a share of the true one; below 0 if it was too short."""
        sent = bisect_right(self.done, seconds)
        chunk = Chunk(0, ChunkKind.ADD, 0, 0, 1, CHUNK_SIZE)
        done = [
            replace(
                chunk,
                state=ChunkState.DONE,
                done_at=self.sending_at + timedelta(seconds=end),
            )
            for end in self.done[:sent]
        ]
        waiting = [chunk] * (len(self.done) - sent)
        run = replace(_RUN, sending_at=self.sending_at, counts=Counts(distinct=self.people))
        now = self.sending_at + timedelta(seconds=seconds)
        known = bisect_right(self.usable_slots, seconds, key=lambda one: one[0])
        slots = self.usable_slots[max(0, known - 1)][1]
        shown = with_progress(run, [*done, *waiting], now, slots).progress.seconds_left
        left = self.ended - seconds
        return ((shown or 0) - left) / left

    def when_done(self, share: float) -> float:
        """The time at which a share of the people was sent, not before the first minute."""
        return max(MINUTE, self.done[min(len(self.done) - 1, round(share * len(self.done)))])

    def errors(self) -> list[float]:
        """The errors after the first minute, until the last chunk."""
        times = range(round(MINUTE), round(self.done[-1]), round(_EVERY))
        return [self.error_at(float(time)) for time in times]


_RUN = model.Run(
    "r",
    "e",
    model.Trigger.ON_DEMAND,
    model.Mode.EXPORT,
    status=model.RunStatus.SENDING,
)


def simulated_run(people: int, seed: int) -> SimulatedRun:
    """Send a run of so many people, all of them new."""
    world = _DisturbedWorld(Disturbance.of_seed(seed), seed, people)
    account = world.account()
    run: Run = world.add(account, people, people)
    if not world.go(100_000) or run.ended is None:
        message = f"the run with the seed {seed} does not end"
        raise TimeoutError(message)
    began = run.planned
    return SimulatedRun(
        people,
        BEGINNING + timedelta(seconds=began),
        tuple(end - began for end in run.done_at),
        run.ended - began,
        sum(time >= began for time in account.throttled_at),
        sum(time >= began for time in account.unavailable_at),
        tuple((time - began, slots) for time, slots in account.usable_slots),
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Simulate, print, and write with --write; returns 0."""
    parser = argparse.ArgumentParser(prog="python -m bench.time_left", description=__doc__)
    parser.add_argument("--people", type=int, nargs="+", default=PEOPLE)
    parser.add_argument("--runs", type=int, default=RUNS, help=f"of each number of people ({RUNS})")
    parser.add_argument("--write", action="store_true", help="write bench/time_left.md")
    options = parser.parse_args(arguments)
    text = page(options.people, options.runs)
    print(text)
    if options.write:
        PAGE.write_text(text, encoding="utf-8")
    return 0


def page(sizes: Sequence[int], runs: int) -> str:
    """The page with a table for each number of people."""
    return "\n".join([_INTRODUCTION, *(_section(people, runs) for people in sizes)])


_INTRODUCTION = f"""# Time left

Simulated by `python -m bench.time_left --write`, with the app's own estimate and pace. Calls of {CHUNK_SIZE} people take 2.6 to 6 s, which changes by up
to 25 % every few minutes; Mailchimp throttles every 2 to 10 minutes (429), and is unavailable for 5 to 30 s every 5 to 20 minutes (503). The error is that of `secondsLeft`, as a
share of the time that was really left, with the finish of the run. The goal is {GOAL:.0%} after the first minute, in the median.
"""


def _section(people: int, runs: int) -> str:
    simulated = [simulated_run(people, seed) for seed in range(runs)]
    points = {
        "minute 1": [run.error_at(MINUTE) for run in simulated],
        **{
            f"{share:.0%} sent": [run.error_at(run.when_done(share)) for run in simulated]
            for share in _SHARES
        },
    }
    every = [run.errors() for run in simulated]
    points["median of a run after minute 1"] = [
        statistics.median(abs(error) for error in run) for run in every
    ]
    together = [error for run in every for error in run]
    lines = [
        f"## {people:,} people",
        "",
        f"{runs} runs of {min(run.ended for run in simulated) / 60:.0f} to "
        f"{max(run.ended for run in simulated) / 60:.0f} minutes, throttled {sum(run.throttled for run in simulated)} times, with "
        f"Mailchimp unavailable {sum(run.unavailable for run in simulated)} times.",
        "",
        "| at | median error | worst | too short | runs within 15 % |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    for name, errors in points.items():
        signed = not name.startswith("median")
        short = f"{sum(error < 0 for error in errors)}" if signed else ""
        lines.append(
            f"| {name} | {_median(errors):.0%} | {max(map(abs, errors)):.0%} | {short} "
            f"| {sum(abs(error) <= GOAL for error in errors)} |"
        )
    lines += [
        "",
        f"Of all times after the first minute, every {_EVERY:.0f} s: {_median(together):.0%} in the median.",
        "",
    ]
    return "\n".join(lines)


def _median(errors: Sequence[float]) -> float:
    return statistics.median(abs(error) for error in errors)


if __name__ == "__main__":
    sys.exit(main())
