"""Deleted or damaged state: a ledger, a plan, the outcomes of a chunk."""

import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest

from shared.errors import Unavailable
from shared.finishing import finish_steps
from shared.model.run import RunStatus
from shared.runs.watchdog import MOST_RESUMES
from shared.sending import chunk_payload
from shared.workspace import workspace
from tests.fakes import ProcessKilled
from tests.faults.simulated_deployment import EXPORT, NewDeployment, RunResult
from tests.faults.test_killed_at_every_write import SAMPLE

Undisturbed = Callable[..., RunResult]


def test_without_its_ledger_an_export_compares_all_people_again_and_reports_it(
    new_deployment: NewDeployment,
) -> None:
    deployment = new_deployment()
    deployment.define(SAMPLE)
    before = deployment.result_of(deployment.run())
    pointer = deployment.app.ledgers.read(EXPORT)
    deployment.app.files.delete(pointer.value.blob)

    run = deployment.run()

    assert "ledgerMissing" in [finding.code for finding in run.findings]
    assert run.status is RunStatus.COMPLETED_WITH_WARNINGS
    after = deployment.result_of(run)
    assert after.audience == before.audience
    assert run.consent_proof.statuses_changed == 0
    assert run.counts.created == 0


def test_a_chunk_whose_outcomes_were_deleted_is_sent_again_by_the_next_run(
    new_deployment: NewDeployment, undisturbed: Undisturbed, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = undisturbed(SAMPLE)
    again = new_deployment()
    monkeypatch.setattr(chunk_payload, "_LONGEST_RESULTS", 0)  # all outcomes are in blobs
    again.define(SAMPLE)
    finish = again.app.finisher.finish

    def lose_one(run_id: str) -> None:
        lost = next(iter(again.app.files.names(f"runs/{run_id}/outcomes/")), None)
        if lost is not None:
            again.app.files.delete(lost)
        finish(run_id)

    lanes = again.app.lanes
    again.app.__dict__["lanes"] = replace(lanes, finish=lose_one)
    first = again.run()
    again.app.__dict__["lanes"] = lanes
    del again.app.__dict__["planner"]  # it runs lanes as well
    second = again.run()

    assert first.counts.not_sent > 0
    assert second.counts.not_sent == 0
    assert again.result_of(second).audience == expected.audience


def damage(data: bytes | None) -> bytes | None:
    return b"{]" + (data or b"")[: len(data or b"") // 3]


def delete(_: bytes | None) -> None:
    return None


@pytest.mark.parametrize("what", ["plan.json", "lines.jsonl", "changes.parquet", "rows.parquet"])
@pytest.mark.parametrize("how", [delete, damage])
def test_a_run_with_a_deleted_or_damaged_plan_ends_and_the_next_run_sends_the_rest(
    new_deployment: NewDeployment,
    undisturbed: Undisturbed,
    what: str,
    how: Callable[[bytes | None], bytes | None],
) -> None:
    expected = undisturbed(SAMPLE)
    deployment = new_deployment()
    deployment.define(SAMPLE)
    writing = itertools.count(1)
    sent: list[bool] = []

    def call(ask: Callable[[], Any]) -> Any:
        """Kill the process after its third chunk and delete a file before the next one starts."""
        answer = ask()
        plan_is_there = any(name.endswith("plan.json") for name in deployment.store.blobs)
        if not sent and plan_is_there and next(writing) == 3:
            sent.append(True)
            for name in [n for n in deployment.store.blobs if n.endswith(what)]:
                left = how(deployment.store.blobs.pop(name))
                if left is not None:
                    deployment.store.blobs[name] = left
            deployment.client.dead = True
            raise ProcessKilled
        return answer

    deployment.call = call
    run = deployment.run()

    assert run.status is RunStatus.FAILED
    assert run.reason is not None
    assert run.reason.code == "planGone"
    assert run.finished_at is not None
    assert deployment.audience.members()
    after = deployment.run()
    # Bad rows that the first run has reported do not warn once more.
    assert after.status in (expected.status, RunStatus.SUCCESSFUL)
    assert after.consent_proof.statuses_changed == 0
    assert deployment.result_of(after).audience == expected.audience
    assert deployment.result_of(after).ledger == expected.ledger


def test_a_run_stalled_for_an_hour_is_ended_and_the_next_run_corrects_it(
    new_deployment: NewDeployment, undisturbed: Undisturbed, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = undisturbed(SAMPLE)
    deployment = new_deployment()
    deployment.define(SAMPLE)

    @contextmanager
    def full_disk() -> Iterator[None]:
        raise Unavailable("diskFull")
        yield

    monkeypatch.setattr(finish_steps, "workspace", full_disk)
    began = deployment.clock.now()
    started = deployment.app.starter.start(EXPORT)

    run = deployment.run_to_end(started.id, most_looks=MOST_RESUMES + 2)

    assert run.status is RunStatus.FAILED
    assert run.reason is not None
    assert run.reason.code == "stalled"
    assert (deployment.clock.now() - began).total_seconds() > 3600
    assert run.progress.chunks_done == run.progress.chunks_total > 0
    assert run.calls.write > 0
    monkeypatch.setattr(finish_steps, "workspace", workspace)
    after = deployment.run()
    assert deployment.result_of(after).audience == expected.audience
    assert deployment.result_of(after).ledger == expected.ledger
