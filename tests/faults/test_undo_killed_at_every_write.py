"""An undo killed at any write or call has the same result as an undisturbed one."""

import os
from collections.abc import Callable

import pytest

from sandbox.samples import Sample, Segment
from shared.model.run import Run, RunStatus
from tests.faults.simulated_deployment import (
    NewDeployment,
    RunResult,
    SavedDeployment,
    SimulatedDeployment,
)
from tests.faults.test_killed_at_every_write import kill_at_call

SEEDS = int(os.environ.get("FAULT_SEEDS") or 4)
STEP = 1 if SEEDS >= 50 else 11 if os.environ.get("LONG_TESTS") else 122
# An undo makes fewer calls than writes.
CALL_STEP = min(STEP, 37)
TwiceRun = Callable[[], tuple[SimulatedDeployment, Run]]

SAMPLE = Sample(30, (Segment("A", 0.7), Segment("B", 0.5)), seed=7)
LATER = SAMPLE.later(changed=0.4, arriving=9, leaving=4, moving=0.2)


@pytest.fixture(scope="module", name="saved")
def _saved() -> list[tuple[SavedDeployment, Run]]:
    return []


@pytest.fixture
def twice_run(
    new_deployment: NewDeployment, saved: list[tuple[SavedDeployment, Run]]
) -> Callable[[], tuple[SimulatedDeployment, Run]]:
    """A simulated deployment after two runs, and the second of them."""

    def deployment_after() -> tuple[SimulatedDeployment, Run]:
        deployment = new_deployment()
        if not saved:
            deployment.define(SAMPLE, max_removal_share=1.0)
            deployment.run()
            deployment.define(LATER)
            run = deployment.run()
            assert run.counts.created
            assert run.counts.updated
            saved.append((deployment.saved(), run))
        state, run = saved[0]
        deployment.restore(state)
        deployment.define(LATER)
        return deployment, run

    return deployment_after


@pytest.fixture(scope="module", name="quiet")
def _quiet() -> list[tuple[RunResult, int]]:
    return []


def undisturbed(quiet: list[tuple[RunResult, int]], twice_run: TwiceRun) -> tuple[RunResult, int]:
    if not quiet:
        deployment, run = twice_run()
        deployment.start_process()
        undone = deployment.undo(run, archive_created=True)
        assert undone.status is RunStatus.SUCCESSFUL
        archived = [
            one
            for one in deployment.result_of(undone).audience.values()
            if one.status == "archived"
        ]
        assert len(archived) == run.counts.created
        quiet.append((deployment.result_of(undone), deployment.client.writes))
    return quiet[0]


@pytest.mark.parametrize("applied", [False, True], ids=["before", "after"])
def test_an_undo_killed_at_any_write_has_the_same_result(
    twice_run: TwiceRun, quiet: list[tuple[RunResult, int]], applied: bool
) -> None:
    expected, writes = undisturbed(quiet, twice_run)
    # Killed after a write is much like killed before the next one, so both have different positions.
    for at in range(1 + (STEP // 2) * applied, writes + 1, STEP):
        deployment, run = twice_run()
        deployment.start_process(at, applied=applied)

        undone = deployment.undo(run, archive_created=True)

        assert deployment.result_of(undone) == expected, f"killed at write {at} of {writes}"


@pytest.mark.parametrize("applied", [False, True], ids=["before", "after"])
def test_an_undo_killed_at_any_call_has_the_same_result(
    twice_run: TwiceRun, quiet: list[tuple[RunResult, int]], applied: bool
) -> None:
    expected, _ = undisturbed(quiet, twice_run)
    at = 1 + 3 * applied
    while True:
        deployment, run = twice_run()
        process_count = deployment.process_count
        deployment.start_process()
        kill_at_call(deployment, at, applied)

        undone = deployment.undo(run, archive_created=True)

        assert deployment.result_of(undone) == expected, f"killed at call {at}"
        # There were fewer calls: a process was killed at every place.
        if deployment.process_count == process_count + 1:
            return
        at += CALL_STEP
