"""A lane whose slot was taken by another process makes no further call, and its run loses no one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from sandbox.samples import Sample, Segment
from shared.capacity import renewed_lease
from shared.capacity.slots import Slot
from shared.model.run import RunStatus
from tests.faults.simulated_deployment import CHUNK, EXPORT, NewDeployment
from tests.waiting import until

SAMPLE = Sample(5 * CHUNK, (Segment("A", 1.0),), seed=7)


def test_a_lane_that_loses_its_slot_stops_after_the_call_in_progress(
    new_deployment: NewDeployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    deployment = new_deployment()
    monkeypatch.setattr(renewed_lease, "_RENEW_SECONDS", 0.01)
    deployment.define(SAMPLE)
    run = deployment.app.starter.start(EXPORT)
    taken: list[Slot] = []
    take = deployment.app.slots.take

    def remember(*given: Any, **more: Any) -> Slot | None:
        slot: Slot | None = take(*given, **more)
        taken.extend([slot] if slot else [])
        return slot

    monkeypatch.setattr(deployment.app.slots, "take", remember)
    calls: list[int] = []  # of the lane, after it has lost its slot
    others: dict[str, tuple[object, float]] = {}

    def call(ask: Callable[[], Any]) -> Any:
        stored = deployment.app.runs.read(run.id)
        if stored.value.status is not RunStatus.SENDING or others:
            calls.append(len(taken))
            return ask()
        # Another process took every slot, because the lease of this lane had expired.
        until_then = deployment.clock.seconds() + 10_000
        others.update({name: (object(), until_then) for name in deployment.store.leases})
        deployment.store.leases.update(others)
        until(lambda: taken[-1].lost)
        calls.clear()
        return ask()

    deployment.call = call
    while not others:
        assert deployment._deliver()

    assert calls == []
    assert len(deployment.audience.members()) == CHUNK
    for name in others:
        del deployment.store.leases[name]
    deployment.call = None
    ended = deployment.run_to_end(run.id)
    assert ended.status is RunStatus.SUCCESSFUL
    assert ended.counts.created == len(deployment.audience.members()) == 5 * CHUNK
