"""A run canceled at any moment reports what was sent, and the next run sends the rest."""

import os
from collections.abc import Callable

import pytest

from sandbox.mailchimp.faults import Fault
from sandbox.samples import Sample, Segment
from shared.errors import Conflict, NotFound
from shared.model.chunk import ChunkState
from shared.model.run import Run, RunStatus
from tests.e2e.running_app import actual_audience
from tests.faults.simulated_deployment import (
    EXPORT,
    NewDeployment,
    RunResult,
    SavedDeployment,
    SimulatedDeployment,
)
from tests.runs.canceled_runs import canceled_when, chunk_states

# `make faults` cancels at every call, `make test` at some of them and at the last one.
STEP = 1 if os.environ.get("LONG_TESTS") else 8

SAMPLE = Sample(36, (Segment("A", 0.7), Segment("B", 0.5)), seed=7)
LATER = SAMPLE.later(changed=0.4, arriving=20, leaving=9, moving=0.2)


@pytest.fixture(scope="module", name="saved")
def _saved() -> list[SavedDeployment]:
    return []


@pytest.fixture
def once_run(new_deployment: NewDeployment, saved: list[SavedDeployment]) -> NewDeployment:
    """A simulated deployment after a run, before one with changes, leavers and new people."""

    def deployment_after() -> SimulatedDeployment:
        deployment = new_deployment()
        if not saved:
            deployment.define(SAMPLE, max_removal_share=1.0)
            deployment.run()
            saved.append(deployment.saved())
        deployment.restore(saved[0])
        deployment.define(LATER)
        return deployment

    return deployment_after


def going(deployment: SimulatedDeployment) -> Run:
    return deployment.app.starter.start(EXPORT)


def canceled_at(deployment: SimulatedDeployment, run: Run, call: int) -> tuple[Run, bool]:
    """Cancel a run during its n-th call to Mailchimp. Returns the ended run, and whether the cancel was refused."""
    calls, refused = [0], []

    def counted(do: Callable[[], object]) -> object:
        calls[0] += 1
        if calls[0] == call:
            try:
                deployment.app.commands.cancel(run.id)
                deployment.app.commands.cancel(run.id)  # asked twice in one moment
            except Conflict as no:
                assert no.code == "runFinishing"  # noqa: PT017
                refused.append(no)
        return do()

    deployment.call = counted
    ended = deployment.run_to_end(run.id)
    deployment.call = None
    return ended, bool(refused)


def canceled_at_last_chunk(deployment: SimulatedDeployment) -> Run:
    """Cancel a run while its last chunk is sent. Returns the ended run."""
    run = going(deployment)

    def is_last_chunk() -> bool:
        states = chunk_states(deployment, run)
        return ChunkState.CLAIMED in states and ChunkState.PENDING not in states

    return canceled_when(deployment, run, is_last_chunk)


def rows(deployment: SimulatedDeployment, run: Run) -> list[tuple[str, str, str]]:
    """(address, outcome, code) of everyone."""
    return [(row.email, row.outcome, row.code) for row in deployment.app.outcomes.rows(run.id)]


def _rows_if_any(deployment: SimulatedDeployment, run: Run) -> list[tuple[str, str, str]]:
    try:
        return rows(deployment, run)
    except NotFound:  # canceled before there was a plan
        return []


def _reason_by(outcomes: list[tuple[str, str, str]]) -> str:
    """The code that describes a canceled run with these outcomes."""
    kinds = {outcome for _, outcome, _ in outcomes}
    if not kinds & {"created", "updated", "removed"}:
        return "canceledBeforeSending"
    return "canceled" if "notSent" in kinds else "canceledAfterSending"


@pytest.fixture(scope="module", name="quiet")
def _quiet() -> list[tuple[RunResult, int]]:
    return []


def undisturbed(
    quiet: list[tuple[RunResult, int]], once_run: NewDeployment
) -> tuple[RunResult, int]:
    if not quiet:
        deployment = once_run()
        calls = []

        def counted(do: Callable[[], object]) -> object:
            calls.append(1)
            return do()

        deployment.call = counted
        run = deployment.run_to_end(going(deployment).id)
        quiet.append((deployment.result_of(run), len(calls)))
    return quiet[0]


