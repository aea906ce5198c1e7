"""The tick of the composed app, and the records that an export leaves."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from shared.app import build
from shared.errors import Unavailable
from shared.model.export import Schedule
from shared.model.tag import TagOwner
from shared.runs.leftovers import Leftovers
from shared.runs.transitions import Transitions
from shared.scheduling.scheduled_starts import ScheduleState
from shared.settings import load
from tests.fakes import VisibleRecords

NOW = datetime(2026, 11, 23, tzinfo=UTC)


class Part:
    """A part of the tick that counts its calls and may fail."""

    def __init__(self, *, fails: bool = False) -> None:
        self.done: list[str] = []
        self._fails = fails

    def __getattr__(self, name: str) -> Any:
        def work() -> None:
            self.done.append(name)
            if self._fails:
                raise Unavailable("storageNoAnswer", resource="fake", error="Lost")

        return work


def test_a_failing_part_of_the_tick_does_not_prevent_the_others() -> None:
    names = (
        "scheduled_starts", "open_refreshes", "watchdog", "retention", "leftovers", "eraser", "poison_queues",
    )  # fmt: skip
    parts: dict[str, Any] = {
        name: Part(fails=name in ("scheduled_starts", "watchdog")) for name in names
    }
    app = build(load({"AzureWebJobsStorage": "UseDevelopmentStorage=true"}), **parts)

    with pytest.raises(Unavailable):
        app.tick()

    assert all(part.done for part in parts.values())


class NoFiles:
    def names(self, prefix: str) -> list[str]:
        return []


def leftovers_with(
    states: VisibleRecords[ScheduleState], owners: VisibleRecords[TagOwner]
) -> Leftovers:
    return Leftovers(
        exports=VisibleRecords(),
        runs=VisibleRecords(),
        newest=VisibleRecords(),
        ledgers=VisibleRecords(),
        owners=owners,
        files=NoFiles(),  # type: ignore[arg-type]
        transitions=Transitions(VisibleRecords(), lambda: NOW),
        others=[states],
    )


def test_removing_an_export_deletes_its_schedule() -> None:
    states: VisibleRecords[ScheduleState] = VisibleRecords()
    for key in ("gone", "here"):
        states.keep(key, ScheduleState(Schedule(), NOW, NOW))
    assert leftovers_with(states, VisibleRecords()).delete("gone")
    assert list(states.kept) == ["here"]


def test_a_removal_is_completed_although_another_export_takes_over_the_tag() -> None:
    states: VisibleRecords[ScheduleState] = VisibleRecords()
    states.keep("gone", ScheduleState(Schedule(), NOW, NOW))
    owners: VisibleRecords[TagOwner] = VisibleRecords()
    owners.keep("tag", TagOwner("gone", "Vip", 1))
    new_owner = TagOwner("here", "Vip", 1)

    def take_over(key: str) -> None:
        owners.keep(key, new_owner)

    owners.before_write = take_over
    assert leftovers_with(states, owners).delete("gone")
    assert [stored.value for stored in owners.all()] == [new_owner]
    assert not states.kept
