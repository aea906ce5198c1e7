"""A run waits for files that a `model.json` lists and that do not exist, while they may still be written."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import cast

import pytest

from sandbox.samples import Sample, Segment
from shared.errors import Changed
from shared.model.run import Mode, Run, RunStatus
from shared.segments.blob_segments import BlobSegments
from shared.segments.container import BlobEntry, LandingContainer
from tests.faults.simulated_deployment import EXPORT, NewDeployment, SimulatedDeployment
from tests.segments.segment_files import MemoryContainer, csv_bytes, entity, model_json

COLUMNS = ("CustomerId", "EMail", "FirstName", "LastName", "RewardPoints")
MODEL = model_json(entity("Gold", COLUMNS, ["Gold_1.csv", "Gold_2.csv"]))


class TimedContainer(MemoryContainer):
    """A landing container whose blobs were written at one time, except those in `rewritten`."""

    written: datetime

    def __init__(self, files: dict[str, bytes]) -> None:
        super().__init__(files)
        self.rewritten: dict[str, datetime] = {}

    def entries(self, prefix: str = "") -> Iterator[BlobEntry]:
        for each in super().entries(prefix):
            yield replace(each, modified_at=self.rewritten.get(each.name, self.written))

    def pieces(self, name: str, etag: str, length: int | None = None) -> Iterator[bytes]:
        if name not in self.files:
            raise Changed("segmentFileMissing", file=name)
        return super().pieces(name, etag, length)


def people(first: int) -> bytes:
    rows = [[str(n), f"p{n}@example.com", "Ann", "Lee", "7"] for n in range(first, first + 3)]
    return csv_bytes([COLUMNS, *rows])


@pytest.fixture
def landing() -> TimedContainer:
    """A model that lists two files, of which one exists."""
    return TimedContainer({"in/model.json": MODEL, "in/Gold_1.csv": people(1)})


@pytest.fixture
def deployment(new_deployment: NewDeployment, landing: TimedContainer) -> SimulatedDeployment:
    deployment = new_deployment()
    landing.written = deployment.clock.now()
    deployment.source = BlobSegments(  # type: ignore[assignment]
        cast("LandingContainer", landing), now=deployment.clock.now
    )
    deployment.start_process()
    deployment.define(Sample(1, (Segment("Gold", 1.0),)))
    return deployment


def run_with_a_late_file(
    deployment: SimulatedDeployment, landing: TimedContainer, mode: Mode = Mode.EXPORT
) -> tuple[Run, Run]:
    """Start a run, and write the missing file later; returns the run before that and at its end."""
    started = deployment.app.starter.start(EXPORT, mode=mode)
    for _ in range(5):
        deployment._deliver()
    waiting = deployment.app.commands.read(started.id)
    landing.files["in/Gold_2.csv"] = people(4)
    return waiting, deployment.run_to_end(started.id)


@pytest.mark.parametrize("mode", [Mode.EXPORT, Mode.PREVIEW])
def test_a_run_waits_for_files_of_a_new_model_and_names_them(
    deployment: SimulatedDeployment, landing: TimedContainer, mode: Mode
) -> None:
    waiting, ended = run_with_a_late_file(deployment, landing, mode)

    assert (waiting.status, waiting.reason.code) == (RunStatus.PLANNING, "refreshIncomplete")
    assert waiting.reason.values["files"] == "in/Gold_2.csv"
    assert ended.status is RunStatus.SUCCESSFUL
    assert ended.counts.distinct == 6


@pytest.mark.parametrize("mode", [Mode.EXPORT, Mode.PREVIEW])
@pytest.mark.parametrize(("age", "waits"), [(0, 60), (50, 10), (61, 0), (60 * 24 * 30, 0)])
def test_files_are_expected_for_an_hour_after_the_model_was_written(
    deployment: SimulatedDeployment, landing: TimedContainer, mode: Mode, age: int, waits: int
) -> None:
    began = deployment.clock.now()
    landing.written = began - timedelta(minutes=age)

    run = deployment.run(mode)

    waited = (deployment.clock.now() - began).total_seconds() / 60
    assert (run.status, run.reason.code) == (RunStatus.FAILED, "filesMissing")
    assert run.reason.values == {
        "segment": "Gold",
        "missing": "1",
        "listed": "2",
        "files": "in/Gold_2.csv",
        "where": "in/model.json",
    }
    assert waits <= waited < waits + 3
    assert deployment.audience.members() == {}


def test_files_of_an_old_model_are_expected_while_others_are_replaced_in_place(
    deployment: SimulatedDeployment, landing: TimedContainer
) -> None:
    landing.written = deployment.clock.now() - timedelta(days=30)
    landing.rewritten["in/Gold_1.csv"] = deployment.clock.now()

    waiting, ended = run_with_a_late_file(deployment, landing)

    assert (waiting.status, waiting.reason.code) == (RunStatus.PLANNING, "refreshIncomplete")
    assert (ended.status, ended.counts.distinct) == (RunStatus.SUCCESSFUL, 6)
