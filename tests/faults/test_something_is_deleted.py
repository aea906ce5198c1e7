"""Somebody deletes what the app keeps: a ledger, or the outcomes of a chunk."""

from collections.abc import Callable

from shared.exports.run import RunStatus
from tests.faults.mill import EXPORT, Mill
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
