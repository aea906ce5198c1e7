"""A refresh that arrives while a run is active, or after one that has read it already."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from shared.errors import Unavailable
from shared.model.finding import Reason
from shared.model.run import Mode, Run, RunStatus, Trigger
from shared.runs.start import RunOptions
from tests.scheduling.refresh_world import World, refresh


def test_refreshes_during_a_run_make_exactly_one_more() -> None:
    world = World(run_seconds=600)
    world.export()
    world.announce(refresh(world, 6))
    world.wait(60)
    for hour in (7, 8, 9):
        world.announce(refresh(world, hour))
        world.wait(60)
    assert len(world.made()) == 1
    world.wait(3000)

    first, second = world.made()
    assert first.finished_at is not None
    assert second.queued_at is not None
    assert second.queued_at >= first.finished_at
    assert world.outcomes() == ["successful"] * 2


def test_a_queued_run_consumes_the_refresh(world: World) -> None:
    written = refresh(world)
    started = world.starter.start("e1", Trigger.ON_DEMAND)
    world.announce(written)
    world.wait(600)
    assert [run.id for run in world.made()] == [started.id]


def test_a_manual_run_after_the_refresh_has_nothing_to_do(world: World) -> None:
    world.announce(refresh(world), delay=10)
    world.wait(1)
    world.starter.start("e1", Trigger.ON_DEMAND)
    world.wait(600)
    assert [run.trigger for run in world.made()] == [Trigger.ON_DEMAND]


def test_a_run_awaiting_confirmation_is_not_replaced_by_the_refresh_it_read(
    world: World,
) -> None:
    world.announce(refresh(world), delay=10)
    world.wait(1)
    asked = world.starter.start("e1", Trigger.ON_DEMAND)
    world.wait(5)
    waiting = replace(world.made()[0], status=RunStatus.AWAITING_CONFIRMATION)
    world.runs.keep(asked.id, waiting)
    world.wait(300)
    assert world.outcomes() == ["awaitingConfirmation"]
    world.announce(refresh(world, 7))
    world.wait(300)
    assert world.outcomes() == ["superseded", "successful"]


def test_a_canceled_run_is_not_restarted_by_the_same_refresh(world: World) -> None:
    world.announce(refresh(world))
    world.wait(20)
    canceled = replace(world.made()[0], status=RunStatus.CANCELED, finished_at=world.now)
    world.runs.keep(canceled.id, canceled)
    world.wait(300)
    assert world.outcomes() == ["canceled"]


def test_a_queued_preview_does_not_consume_a_refresh(world: World) -> None:
    written = refresh(world)
    world.starter.start("e1", Trigger.ON_DEMAND, Mode.PREVIEW)
    world.announce(written)
    world.wait(600)
    assert [run.mode for run in world.made()] == [Mode.PREVIEW, Mode.EXPORT]


def test_an_undo_does_not_consume_a_refresh(world: World) -> None:
    world.announce(refresh(world))
    world.wait(300)
    written = refresh(world, 7)
    undone = world.made()[0].id
    world.starter.start("e1", options=RunOptions(undo_of=undone))
    world.announce(written)
    world.wait(600)
    assert [run.undo_of for run in world.made()] == [None, undone, None]


def test_a_queued_retry_does_not_consume_a_refresh(world: World) -> None:
    world.announce(refresh(world))
    world.wait(300)
    written = refresh(world, 7)
    failed = world.made()[0].id
    world.starter.start("e1", Trigger.RETRY, options=RunOptions(retry_of=failed))
    world.announce(written)
    world.wait(600)
    assert [run.retry_of for run in world.made()] == [None, failed, None]


def test_a_retry_that_waits_for_a_confirmation_does_not_consume_a_refresh(world: World) -> None:
    world.announce(refresh(world))
    world.wait(300)
    failed = world.made()[0].id
    retry = world.starter.start("e1", Trigger.RETRY, options=RunOptions(retry_of=failed))
    waiting = replace(
        retry,
        status=RunStatus.AWAITING_CONFIRMATION,
        reason=Reason("tagExists"),
        started_at=world.now,
    )
    world.runs.keep(retry.id, waiting)
    world.wait(60)
    world.announce(refresh(world, 7))
    world.wait(600)
    assert [run.retry_of for run in world.made()] == [None, failed, None]


@pytest.mark.parametrize("fails", [True, False])
def test_a_retry_that_begins_while_a_refresh_starts_its_run_does_not_consume_it(
    world: World, fails: bool
) -> None:
    world.announce(refresh(world))
    world.wait(300)
    failed = world.made()[0].id
    start = world.starter.start

    def start_after_retry(*given: Any, **options: Any) -> Run:
        world.starter.start = start  # type: ignore[method-assign]
        start("e1", Trigger.RETRY, options=RunOptions(retry_of=failed))
        if fails:
            raise Unavailable("storageNoAnswer", resource="fake", error="Lost")
        return start(*given, **options)

    world.starter.start = start_after_retry  # type: ignore[method-assign]
    world.announce(refresh(world, 7))
    world.wait(900)
    assert [run.retry_of for run in world.made()] == [None, failed, None]
