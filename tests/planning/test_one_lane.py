"""A run that needs one lane is sent by the function that planned it."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pytest

from sandbox.samples import Sample, Segment
from shared.errors import Unavailable
from shared.model.export import SegmentChoice
from shared.model.names import SEND_LANES
from shared.model.plan import Plan
from shared.model.run import Run, RunStatus
from tests.fakes import ProcessKilled
from tests.faults.simulated_deployment import CHUNK, EXPORT, NewDeployment, SimulatedDeployment


@pytest.fixture
def deployment(new_deployment: NewDeployment) -> SimulatedDeployment:
    return new_deployment()


def planned(deployment: SimulatedDeployment, people: int) -> Run:
    """Start a run, and call the function that plans it."""
    deployment.define(Sample(people, (Segment("A"),), seed=3))
    started = deployment.app.starter.start(EXPORT)
    deployment.store.messages.clear()
    deployment.app.planner.plan(started.id)
    return deployment.app.runs.read(started.id).value


@pytest.mark.parametrize("people", [0, 1, CHUNK])
def test_a_run_with_at_most_one_chunk_ends_without_a_further_message(
    deployment: SimulatedDeployment, people: int
) -> None:
    run = planned(deployment, people)
    assert run.is_over
    assert run.counts.created == people == len(deployment.audience.members())
    assert deployment.store.messages == []


def test_a_run_with_two_chunks_has_two_lanes(deployment: SimulatedDeployment) -> None:
    run = planned(deployment, CHUNK + 1)
    assert run.status is RunStatus.SENDING
    assert [message.queue for message in deployment.store.messages] == [SEND_LANES] * 2


def test_the_only_lane_waits_for_its_message_while_another_run_is_planned(
    deployment: SimulatedDeployment,
) -> None:
    deployment.define(Sample(3, (Segment("A"),), seed=3))
    app = deployment.app
    one = app.exports.read(EXPORT).value
    app.exports.create("other", replace(one, id="other", segments=(SegmentChoice("A", "Other"),)))
    run, other = app.starter.start(EXPORT), app.starter.start("other")
    deployment.store.messages.clear()
    build = app.planner.builder.build

    def build_after_the_other(current: Run) -> Plan:
        if current.id == run.id:
            planner.plan(other.id)
        return build(current)

    planner = replace(app.planner, builder=SimpleNamespace(build=build_after_the_other))
    planner.plan(run.id)

    assert app.runs.read(run.id).value.is_over
    assert app.runs.read(other.id).value.status is RunStatus.SENDING
    assert [message.queue for message in deployment.store.messages] == [SEND_LANES]
    assert deployment.run_to_end(other.id).status is RunStatus.SUCCESSFUL


@pytest.mark.parametrize("fault", [ProcessKilled(), Unavailable("noAnswer")])
def test_a_run_whose_only_lane_is_interrupted_continues(
    deployment: SimulatedDeployment, fault: BaseException
) -> None:
    deployment.define(Sample(3, (Segment("A"),), seed=3))
    interrupted: list[str] = []

    def interrupt(run_id: str, _lane: int) -> None:
        interrupted.append(run_id)
        raise fault

    app = deployment.app
    app.__dict__["planner"] = replace(app.planner, run_lane=interrupt)
    started = app.starter.start(EXPORT)
    run = deployment.run_to_end(started.id)

    assert run.status is RunStatus.SUCCESSFUL
    assert interrupted == [started.id]
    assert run.counts.created == 3 == len(deployment.audience.members())
