"""The progress that pages and the API show while a run is sent."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from sandbox.samples import Sample, Segment
from shared.capacity.pace import UsableSlots
from shared.model.chunk import Chunk, ChunkKind, ChunkState, chunk_key
from shared.model.names import plan_blob
from shared.model.plan import PLAN_FORM
from shared.model.run import Mode, Run, RunStatus, Trigger
from shared.runs.progress import CurrentProgress
from tests.fakes import MemoryRecords, MemoryStore, StoreClient
from tests.faults.simulated_deployment import EXPORT, NewDeployment

NOW = datetime(2026, 11, 1, tzinfo=UTC)
RUN = Run("r", "e", Trigger.ON_DEMAND, Mode.EXPORT, RunStatus.SENDING, sending_at=NOW)


class Sending:
    """A run whose chunks are sent one by one."""

    def __init__(self, chunks: int) -> None:
        self.seconds = 0.0
        self.records: MemoryRecords[Chunk] = MemoryRecords(StoreClient(MemoryStore()), "chunks")
        for number in range(chunks):
            self.records.create(
                chunk_key("r", number), Chunk(number, ChunkKind.ADD, 0, 0, 1, people=1)
            )
        self.progress = CurrentProgress(
            self.records, lambda: NOW, lambda: self.seconds, lambda _: UsableSlots(10)
        )

    def send(self, number: int) -> None:
        stored = self.records.read(chunk_key("r", number))
        assert stored is not None
        done = replace(stored.value, state=ChunkState.DONE, done_at=NOW)
        self.records.replace(stored.key, done, stored.etag)

    def done(self, run: Run = RUN) -> int:
        return self.progress.of(run).progress.chunks_done


def test_the_progress_of_a_small_run_is_always_new() -> None:
    sending = Sending(10)
    assert sending.done() == 0
    sending.send(0)
    assert sending.done() == 1


@pytest.mark.parametrize(("chunks", "seconds"), [(400, 1.0), (2_000, 5.0), (8_000, 10.0)])
def test_the_progress_of_a_large_run_is_read_again_after_some_seconds(
    chunks: int, seconds: float
) -> None:
    sending = Sending(chunks)
    assert sending.done() == 0
    sending.send(0)
    sending.seconds = seconds - 0.1
    assert sending.done() == 0
    sending.seconds = seconds
    assert sending.done() == 1


def test_the_progress_of_a_large_run_is_read_again_when_its_state_changes() -> None:
    sending = Sending(400)
    assert sending.done() == 0
    sending.send(0)
    assert sending.done(replace(RUN, status=RunStatus.FINISHING)) == 1


def test_a_run_whose_plan_is_of_a_newer_version_is_shown(
    new_deployment: NewDeployment,
) -> None:
    deployment = new_deployment()
    deployment.define(Sample(3, (Segment("A"),), seed=3))
    started = deployment.app.starter.start(EXPORT)
    deployment.plan(started.id)
    blobs, name = deployment.store.blobs, plan_blob(started.id)
    blobs[name] = json.dumps({**json.loads(blobs[name]), "form": PLAN_FORM + 1}).encode()
    deployment.start_process()

    shown = deployment.app.history.last_runs([EXPORT])[EXPORT]

    assert (shown.id, shown.status) == (started.id, RunStatus.SENDING)
