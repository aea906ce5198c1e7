"""A process killed at any write, or any call: the run goes on to the same end as an undisturbed one.

`FAULT_SEEDS=n` (make faults SEEDS=n) asks for more than CI does; from 50 on for every place.
"""

import itertools
import os
import random
from collections.abc import Callable
from typing import Any

import pytest

from sandbox.samples import Flaws, Sample, Segment
from tests.fakes import Killed
from tests.faults.simulated_deployment import End, Mill

SEEDS = int(os.environ.get("FAULT_SEEDS") or 4)
STEP = 1 if SEEDS >= 50 else 10
NewMill = Callable[[], Mill]

SAMPLE = Sample(
    40,
    (Segment("A", 0.7), Segment("B", 0.5)),
    Flaws(missing=0.05, malformed=0.05, short=0.03, untidy=0.1, shared=0.2),
    seed=5,
)
LATER = SAMPLE.later(changed=0.3, arriving=8, leaving=5, moving=0.15)


def prepared(new_mill: NewMill, again: bool) -> Mill:
    """A mill before its first run, or before a second one with changes, leavers and new people."""
    mill = new_mill()
    mill.audience.add("gone@example.com", status="unsubscribed", cause="self")
    mill.define(SAMPLE)
    if again:
        mill.run()
        mill.define(LATER)
    return mill


def kill_at_call(mill: Mill, at: int, applied: bool) -> None:
    """Kill the process at its call number `at`: before it is made, or before its answer is read."""
    calls = itertools.count(1)

    def call(ask: Callable[[], Any]) -> Any:
        if next(calls) != at:
            return ask()
        if applied:
            ask().close()
        mill.wire.dead = True
        raise Killed

    mill.call = call


@pytest.fixture(scope="module", name="quiet")
def _quiet() -> dict[bool, tuple[End, int]]:
    return {}


def undisturbed(
    quiet: dict[bool, tuple[End, int]], new_mill: NewMill, again: bool
) -> tuple[End, int]:
    """The end of a quiet run, and how many writes it takes; worked out once."""
    if again not in quiet:
        mill = prepared(new_mill, again)
        mill.be_born()
        run = mill.run()
        quiet[again] = mill.end_of(run), mill.wire.writes
    return quiet[again]


@pytest.mark.parametrize("applied", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("again", [False, True], ids=["first-run", "second-run"])
def test_killed_at_any_write_the_run_comes_to_the_same_end(
    new_mill: NewMill, quiet: dict[bool, tuple[End, int]], again: bool, applied: bool
) -> None:
    expected, writes = undisturbed(quiet, new_mill, again)
    for at in range(1 + 2 * applied + again, writes + 1, STEP):
        mill = prepared(new_mill, again)
        mill.be_born(at, applied=applied)

        end = mill.end_of(mill.run())

        assert end == expected, f"killed at write {at} of {writes}"
        assert mill.lives == 3


@pytest.mark.parametrize("applied", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("again", [False, True], ids=["first-run", "second-run"])
def test_killed_at_any_call_the_run_comes_to_the_same_end(
    new_mill: NewMill, quiet: dict[bool, tuple[End, int]], again: bool, applied: bool
) -> None:
    expected, _ = undisturbed(quiet, new_mill, again)
    at = 1 + 2 * applied + again
    while True:
        mill = prepared(new_mill, again)
        mill.be_born()
        kill_at_call(mill, at, applied)

        end = mill.end_of(mill.run())

        assert end == expected, f"killed at call {at}"
        if mill.lives == 2:  # there were fewer calls: every place has had its turn
            return
        at += STEP


@pytest.mark.parametrize("seed", range(SEEDS))
def test_killed_again_and_again_the_run_comes_to_the_same_end(
    new_mill: NewMill, quiet: dict[bool, tuple[End, int]], seed: int
) -> None:
    dice = random.Random(seed)
    again = bool(seed % 2)
    expected, writes = undisturbed(quiet, new_mill, again)
    mill = prepared(new_mill, again)
    kills = dice.randint(2, 5)
    life = mill.be_born

    def be_born(kill_at: int | None = None, *, applied: bool = False) -> None:
        if mill.lives < kills + 2:
            kill_at, applied = dice.randint(1, writes), dice.random() < 0.5
        life(kill_at, applied=applied)

    mill.be_born = be_born  # type: ignore[method-assign]
    mill.deliver_twice = dice.random() < 0.5
    mill.be_born()

    assert mill.end_of(mill.run()) == expected


def test_every_message_delivered_twice_changes_nothing(
    new_mill: NewMill, quiet: dict[bool, tuple[End, int]]
) -> None:
    for again in (False, True):
        expected, _ = undisturbed(quiet, new_mill, again)
        mill = prepared(new_mill, again)
        mill.deliver_twice = True

        assert mill.end_of(mill.run()) == expected
