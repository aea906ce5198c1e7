"""Everything at once, from one seed: the audience and the ledger end as if nothing had happened."""

import os
import random
from collections.abc import Callable, Iterator

import pytest

from sandbox.mailchimp.box import Sandbox
from shared.exports.run import Run, RunStatus
from tests.exports.fakes import Clock
from tests.faults.mill import End, Mill
from tests.faults.test_killed_at_every_write import LATER, SAMPLE
from tests.faults.weather import Odds, RoughMill

SEEDS = int(os.environ.get("FAULT_SEEDS") or 12)
NewMill = Callable[[], Mill]
_ENDED_WELL = (RunStatus.SUCCESSFUL, RunStatus.COMPLETED_WITH_WARNINGS)


@pytest.fixture(autouse=True)
def _consent_is_kept(mailchimp: Sandbox) -> Iterator[None]:
    mailchimp.calls.clear()
    yield
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


def until_it_ends_well(mill: RoughMill) -> list[Run]:
    """Run until a run ends well: storage that is away for long may fail one, which says so."""
    runs = []
    for _ in range(12):
        runs.append(mill.run())
        if runs[-1].status in _ENDED_WELL and not runs[-1].counts.not_sent:
            return runs
        assert runs[-1].reason is None or runs[-1].reason.message
    message = f"no run ends well: {runs[-1]}"
    raise AssertionError(message)


@pytest.mark.parametrize("seed", range(SEEDS))
def test_whatever_strikes_the_audience_and_the_ledger_end_the_same(
    mailchimp: Sandbox,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
    new_mill: NewMill,
    quiet: list[End],
    seed: int,
) -> None:
    expected = undisturbed(quiet, new_mill)
    dice = random.Random(seed)
    odds = Odds.drawn(dice)
    mill = RoughMill(mailchimp, monkeypatch, clock)
    mill.audience.add("gone@example.com", status="unsubscribed", cause="self")
    mill.begin(dice, odds)

    for sample, calm in zip((SAMPLE, LATER), expected, strict=True):
        mill.define(sample)
        runs = until_it_ends_well(mill)
        end = mill.end_of(runs[-1])
        assert end.audience == calm.audience, odds
        assert end.ledger == calm.ledger, odds
        if len(runs) == 1:
            assert end == calm, odds
    mill.calm_down()
