"""Cancel, at every moment of a run: what was sent is said truthfully, and the next run sends the rest."""

from collections.abc import Callable

import pytest

from sandbox.mailchimp.faults import Fault
from sandbox.samples import Sample, Segment
from shared.errors import Conflict, NotFound
from shared.model.run import Run, RunStatus
from tests.e2e.running_app import audience_as_is
from tests.faults.simulated_deployment import EXPORT, End, Mill

NewMill = Callable[[], Mill]

SAMPLE = Sample(36, (Segment("A", 0.7), Segment("B", 0.5)), seed=7)
LATER = SAMPLE.later(changed=0.4, arriving=20, leaving=9, moving=0.2)


def once_run(new_mill: NewMill) -> Mill:
    mill = new_mill()
    mill.define(SAMPLE, max_removal_share=1.0)
    mill.run()
    mill.define(LATER)
    return mill


def going(mill: Mill) -> Run:
    return mill.house.starter.start(EXPORT)


def canceled_at(mill: Mill, run: Run, call: int) -> tuple[Run, bool]:
    """The run's end, canceled while its n-th call to Mailchimp is on its way; and if that was refused."""
    calls, refused = [0], []

    def counted(do: Callable[[], object]) -> object:
        calls[0] += 1
        if calls[0] == call:
            try:
                mill.house.commands.cancel(run.id)
                mill.house.commands.cancel(run.id)  # asked twice in one moment
            except Conflict as no:
                assert no.code == "runFinishing"  # noqa: PT017
                refused.append(no)
        return do()

    mill.call = counted
    ended = mill.go_on(run.id)
    mill.call = None
    return ended, bool(refused)


def rows(mill: Mill, run: Run) -> list[tuple[str, str, str]]:
    """(address, outcome, code) of everyone."""
    return [(row.email, row.outcome, row.code) for row in mill.house.outcomes.rows(run.id)]


def _rows_if_any(mill: Mill, run: Run) -> list[tuple[str, str, str]]:
    try:
        return rows(mill, run)
    except NotFound:  # canceled before there was a plan
        return []


@pytest.fixture(scope="module", name="quiet")
def _quiet() -> list[tuple[End, int]]:
    return []


def undisturbed(quiet: list[tuple[End, int]], new_mill: NewMill) -> tuple[End, int]:
    if not quiet:
        mill = once_run(new_mill)
        calls = []

        def counted(do: Callable[[], object]) -> object:
            calls.append(1)
            return do()

        mill.call = counted
        run = mill.go_on(going(mill).id)
        quiet.append((mill.end_of(run), len(calls)))
    return quiet[0]


def test_canceled_at_any_call_a_run_says_what_was_sent_and_the_next_one_sends_the_rest(
    new_mill: NewMill, quiet: list[tuple[End, int]]
) -> None:
    expected, calls = undisturbed(quiet, new_mill)
    seen = set()
    for at in range(1, calls + 1):
        mill = once_run(new_mill)
        before = audience_as_is(mill.audience)
        run, refused = canceled_at(mill, going(mill), at)
        where = f"canceled at call {at} of {calls}"

        if refused:
            assert mill.end_of(run) == expected, where
            seen.add("finishing")
            continue
        assert run.status is RunStatus.CANCELED, where
        after = audience_as_is(mill.audience)
        told = _rows_if_any(mill, run)
        seen.add("sending" if told else "planning")
        created = {address for address, outcome, _ in told if outcome == "created"}
        assert created == after.keys() - before.keys(), where
        for address, outcome, code in told:
            if outcome in ("created", "updated"):
                assert after[address].fields == expected.audience[address].fields, where
            elif outcome == "removed":
                assert after[address].tags < before[address].tags, where
            elif outcome == "notSent":
                assert code == "canceled", where
                assert after.get(address) == before.get(address), where

        following = mill.run()
        assert following.status is RunStatus.SUCCESSFUL, where
        assert audience_as_is(mill.audience) == expected.audience, where
        assert mill._ledger() == expected.ledger, where
        assert following.counts.created + len(created) == expected.counts.created, where
    assert seen == {"planning", "sending", "finishing"}


def test_a_queued_run_is_over_at_once_and_its_message_finds_nothing_to_do(
    new_mill: NewMill,
) -> None:
    mill = once_run(new_mill)
    before = audience_as_is(mill.audience)
    run = going(mill)

    canceled = mill.house.commands.cancel(run.id)

    assert canceled.status is RunStatus.CANCELED
    assert "before anything was sent" in canceled.reason.message
    assert mill.go_on(run.id) == canceled
    assert audience_as_is(mill.audience) == before
    with pytest.raises(Conflict) as refused:
        mill.house.commands.cancel(run.id)
    assert refused.value.code == "runOver"
    assert mill.run().status is RunStatus.SUCCESSFUL


def test_a_run_that_waits_keeps_what_was_sent_and_the_next_one_asks_again(
    new_mill: NewMill,
) -> None:
    mill = new_mill()
    mill.define(SAMPLE, max_removal_share=0.1)
    mill.run()
    mill.define(LATER)
    waiting = mill.run()
    assert waiting.status is RunStatus.AWAITING_CONFIRMATION
    before = audience_as_is(mill.audience)

    canceled = mill.house.commands.cancel(waiting.id)

    assert canceled.status is RunStatus.CANCELED
    assert "the removals were not made" in canceled.reason.message
    assert canceled.counts == waiting.counts
    again = mill.run()
    assert again.status is RunStatus.AWAITING_CONFIRMATION
    assert again.counts.left == waiting.counts.left
    assert audience_as_is(mill.audience) == before


def test_leavers_who_could_not_be_untagged_are_said_with_the_reason(new_mill: NewMill) -> None:
    mill = new_mill()
    mill.define(SAMPLE, max_removal_share=1.0)
    mill.run()
    mill.define(SAMPLE.later(leaving=9))
    mill.box.arm(Fault("503-html", "POST", r"/segments/\d+$", times=None))

    ended = mill.run()
    mill.box.disarm()

    assert ended.status is RunStatus.FAILED
    assert ended.reason.code == "mailchimpUnavailable"
    left = [(outcome, code) for _, outcome, code in rows(mill, ended) if outcome != "unchanged"]
    assert left == [("notSent", "callFailed")] * ended.counts.left
    assert ended.counts.left > 0
    following = mill.run()
    assert following.status is RunStatus.SUCCESSFUL
    assert following.counts.removed == ended.counts.left
