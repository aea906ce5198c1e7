"""Everything at once, from one seed: the audience and the ledger end as if nothing had happened."""

import os
import random
from collections.abc import Callable, Iterator

import pytest

from sandbox.mailchimp.box import Sandbox
from sandbox.mailchimp.faults import KINDS, Fault
from shared.model.run import Run, RunStatus
from tests.fakes import Clock
from tests.faults.fault_injection import Odds, RoughMill
from tests.faults.simulated_deployment import End, Mill
from tests.faults.test_killed_at_every_write import LATER, SAMPLE

SEEDS = int(os.environ.get("FAULT_SEEDS") or 8)
NewMill = Callable[[], Mill]
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
def _quiet() -> list[End]:
    return []


def undisturbed(quiet: list[End], new_mill: NewMill) -> list[End]:
    """How two runs end when nothing goes wrong; worked out once."""
    if not quiet:
        mill = new_mill()
        mill.audience.add("gone@example.com", status="unsubscribed", cause="self")
        for sample in (SAMPLE, LATER):
            mill.define(sample)
            quiet.append(mill.end_of(mill.run()))
    return quiet


def is_settled(mill: RoughMill, run: Run) -> bool:
    """Whether nothing is left for a next run: nobody unsent, and no call failed for one alone."""
    counts = run.counts
    if run.status not in _ENDED_WELL or counts.not_sent or counts.removed < counts.left:
        return False
    return not any(row[4] == "callFailed" for row in mill.end_of(run).outcomes)


def until_settled(mill: RoughMill) -> list[Run]:
    """Run until nothing is left: what is away for long may fail a run, which says so."""
    runs = []
    for _ in range(15):
        runs.append(mill.run())
        if is_settled(mill, runs[-1]):
            return runs
        assert runs[-1].reason is None or runs[-1].reason.message
    message = f"no run ends well: {runs[-1]}"
    raise AssertionError(message)


def begun(
    mailchimp: Sandbox, clock: Clock, monkeypatch: pytest.MonkeyPatch, seed: int
) -> RoughMill:
    dice = random.Random(seed)
    mill = RoughMill(mailchimp, monkeypatch, clock)
    mill.audience.add("gone@example.com", status="unsubscribed", cause="self")
    mill.begin(dice, Odds.drawn(dice))
    return mill


@pytest.mark.parametrize("seed", range(SEEDS))
def test_whatever_strikes_the_audience_the_outcomes_and_the_ledger_end_the_same(
    mailchimp: Sandbox,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
    new_mill: NewMill,
    quiet: list[End],
    seed: int,
) -> None:
    expected = undisturbed(quiet, new_mill)
    mill = begun(mailchimp, clock, monkeypatch, seed)

    for sample, calm in zip((SAMPLE, LATER), expected, strict=True):
        mill.define(sample)
        runs = until_settled(mill)
        end = mill.end_of(runs[-1])
        assert end.audience == calm.audience, mill.odds
        assert end.ledger == calm.ledger, mill.odds
        if len(runs) == 1 and mill.odds.clocks_agree:
            assert end == calm, mill.odds
    mill.calm_down()
    assert mill.run().calls.write == 0


@pytest.mark.parametrize("seed", range(SEEDS // 2))
def test_with_a_storm_in_mailchimp_as_well_the_audience_and_the_ledger_end_the_same(
    mailchimp: Sandbox,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
    new_mill: NewMill,
    quiet: list[End],
    seed: int,
) -> None:
    expected = undisturbed(quiet, new_mill)
    mill = begun(mailchimp, clock, monkeypatch, seed)
    for number, kind in enumerate(kind for kind in KINDS if kind != "hang"):
        mailchimp.arm(Fault(kind, times=None, probability=0.02, seed=100 * seed + number))

    for sample, calm in zip((SAMPLE, LATER), expected, strict=True):
        mill.define(sample)
        end = mill.end_of(until_settled(mill)[-1])
        assert end.audience == calm.audience, mill.odds
        assert end.ledger == calm.ledger, mill.odds
    mailchimp.disarm()
    mill.calm_down()
    assert mill.run().calls.write == 0
