"""Files that are overwritten under the same names are waited for and never missed."""

from __future__ import annotations

import random
from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from shared.planning.fingerprint import source_fingerprint
from tests.scheduling.refresh_world import MODEL, World


def test_files_rewritten_in_place_are_waited_for(world: World) -> None:
    files = ["export/A/A_1.csv", "export/A/A_2.csv"]
    world.put(*files)
    world.announce(world.write_model(A=files))
    world.wait(300)

    world.announce(world.write_model(A=files))  # model.json first, the old files are still there
    world.wait(12)
    world.put(files[0])
    world.wait(20)
    assert len(world.made()) == 1
    world.put(files[1])
    world.wait(300)
    assert world.outcomes() == ["successful", "successful"]


def test_the_first_files_rewritten_in_place_are_waited_for_as_well(world: World) -> None:
    """Nothing shows that they are those of an earlier refresh."""
    files = ["export/A/A_1.csv", "export/A/A_2.csv"]
    world.put(*files)
    world.wait(3600)
    world.announce(world.write_model(A=files))
    for file in files:
        world.wait(8)
        world.put(file)
    world.wait(300)
    [run] = world.made()
    assert world.planned_at[run.id] - world._written[files[1]] >= timedelta(seconds=10)


def test_files_rewritten_long_after_model_json_are_detected(world: World) -> None:
    files = ["export/A/A_1.csv", "export/A/A_2.csv"]
    world.put(*files)
    world.announce(world.write_model(A=files))
    world.wait(300)
    world.announce(world.write_model(A=files))
    world.wait(300)
    world.put(*files)
    world.wait(4000)
    assert world.outcomes() == ["successful", "noNewData", "successful"]
    world.wait(8000)
    assert world.queue == []


@settings(max_examples=60)
@given(seed=st.integers(0, 10_000), run_seconds=st.sampled_from([5.0, 40.0, 400.0]))
def test_files_overwritten_in_place_are_never_missed(seed: int, run_seconds: float) -> None:
    """Without dated folders, old and new files differ only in their ETags."""
    dice = random.Random(seed)
    world = World(run_seconds=run_seconds)
    world.export()
    files = [f"export/A/A_{number}.csv" for number in (1, 2, 3)]
    for _ in range(3):
        steps = [*files, MODEL]
        dice.shuffle(steps)
        for step in steps:
            if step == MODEL:
                world.announce(world.write_model(A=files), dice.choice([0, 1, 20]))
            else:
                world.put(step)
            world.wait(dice.choice([0, 3, 15, 45, 200]))
        world.wait(9000)
        export = world.exports.kept["e1"].value
        assert world.ledgers.kept["e1"].value.source_fingerprint == source_fingerprint(
            export, world.snapshot(["A"])
        )
    assert world.queue == []
