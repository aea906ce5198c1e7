"""A long plan reports in its run how far it is; a short one writes nothing more."""

from __future__ import annotations

from typing import Any

import pytest

from sandbox.samples import Sample, Segment
from shared.errors import Unavailable
from shared.model.figures import Planning, PlanningStep
from shared.model.run import RunStatus
from shared.runs.transitions import Transitions
from tests.faults.simulated_deployment import NewDeployment, SampleSource, SimulatedDeployment

SAMPLE = Sample(12, (Segment("A", 1.0), Segment("B", 0.5)), seed=5)


@pytest.fixture
def reports(monkeypatch: pytest.MonkeyPatch) -> list[Planning]:
    found: list[Planning] = []
    mark = Transitions.mark_planning

    def noted(self: Transitions, run_id: str, planning: Planning) -> Any:
        run = mark(self, run_id, planning)
        assert run.planning == planning
        found.append(planning)
        return run

    monkeypatch.setattr(Transitions, "mark_planning", noted)
    return found


def take_seconds_per_segment(deployment: SimulatedDeployment, monkeypatch: Any) -> None:
    load = SampleSource.load

    def slow(self: SampleSource, *given: Any, **more: Any) -> Any:
        deployment.clock.forward(2)
        return load(self, *given, **more)

    monkeypatch.setattr(SampleSource, "load", slow)


def test_a_plan_that_takes_seconds_reports_the_segments_and_rows_it_has_read(
    new_deployment: NewDeployment, reports: list[Planning], monkeypatch: pytest.MonkeyPatch
) -> None:
    deployment = new_deployment()
    deployment.define(SAMPLE)
    take_seconds_per_segment(deployment, monkeypatch)
    run = deployment.run()
    assert run.status is not RunStatus.FAILED
    assert [(r.step, r.segments_read, r.segments) for r in reports] == [
        (PlanningStep.READING, 1, 2),
        (PlanningStep.READING, 2, 2),
    ]
    assert 0 < reports[0].rows < reports[1].rows <= run.counts.source_rows


def test_a_report_that_fails_does_not_fail_the_plan(
    new_deployment: NewDeployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    deployment = new_deployment()
    deployment.define(SAMPLE)
    take_seconds_per_segment(deployment, monkeypatch)

    def refuse(self: Transitions, run_id: str, planning: Planning) -> Any:
        raise Unavailable("storageUnavailable", resource="runs", answer="503")

    monkeypatch.setattr(Transitions, "mark_planning", refuse)
    assert deployment.run().status is not RunStatus.FAILED


def test_a_short_plan_makes_no_report(
    new_deployment: NewDeployment, reports: list[Planning]
) -> None:
    deployment = new_deployment()
    deployment.define(SAMPLE)
    deployment.run()
    assert reports == []
