"""A refresh that is not complete, or cannot be read, is waited for and then reported once."""

from __future__ import annotations

import pytest

from shared.errors import ConfigError, InputError
from shared.model.run import RunStatus, Trigger
from tests.logged_events import logged_events
from tests.scheduling.refresh_world import MODEL, World, dated, refresh


def test_a_missing_file_is_reported_after_a_while(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "shared.events")
    files = [dated("A", 1), dated("A", 2)]
    world.put(files[0])
    world.announce(world.write_model(A=files))
    world.wait(3500)
    assert world.made() == []
    world.wait(300)

    [run] = world.made()
    assert (run.status, run.trigger) == (RunStatus.SKIPPED, Trigger.REFRESH)
    assert run.reason is not None
    assert run.reason.code == "refreshNeverComplete"
    [finding] = run.findings
    assert finding.code == "filesMissing"
    assert "1 of 2 files of the segment A" in finding.message
    events = logged_events(caplog)
    assert {"refresh.notComplete", "run.finished"} == {one["event"] for one in events}
    assert world.queue == []

    world.put(files[1])
    world.announce(world.write_model(A=files))
    world.wait(300)
    assert world.outcomes() == ["refreshNeverComplete", "successful"]


def test_a_file_that_is_missing_in_every_refresh_is_reported_once_an_hour(world: World) -> None:
    world.put(dated("A", 1))
    for _ in range(12):
        world.announce(world.write_model(A=[dated("A", 1), dated("A", 2)]))
        world.wait(50 * 60)
    reported = world.outcomes()
    world.put(dated("A", 2))
    world.wait(300)

    assert 8 <= len(reported) <= 10
    assert set(reported) == {"refreshNeverComplete"}
    assert world.outcomes() == [*reported, "successful"]


def test_a_fault_is_reported_although_refreshes_follow_one_another_closely(world: World) -> None:
    world.fault = ConfigError("segmentMissing", segments="A")
    world._plan = lambda run: None  # type: ignore[method-assign]  # the planner's part is not tried here
    for _ in range(65):
        world.announce(refresh(world))
        world.wait(60)
    [run] = world.made()
    assert run.reason is not None
    assert run.reason.code == "refreshNeverComplete"
    assert [finding.code for finding in run.findings] == ["segmentMissing"]

    world.wait(120)
    assert world.outcomes() == ["refreshNeverComplete", "planning"]


def test_a_refresh_that_is_announced_twice_and_never_complete_is_reported_once(
    world: World,
) -> None:
    world.put(dated("A", 1))
    for _ in range(2):
        world.announce(world.write_model(A=[dated("A", 1), dated("A", 2)]))
        world.wait(10 * 60)
    world.wait(2 * 3600)
    assert world.outcomes() == ["refreshNeverComplete"]
    assert world.queue == []


def test_a_refresh_after_one_that_waits_for_a_run_has_an_hour_of_its_own() -> None:
    world = World(run_seconds=4000)
    world.export()
    world.announce(refresh(world, 6))
    world.wait(60)
    world.announce(refresh(world, 7))
    world.wait(3700)
    files = [dated("A", number, 8) for number in (1, 2)]
    world.announce(world.write_model(A=files))
    world.wait(60)
    world.put(*files)
    world.wait(8000)
    assert world.outcomes() == ["successful"] * 2


def test_a_fault_while_the_next_refresh_is_written_starts_no_run(world: World) -> None:
    """The documents of a manifest are written one after another."""
    files = [dated("A", number) for number in (1, 2)]
    world.put(files[0])
    world.announce(world.write_model(A=files))
    for _ in range(4):
        world.wait(20 * 60)
        world.fault = InputError("definitionUnusable", where=MODEL, entity="A", document="A.json")
        world.announce(world.write_model(A=files))
        world.wait(60)
        world.fault = None
    reported = world.outcomes()
    world.put(*files)
    world.wait(300)
    assert reported == ["refreshNeverComplete"]
    assert world.outcomes() == ["refreshNeverComplete", "successful"]


def test_a_config_error_creates_a_run_that_reports_it(world: World) -> None:
    world.fault = ConfigError("segmentMissing", segments="A")
    world.announce(refresh(world))
    world.wait(100)
    assert world.made() == []
    world._plan = lambda run: None  # type: ignore[method-assign]  # the planner's part is not tried here
    world.wait(60)
    assert len(world.made()) == 1
    world.wait(4000)
    assert world.queue == []
