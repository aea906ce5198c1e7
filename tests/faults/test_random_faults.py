"""Random faults of all kinds do not change the audience and the ledger."""

import os
import random
from collections.abc import Iterator

import pytest

from sandbox.mailchimp.faults import TEMPORARY, Fault
from sandbox.mailchimp.sandbox import Sandbox
from shared.model.run import Run, RunStatus
from tests.fakes import Clock
from tests.faults.fault_injection import FaultRates, FaultyDeployment
from tests.faults.simulated_deployment import NewDeployment, RunResult
from tests.faults.test_killed_at_every_write import LATER, SAMPLE

SEEDS = int(os.environ.get("FAULT_SEEDS") or (8 if os.environ.get("LONG_TESTS") else 3))
_ENDED_WELL = (RunStatus.SUCCESSFUL, RunStatus.COMPLETED_WITH_WARNINGS)


@pytest.fixture(autouse=True)
def _consent_is_kept(mailchimp: Sandbox) -> Iterator[None]:
    options = mailchimp.world.options
    mailchimp.calls.clear()
    yield
    mailchimp.disarm()
    mailchimp.world.options = options
    assert mailchimp.calls.statuses_contradicted == 0
    assert not mailchimp.calls.statuses_changed
    assert mailchimp.calls.sync_tags == 0


@pytest.fixture(scope="module", name="quiet")
def _quiet() -> list[RunResult]:
    return []


def undisturbed(quiet: list[RunResult], new_deployment: NewDeployment) -> list[RunResult]:
    """Return the results of two runs without faults, computed once."""
    if not quiet:
        deployment = new_deployment()
        deployment.audience.add("gone@example.com", status="unsubscribed", cause="self")
        for sample in (SAMPLE, LATER):
            deployment.define(sample)
            quiet.append(deployment.result_of(deployment.run()))
    return quiet


def is_settled(deployment: FaultyDeployment, run: Run) -> bool:
    """Whether nothing is left for a next run: no unsent people and no failed single calls."""
    counts = run.counts
    if run.status not in _ENDED_WELL or counts.not_sent or counts.removed < counts.left:
        return False
    return not any(row[4] == "callFailed" for row in deployment.result_of(run).outcomes)


def until_settled(deployment: FaultyDeployment) -> list[Run]:
    """Run until nothing is left. A long outage may fail a run, which must have a reason."""
    runs = []
    for _ in range(15):
        runs.append(deployment.run())
        if is_settled(deployment, runs[-1]):
            return runs
        assert runs[-1].reason is None or runs[-1].reason.message
    message = f"no run ends well: {runs[-1]}"
    raise AssertionError(message)


def begun(
    mailchimp: Sandbox, clock: Clock, monkeypatch: pytest.MonkeyPatch, seed: int
) -> FaultyDeployment:
    dice = random.Random(seed)
    deployment = FaultyDeployment(mailchimp, monkeypatch, clock)
    deployment.audience.add("gone@example.com", status="unsubscribed", cause="self")
    deployment.start_faults(dice, FaultRates.choose(dice))
    return deployment


@pytest.mark.parametrize("seed", range(SEEDS))
def test_random_faults_do_not_change_the_audience_the_outcomes_and_the_ledger(
    mailchimp: Sandbox,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
    new_deployment: NewDeployment,
    quiet: list[RunResult],
    seed: int,
) -> None:
    expected = undisturbed(quiet, new_deployment)
    deployment = begun(mailchimp, clock, monkeypatch, seed)

    for sample, calm in zip((SAMPLE, LATER), expected, strict=True):
        deployment.define(sample)
        runs = until_settled(deployment)
        end = deployment.result_of(runs[-1])
        assert end.audience == calm.audience, deployment.rates
        assert end.ledger == calm.ledger, deployment.rates
        if len(runs) == 1 and deployment.rates.clocks_agree:
            assert end == calm, deployment.rates
    deployment.stop_faults()
    assert deployment.run().calls.write == 0


@pytest.mark.parametrize("seed", range(SEEDS // 2))
def test_random_faults_with_a_faulty_mailchimp_do_not_change_the_audience_and_the_ledger(
    mailchimp: Sandbox,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
    new_deployment: NewDeployment,
    quiet: list[RunResult],
    seed: int,
) -> None:
    expected = undisturbed(quiet, new_deployment)
    deployment = begun(mailchimp, clock, monkeypatch, seed)
    for number, kind in enumerate(kind for kind in TEMPORARY if kind != "hang"):
        mailchimp.arm(Fault(kind, times=None, probability=0.02, seed=100 * seed + number))

    for sample, calm in zip((SAMPLE, LATER), expected, strict=True):
        deployment.define(sample)
        end = deployment.result_of(until_settled(deployment)[-1])
        assert end.audience == calm.audience, deployment.rates
        assert end.ledger == calm.ledger, deployment.rates
    mailchimp.disarm()
    deployment.stop_faults()
    assert deployment.run().calls.write == 0