def test_a_run_canceled_at_any_call_reports_what_was_sent_and_the_next_run_sends_the_rest(
    once_run: NewDeployment, quiet: list[tuple[RunResult, int]]
) -> None:
    expected, calls = undisturbed(quiet, once_run)
    seen, reasons = set(), set()
    for at in {*range(1, calls, STEP), calls}:
        deployment = once_run()
        before = actual_audience(deployment.audience)
        run, refused = canceled_at(deployment, going(deployment), at)
        where = f"canceled at call {at} of {calls}"

        if refused:
            assert deployment.result_of(run) == expected, where
            seen.add("finishing")
            continue
        assert run.status is RunStatus.CANCELED, where
        after = actual_audience(deployment.audience)
        outcomes = _rows_if_any(deployment, run)
        assert run.reason.code == _reason_by(outcomes), where
        reasons.add(run.reason.code)
        seen.add("sending" if outcomes else "planning")
        created = {address for address, outcome, _ in outcomes if outcome == "created"}
        assert created == after.keys() - before.keys(), where
        for address, outcome, code in outcomes:
            if outcome in ("created", "updated"):
                assert after[address].fields == expected.audience[address].fields, where
            elif outcome == "removed":
                assert after[address].tags < before[address].tags, where
            elif outcome == "notSent":
                assert code == "canceled", where
                assert after.get(address) == before.get(address), where

        following = deployment.run()
        assert following.status is RunStatus.SUCCESSFUL, where
        assert actual_audience(deployment.audience) == expected.audience, where
        assert deployment._ledger() == expected.ledger, where
        assert following.counts.created + len(created) == expected.counts.created, where
    assert seen == {"planning", "sending", "finishing"}
    assert {"canceledBeforeSending", "canceled"} <= reasons


def test_canceling_a_queued_run_ends_it_at_once(once_run: NewDeployment) -> None:
    deployment = once_run()
    before = actual_audience(deployment.audience)
    run = going(deployment)

    canceled = deployment.app.commands.cancel(run.id)

    assert canceled.status is RunStatus.CANCELED
    assert "before anything was sent" in canceled.reason.message
    assert deployment.run_to_end(run.id) == canceled
    assert actual_audience(deployment.audience) == before
    with pytest.raises(Conflict) as refused:
        deployment.app.commands.cancel(run.id)
    assert refused.value.code == "runOver"
    assert deployment.run().status is RunStatus.SUCCESSFUL


def test_a_run_awaiting_confirmation_keeps_what_was_sent_and_the_next_run_asks_again(
    new_deployment: NewDeployment,
) -> None:
    deployment = new_deployment()
    deployment.define(SAMPLE, max_removal_share=0.1)
    deployment.run()
    deployment.define(LATER)
    waiting = deployment.run()
    assert waiting.status is RunStatus.AWAITING_CONFIRMATION
    before = actual_audience(deployment.audience)

    canceled = deployment.app.commands.cancel(waiting.id)

    assert canceled.status is RunStatus.CANCELED
    assert "the removals were not made" in canceled.reason.message
    assert canceled.counts == waiting.counts
    again = deployment.run()
    assert again.status is RunStatus.AWAITING_CONFIRMATION
    assert again.counts.left == waiting.counts.left
    assert actual_audience(deployment.audience) == before


def test_a_run_canceled_when_only_unconfirmed_removals_are_left_says_that_they_were_not_made(
    new_deployment: NewDeployment,
) -> None:
    deployment = new_deployment()
    deployment.define(SAMPLE, max_removal_share=0.1)
    deployment.run()
    deployment.define(LATER)

    ended = canceled_at_last_chunk(deployment)

    assert (ended.status, ended.reason.code) == (RunStatus.CANCELED, "canceledRemovals")


def test_a_run_canceled_after_it_had_sent_everything_has_nothing_to_retry(
    new_deployment: NewDeployment,
) -> None:
    deployment = new_deployment()
    deployment.define(SAMPLE)

    ended = canceled_at_last_chunk(deployment)

    assert (ended.counts.created, ended.counts.not_sent) == (ended.counts.distinct, 0)
    assert "after it had sent everything" in ended.reason.message
    with pytest.raises(Conflict) as refused:
        deployment.app.commands.retry(ended.id, "Ada")
    assert refused.value.code == "retryNothing"


def test_failed_tag_removals_are_reported_with_the_reason(new_deployment: NewDeployment) -> None:
    deployment = new_deployment()
    deployment.define(SAMPLE, max_removal_share=1.0)
    deployment.run()
    deployment.define(SAMPLE.later(leaving=9))
    deployment.sandbox.arm(Fault("503-html", "POST", r"/segments/\d+$", times=None))

    ended = deployment.run()
    deployment.sandbox.disarm()

    assert ended.status is RunStatus.FAILED
    assert ended.reason.code == "mailchimpUnavailable"
    left = [
        (outcome, code) for _, outcome, code in rows(deployment, ended) if outcome != "unchanged"
    ]
    assert left == [("notSent", "callFailed")] * ended.counts.left
    assert ended.counts.left > 0
    following = deployment.run()
    assert following.status is RunStatus.SUCCESSFUL
    assert following.counts.removed == ended.counts.left
