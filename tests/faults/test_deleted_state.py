"""Somebody deletes or damages what the app keeps: a ledger, a plan, the outcomes of a chunk."""

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from shared.errors import Unavailable
from shared.model.run import RunStatus
from shared.runs.watchdog import MOST_RESUMES
from tests.fakes import Killed
from tests.faults.simulated_deployment import EXPORT, Mill
from tests.faults.test_killed_at_every_write import SAMPLE

NewMill = Callable[[], Mill]


def test_without_its_ledger_an_export_compares_everybody_anew_and_says_so(
    new_mill: NewMill,
) -> None:
    mill = new_mill()
    mill.define(SAMPLE)
    before = mill.end_of(mill.run())
    pointer = mill.house.ledgers.read(EXPORT)
    mill.house.files.delete(pointer.value.blob)

    run = mill.run()

    assert "ledgerMissing" in [finding.code for finding in run.findings]
    assert run.status is RunStatus.COMPLETED_WITH_WARNINGS
    after = mill.end_of(run)
    assert after.audience == before.audience
    assert run.consent_proof.statuses_changed == 0
    assert run.counts.created == 0


def test_a_chunk_whose_outcomes_were_deleted_is_sent_again_by_the_next_run(
    new_mill: NewMill,
) -> None:
    mill = new_mill()
    mill.define(SAMPLE)
    calm = mill.end_of(mill.run())

    again = new_mill()
    again.define(SAMPLE)
    finish = again.house.finisher.finish

    def lose_one(run_id: str) -> None:
        lost = next(iter(again.house.files.names(f"runs/{run_id}/outcomes/")), None)
        if lost is not None:
            again.house.files.delete(lost)
        finish(run_id)

    again.house.lanes._finish = lose_one
    first = again.run()
    again.house.lanes._finish = finish
    second = again.run()

    assert first.counts.not_sent > 0
    assert second.counts.not_sent == 0
    assert again.end_of(second).audience == calm.audience


def damage(data: bytes | None) -> bytes | None:
    return b"{]" + (data or b"")[: len(data or b"") // 3]


def delete(_: bytes | None) -> None:
    return None


@pytest.mark.parametrize("what", ["plan.json", "lines.jsonl", "changes.parquet", "rows.parquet"])
@pytest.mark.parametrize("how", [delete, damage])
def test_a_run_whose_plan_is_deleted_or_damaged_ends_and_the_next_one_sends_the_rest(
    new_mill: NewMill, what: str, how: Callable[[bytes | None], bytes | None]
) -> None:
    calm = new_mill()
    calm.define(SAMPLE)
    expected = calm.end_of(calm.run())
    mill = new_mill()
    mill.define(SAMPLE)
    writing = itertools.count(1)
    sent: list[bool] = []

    def call(ask: Callable[[], Any]) -> Any:
        """The process dies after its third chunk, and the next one finds a file gone."""
        answer = ask()
        plan_is_there = any(name.endswith("plan.json") for name in mill.store.blobs)
        if not sent and plan_is_there and next(writing) == 3:
            sent.append(True)
            for name in [n for n in mill.store.blobs if n.endswith(what)]:
                left = how(mill.store.blobs.pop(name))
                if left is not None:
                    mill.store.blobs[name] = left
            mill.wire.dead = True
            raise Killed
        return answer

    mill.call = call
    run = mill.run()

    assert run.status is RunStatus.FAILED
    assert run.reason is not None
    assert run.reason.code == "planGone"
    assert run.finished_at is not None
    assert mill.audience.members()
    after = mill.run()
    assert after.status is expected.status
    assert after.consent_proof.statuses_changed == 0
    assert mill.end_of(after).audience == expected.audience
    assert mill.end_of(after).ledger == expected.ledger


def test_a_run_that_does_not_move_for_an_hour_is_ended_and_the_next_one_heals(
    new_mill: NewMill,
) -> None:
    calm = new_mill()
    calm.define(SAMPLE)
    expected = calm.end_of(calm.run())
    mill = new_mill()
    mill.define(SAMPLE)
    download = mill.house.files.download

    def never(name: str, path: Path) -> None:
        if name.endswith("changes.parquet"):
            raise Unavailable("storageNoAnswer", resource="state", error="Lost")
        download(name, path)

    mill.house.files.download = never
    began = mill.clock.now()
    started = mill.house.starter.start(EXPORT)

    run = mill.go_on(started.id, most_looks=MOST_RESUMES + 2)

    assert run.status is RunStatus.FAILED
    assert run.reason is not None
    assert run.reason.code == "stalled"
    assert (mill.clock.now() - began).total_seconds() > 3600
    assert run.progress.chunks_done == run.progress.chunks_total > 0
    assert run.calls.write > 0
    mill.house.files.download = download
    after = mill.run()
    assert mill.end_of(after).audience == expected.audience
    assert mill.end_of(after).ledger == expected.ledger
