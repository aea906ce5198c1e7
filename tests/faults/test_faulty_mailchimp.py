"""All kinds of faults of Mailchimp at once leave the audience correct."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from sandbox.mailchimp.faults import TEMPORARY, Fault
from sandbox.mailchimp.sandbox import Sandbox
from shared.model.run import RunStatus
from tests.faults.simulated_deployment import NewDeployment, RunResult
from tests.faults.test_killed_at_every_write import LATER, SAMPLE, SEEDS

Undisturbed = Callable[..., RunResult]
# In real time. A loaded machine must answer other calls in half of it.
HANG_SECONDS = 3.0


@pytest.fixture(autouse=True)
def _calm_afterwards(mailchimp: Sandbox):
    options = mailchimp.world.options
    mailchimp.calls.clear()
    yield
    mailchimp.disarm()
    mailchimp.world.options = options
    assert mailchimp.calls.statuses_contradicted == 0
    assert not mailchimp.calls.statuses_changed
    assert mailchimp.calls.sync_tags == 0
    assert mailchimp.calls.peak_in_flight <= 10


@pytest.mark.parametrize("seed", range(SEEDS // 2))
def test_all_kinds_of_faults_together_leave_the_audience_correct(
    new_deployment: NewDeployment, undisturbed: Undisturbed, mailchimp: Sandbox, seed: int
) -> None:
    expected = undisturbed(SAMPLE, LATER)
    deployment = new_deployment()
    deployment.read_timeout = HANG_SECONDS / 2
    deployment.start_process()
    faults = [
        Fault(kind, times=None, probability=0.03, seed=100 * seed + number, seconds=HANG_SECONDS)
        for number, kind in enumerate(TEMPORARY)
    ]
    for fault in faults:
        mailchimp.arm(fault)
    runs = []
    for sample in (SAMPLE, LATER):
        deployment.define(sample)
        for _ in range(4):
            runs.append(deployment.run())
            # A call that broke for one person alone costs this person this run; the next one heals.
            if not runs[-1].counts.not_sent and runs[-1].status in (
                RunStatus.SUCCESSFUL, RunStatus.COMPLETED_WITH_WARNINGS,
            ):  # fmt: skip
                rejected = deployment.result_of(runs[-1]).outcomes
                untagged = runs[-1].counts.removed == runs[-1].counts.left
                if untagged and not any(row[4] == "callFailed" for row in rejected):
                    break

    assert deployment.result_of(runs[-1]).audience == expected.audience
    assert deployment.result_of(runs[-1]).ledger == expected.ledger
    assert sum(fault.affected for fault in faults) > 5


@pytest.mark.parametrize("kind", TEMPORARY)
def test_no_single_fault_loses_a_person(
    new_deployment: NewDeployment, undisturbed: Undisturbed, mailchimp: Sandbox, kind: str
) -> None:
    expected = undisturbed(SAMPLE)
    deployment = new_deployment()
    if kind == "hang":
        deployment.read_timeout = HANG_SECONDS / 2
        deployment.start_process()
    deployment.define(SAMPLE)
    # The first try of three chunks, and some reading.
    writing = [
        Fault(kind, "POST", r"^/lists/\w+$", skip=2 * n, seconds=HANG_SECONDS) for n in range(3)
    ]
    reading = Fault(kind, "GET", times=3, skip=2, seconds=HANG_SECONDS)
    for fault in (*writing, reading):
        mailchimp.arm(fault)

    assert deployment.result_of(deployment.run()) == expected
    assert [fault.affected for fault in writing] == [1, 1, 1]
    assert reading.affected


def test_a_poison_row_affects_one_row(
    new_deployment: NewDeployment, undisturbed: Undisturbed, mailchimp: Sandbox
) -> None:
    expected = undisturbed(SAMPLE)
    poison = sorted(expected.audience)[4]
    mailchimp.set(poison_addresses=[poison])
    deployment = new_deployment()
    deployment.define(SAMPLE)

    run = deployment.run()

    end = deployment.result_of(run)
    assert end.audience == {a: h for a, h in expected.audience.items() if a != poison}
    assert [row[1:5] for row in end.outcomes if row[4] == "callFailed"] == [
        (poison, *row[2:4], "callFailed")
        for row in end.outcomes
        if row[1] == poison and row[4] == "callFailed"
    ]
    assert run.counts.created == len(expected.audience) - 1
    assert run.counts.rejected == expected.counts.rejected + 1
    mailchimp.set(poison_addresses=[])
    deployment.run()
    assert deployment.result_of(run).audience == expected.audience


def test_a_run_whose_calls_get_no_usable_answer_says_so_and_the_next_run_sends_everything(
    new_deployment: NewDeployment, undisturbed: Undisturbed, mailchimp: Sandbox
) -> None:
    expected = undisturbed(SAMPLE)
    deployment = new_deployment()
    deployment.define(SAMPLE)
    mailchimp.arm(Fault("200-html", "POST", r"^/lists/\w+$", times=None))

    run = deployment.run()

    assert run.status is RunStatus.FAILED
    assert run.reason is not None
    assert run.reason.code == "mailchimpUnavailable"
    mailchimp.disarm()
    assert deployment.result_of(deployment.run()).audience == expected.audience


def test_a_long_outage_ends_the_run_and_the_next_run_sends_everything(
    new_deployment: NewDeployment, undisturbed: Undisturbed, mailchimp: Sandbox
) -> None:
    expected = undisturbed(SAMPLE)
    deployment = new_deployment()
    deployment.define(SAMPLE)
    mailchimp.arm(Fault("503-html", "POST", r"^/lists/\w+$", times=None))

    run = deployment.run()

    assert run.status is RunStatus.FAILED
    assert run.reason is not None
    assert run.reason.code == "mailchimpUnavailable"
    assert run.counts.not_sent == run.counts.distinct
    assert not deployment.audience.members()
    mailchimp.disarm()
    after = deployment.run()
    # The rejected rows were reported by the run that failed, so they do not warn again.
    assert after.status is RunStatus.SUCCESSFUL
    assert deployment.result_of(after) == replace(expected, status=RunStatus.SUCCESSFUL)
