"""A process killed at any write or call of an undo: the audience ends as after an undisturbed one."""

import os
from collections.abc import Callable

import pytest

from sandbox.samples import Sample, Segment
from shared.model.run import Run, RunStatus
from tests.faults.simulated_deployment import End, Mill
from tests.faults.test_killed_at_every_write import kill_at_call

SEEDS = int(os.environ.get("FAULT_SEEDS") or 4)
STEP = 1 if SEEDS >= 50 else 11
NewMill = Callable[[], Mill]

SAMPLE = Sample(30, (Segment("A", 0.7), Segment("B", 0.5)), seed=7)
LATER = SAMPLE.later(changed=0.4, arriving=9, leaving=4, moving=0.2)


def twice_run(new_mill: NewMill) -> tuple[Mill, Run]:
    """A mill after two runs, and the second of them."""
    mill = new_mill()
    mill.define(SAMPLE, max_removal_share=1.0)
    mill.run()
    mill.define(LATER)
    run = mill.run()
    assert run.counts.created
    assert run.counts.updated
    return mill, run


def take_back(mill: Mill, run: Run) -> Run:
    started = mill.started(lambda: mill.house.undo.start(run.id, "Dev", True))
    return mill.go_on(started.id)


@pytest.fixture(scope="module", name="quiet")
def _quiet() -> list[tuple[End, int]]:
    return []


def undisturbed(quiet: list[tuple[End, int]], new_mill: NewMill) -> tuple[End, int]:
    if not quiet:
        mill, run = twice_run(new_mill)
        mill.be_born()
        undone = take_back(mill, run)
        assert undone.status is RunStatus.SUCCESSFUL
        archived = [
            one for one in mill.end_of(undone).audience.values() if one.status == "archived"
        ]
        assert len(archived) == run.counts.created
        quiet.append((mill.end_of(undone), mill.wire.writes))
    return quiet[0]


@pytest.mark.parametrize("applied", [False, True], ids=["before", "after"])
def test_killed_at_any_write_an_undo_comes_to_the_same_end(
    new_mill: NewMill, quiet: list[tuple[End, int]], applied: bool
) -> None:
    expected, writes = undisturbed(quiet, new_mill)
    for at in range(1 + 3 * applied, writes + 1, STEP):
        mill, run = twice_run(new_mill)
        mill.be_born(at, applied=applied)

        undone = take_back(mill, run)

        assert mill.end_of(undone) == expected, f"killed at write {at} of {writes}"


@pytest.mark.parametrize("applied", [False, True], ids=["before", "after"])
def test_killed_at_any_call_an_undo_comes_to_the_same_end(
    new_mill: NewMill, quiet: list[tuple[End, int]], applied: bool
) -> None:
    expected, _ = undisturbed(quiet, new_mill)
    at = 1 + 3 * applied
    while True:
        mill, run = twice_run(new_mill)
        lives = mill.lives
        mill.be_born()
        kill_at_call(mill, at, applied)

        undone = take_back(mill, run)

        assert mill.end_of(undone) == expected, f"killed at call {at}"
        if mill.lives == lives + 1:  # there were fewer calls: every place has had its turn
            return
        at += STEP
