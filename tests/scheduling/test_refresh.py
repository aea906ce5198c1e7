"""Each refresh starts one run of the exports that read it, regardless of the order of messages."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.model.export import Repeat
from shared.model.run import RunStatus, Trigger
from shared.planning.fingerprint import source_fingerprint
from tests.scheduling.refresh_world import MODEL, World, Written, dated, refresh


def test_model_json_first_and_late_duplicated_files_start_one_run(world: World) -> None:
    files = [dated("A", number) for number in (1, 2, 3)]
    world.announce(world.write_model(A=files))
    world.wait(20)
    for file in files:
        assert world.made() == []
        world.put(file)
        world.wait(8)
    world.put(*files)
    last = world.now
    world.wait(300)

    [run] = world.made()
    assert run.trigger is Trigger.REFRESH
    assert last + timedelta(seconds=10) <= world.planned_at[run.id] <= last + timedelta(seconds=30)


def test_a_run_starts_as_soon_as_all_files_are_new(world: World) -> None:
    world.announce(refresh(world))
    world.wait(0.5)
    [run] = world.made()
    assert (run.trigger, run.status) == (Trigger.REFRESH, RunStatus.QUEUED)


def test_no_plan_is_ready_while_files_are_being_written(world: World) -> None:
    world.announce(refresh(world))
    for _ in range(5):
        world.wait(9)
        world.put(dated("A", 1))
    assert world.planned_at == {}
    world.wait(60)
    assert world.outcomes() == ["successful"]


def test_several_writes_of_model_json_in_a_refresh_start_one_run(world: World) -> None:
    for _ in range(6):
        world.announce(refresh(world))
        world.wait(3)
    world.wait(300)
    assert world.outcomes() == ["successful"]


def test_a_repeated_event_starts_nothing(world: World) -> None:
    written = refresh(world)
    for delay in (0, 0, 1, 30, 500):
        world.announce(written, delay)
    world.wait(1000)
    assert world.outcomes() == ["successful"]


def test_a_late_old_event_starts_nothing(world: World) -> None:
    old = refresh(world, 6)
    world.wait(1)
    world.announce(refresh(world, 7))
    world.announce(old, 200)
    world.wait(1000)
    assert world.outcomes() == ["successful"]


def test_the_next_refresh_starts_the_next_run(world: World) -> None:
    for hour in (6, 12, 18):
        world.announce(refresh(world, hour))
        world.wait(3600)
    assert world.outcomes() == ["successful"] * 3


def test_a_refresh_without_changes_is_reported(world: World) -> None:
    world.announce(refresh(world))
    world.wait(300)
    world.announce(world.write_model(A=world.listed["A"]))
    world.wait(300)
    assert world.outcomes() == ["successful", "noNewData"]


def test_every_export_waits_only_for_its_own_segments() -> None:
    world = World()
    world.export("e1", ["A"])
    world.export("e2", ["A", "B"])
    world.export("e3", ["A"], enabled=False)
    world.export("e4", ["A"], repeat=Repeat.DAILY, times=("06:00",))
    here, late = dated("A", 1), dated("B", 1)
    world.put(here)
    world.announce(world.write_model(A=[here], B=[late]))
    world.wait(120)
    assert [len(world.made(key)) for key in ("e1", "e2", "e3", "e4")] == [1, 0, 0, 0]
    world.put(late)
    world.wait(120)
    assert [len(world.made(key)) for key in ("e1", "e2", "e3", "e4")] == [1, 1, 0, 0]


def test_a_refresh_older_than_the_export_does_not_start_it(world: World) -> None:
    written = refresh(world)
    world.wait(2)
    world.export()
    made = replace(world.exports.kept["e1"].value, created_at=world.now)
    world.exports.keep("e1", made)
    world.announce(written)
    world.wait(300)
    assert world.made() == []
    world.announce(refresh(world, 7))
    world.wait(300)
    assert world.outcomes() == ["successful"]


def test_a_refresh_starts_an_export_although_a_wrong_clock_created_it_in_the_future(
    world: World,
) -> None:
    world.export()
    made = replace(world.exports.kept["e1"].value, created_at=world.now + timedelta(hours=3))
    world.exports.keep("e1", made)
    world.announce(refresh(world))
    world.wait(300)
    assert world.outcomes() == ["successful"]


@pytest.mark.parametrize("ahead", [timedelta(minutes=10), timedelta(hours=3)])
def test_a_refresh_starts_a_run_although_the_clock_of_the_last_run_was_ahead(
    world: World, ahead: timedelta
) -> None:
    world.now += ahead
    world.announce(refresh(world))
    world.wait(60)
    world.now -= ahead
    assert world.outcomes() == ["successful"]
    world.announce(refresh(world, 7))
    world.wait(300)
    assert world.outcomes() == ["successful", "successful"]


def test_a_model_json_elsewhere_does_not_start_an_export(world: World) -> None:
    world.announce(refresh(world))
    world.wait(300)
    world.put("other/model.json")
    world.announce(Written("other/model.json", world.blobs["other/model.json"], world.now))
    world.wait(300)
    assert world.outcomes() == ["successful"]


@settings(max_examples=60)
@given(
    seed=st.integers(0, 10_000),
    refreshes=st.integers(1, 3),
    duplicates=st.integers(1, 3),
    run_seconds=st.sampled_from([5.0, 40.0, 400.0]),
)
def test_refresh_events_out_of_order_duplicated_or_late_start_exactly_one_run(
    seed: int, refreshes: int, duplicates: int, run_seconds: float
) -> None:
    dice = random.Random(seed)
    world = World(run_seconds=run_seconds, duplicates=duplicates)
    world.export()
    for hour in range(6, 6 + refreshes):
        files = [dated("A", number, hour) for number in (1, 2, 3)]
        steps: list[str] = [*files, *dice.sample(files, dice.randint(0, 2)), MODEL]
        dice.shuffle(steps)
        for step in steps:
            if step == MODEL:
                written = world.write_model(A=files)
                for _ in range(dice.randint(1, 3)):
                    world.announce(written, dice.choice([0, 1, 20, 300]))
            else:
                world.put(step)
            world.wait(dice.choice([0, 0.5, 3, 7]))
        world.wait(3000)  # the next refresh comes much later

    assert world.outcomes() == ["successful"] * refreshes
    settled = world.ledgers.kept["e1"].value.source_fingerprint
    export = world.exports.kept["e1"].value
    assert settled == source_fingerprint(export, world.snapshot(["A"]))
