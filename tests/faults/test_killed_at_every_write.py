"""A run killed at any write or call has the same result as an undisturbed one.

`make faults` runs more cases than `make test`; with SEEDS=50 or more, one for every write and call.
"""

import itertools
import os
import random
from collections.abc import Callable
from typing import Any

import pytest

from sandbox.samples import Flaws, Sample, Segment
from tests.fakes import ProcessKilled
from tests.faults.simulated_deployment import (
    NewDeployment,
    RunResult,
    SavedDeployment,
    SimulatedDeployment,
)

LONG = bool(os.environ.get("LONG_TESTS"))
SEEDS = int(os.environ.get("FAULT_SEEDS") or (4 if LONG else 2))
STEP = 1 if SEEDS >= 50 else 10 if LONG else 74
# A run makes fewer calls than writes.
CALL_STEP = min(STEP, 23)
Prepared = Callable[[bool], SimulatedDeployment]

SAMPLE = Sample(
    40,
    (Segment("A", 0.7), Segment("B", 0.5)),
    Flaws(missing=0.05, malformed=0.05, short=0.03, untidy=0.1, shared=0.2),
    seed=5,
)
LATER = SAMPLE.later(changed=0.3, arriving=8, leaving=5, moving=0.15)


@pytest.fixture(scope="module", name="saved")
def _saved() -> dict[bool, SavedDeployment]:
    return {}


@pytest.fixture
def prepared(
    new_deployment: NewDeployment, saved: dict[bool, SavedDeployment]
) -> Callable[[bool], SimulatedDeployment]:
    """A simulated deployment before its first run, or (True) before a second one with changes, leavers and new people."""

    def deployment_before(again: bool) -> SimulatedDeployment:
        deployment = new_deployment()
        if again not in saved:
            deployment.audience.add("gone@example.com", status="unsubscribed", cause="self")
            deployment.define(SAMPLE)
            if again:
                deployment.run()
            saved[again] = deployment.saved()
        deployment.restore(saved[again])
        deployment.define(LATER if again else SAMPLE)
        return deployment

    return deployment_before


def kill_at_call(deployment: SimulatedDeployment, at: int, applied: bool) -> None:
    """Kill the process at its call number `at`: before it is made, or before its answer is read."""
    calls = itertools.count(1)

    def call(ask: Callable[[], Any]) -> Any:
        if next(calls) != at:
            return ask()
        if applied:
            ask().close()
        deployment.client.dead = True
        raise ProcessKilled

    deployment.call = call


@pytest.fixture(scope="module", name="quiet")
def _quiet() -> dict[bool, tuple[RunResult, int]]:
    return {}


def undisturbed(
    quiet: dict[bool, tuple[RunResult, int]], prepared: Prepared, again: bool
) -> tuple[RunResult, int]:
    """The result of a run without faults, and the number of its writes; computed once."""
    if again not in quiet:
        deployment = prepared(again)
        deployment.start_process()
        run = deployment.run()
        quiet[again] = deployment.result_of(run), deployment.client.writes
    return quiet[again]


@pytest.mark.parametrize("applied", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("again", [False, True], ids=["first-run", "second-run"])
def test_a_run_killed_at_any_write_has_the_same_result(
    prepared: Prepared,
    quiet: dict[bool, tuple[RunResult, int]],
    again: bool,
    applied: bool,
) -> None:
    expected, _ = undisturbed(quiet, prepared, again)
    # Killed after a write is much like killed before the next one, so both have different positions.
    # Parallel calls take a connection each, or wait for a free one, so the number of writes differs.
    at = 1 + (STEP // 2) * applied + again
    while True:
        deployment = prepared(again)
        deployment.start_process(at, applied=applied)

        end = deployment.result_of(deployment.run())

        assert end == expected, f"killed at write {at}"
        # There were fewer writes: a process was killed at every place.
        if deployment.process_count == 2:
            break
        at += STEP
    assert at > STEP


@pytest.mark.parametrize("applied", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("again", [False, True], ids=["first-run", "second-run"])
def test_a_run_killed_at_any_call_has_the_same_result(
    prepared: Prepared,
    quiet: dict[bool, tuple[RunResult, int]],
    again: bool,
    applied: bool,
) -> None:
    expected, _ = undisturbed(quiet, prepared, again)
    at = 1 + 2 * applied + again
    while True:
        deployment = prepared(again)
        deployment.start_process()
        kill_at_call(deployment, at, applied)

        end = deployment.result_of(deployment.run())

        assert end == expected, f"killed at call {at}"
        # There were fewer calls: a process was killed at every place.
        if deployment.process_count == 2:
            return
        at += CALL_STEP


@pytest.mark.parametrize("seed", range(SEEDS))
def test_a_run_killed_repeatedly_has_the_same_result(
    prepared: Prepared, quiet: dict[bool, tuple[RunResult, int]], seed: int
) -> None:
    dice = random.Random(seed)
    again = bool(seed % 2)
    expected, writes = undisturbed(quiet, prepared, again)
    deployment = prepared(again)
    kills = dice.randint(2, 5)
    life = deployment.start_process

    def start_process(kill_at: int | None = None, *, applied: bool = False) -> None:
        if deployment.process_count < kills + 2:
            kill_at, applied = dice.randint(1, writes), dice.random() < 0.5
        life(kill_at, applied=applied)

    deployment.start_process = start_process  # type: ignore[method-assign]
    deployment.deliver_twice = dice.random() < 0.5
    deployment.start_process()

    assert deployment.result_of(deployment.run()) == expected


def test_every_message_delivered_twice_changes_nothing(
    prepared: Prepared, quiet: dict[bool, tuple[RunResult, int]]
) -> None:
    for again in (False, True):
        expected, _ = undisturbed(quiet, prepared, again)
        deployment = prepared(again)
        deployment.deliver_twice = True

        assert deployment.result_of(deployment.run()) == expected
