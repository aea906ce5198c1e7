"""The predicted size of the audience is exact, and no run exceeds the contact budget.

GUARD_SEEDS sets the number of seeds of the seeded tests.
"""

from __future__ import annotations

import os
import random

import pytest

from shared.model.figures import AudienceSize
from shared.model.run import RunStatus
from shared.planning.checking import audience_size
from tests.planning.row_deployment import Row, RowDeployment, codes, person

SEEDS = range(int(os.environ.get("GUARD_SEEDS", "3")))
STATUSES = ("subscribed", "unsubscribed", "pending", "transactional", "cleaned", "archived")


def people(first: int, last: int) -> list[Row]:
    return [person(number) for number in range(first, last)]


def billed(rows: RowDeployment) -> int:
    return rows.deployment.audience.state.contacts()


def test_a_run_is_skipped_before_it_exceeds_the_contact_budget(rows: RowDeployment) -> None:
    audience = rows.deployment.audience
    for number in range(4):
        audience.add(f"p{number}@example.com")
    for status in STATUSES[1:]:
        audience.add(f"{status}@example.com", status=status)
    rows.change(contact_budget=10)

    seen = rows.preview(*people(0, 8))
    run = rows.run(*people(0, 8))

    values = {"before": "7", "new": "4", "after": "11", "budget": "10"}
    assert codes(seen)["contactBudget"] == values
    assert seen.status is RunStatus.COMPLETED_WITH_WARNINGS
    assert (run.status, run.reason.code) == (RunStatus.SKIPPED, "contactBudget")
    assert run.reason.values == values
    assert billed(rows) == 7

    fits = rows.run(*people(0, 7))

    assert fits.status is RunStatus.SUCCESSFUL
    assert fits.audience_size.after == 10
    assert billed(rows) == 10


def test_a_confirmation_applies_to_the_number_of_people_that_was_shown(rows: RowDeployment) -> None:
    rows.run(*people(0, 10))
    run = rows.run(*people(0, 200))
    rows.source.segments = {"People": people(0, 300)}

    rows.deployment.app.commands.confirm(run.id)
    again = rows.deployment.run_to_end(run.id)

    assert (run.status, again.status) == (RunStatus.AWAITING_CONFIRMATION,) * 2
    # Both reasons were shown, so one yes is enough for both.
    assert set(codes(run)) == {"growthGuard", "segmentGrew"}
    assert codes(again)["growthGuard"]["people"] == "290"
    assert billed(rows) == 10

    rows.deployment.app.commands.confirm(run.id)

    assert rows.deployment.run_to_end(run.id).status is RunStatus.SUCCESSFUL
    assert billed(rows) == 300


@pytest.mark.parametrize("seed", SEEDS)
def test_the_predicted_size_is_the_size_after_the_run(rows: RowDeployment, seed: int) -> None:
    dice = random.Random(seed)
    for number in range(dice.randrange(120)):
        status = dice.choice(STATUSES)
        rows.deployment.audience.add(f"p{dice.randrange(200)}@example.com", status=status)
        rows.deployment.audience.add(f"other{number}@example.com", status=status)
    before = billed(rows)
    first = dice.randrange(100)
    segment = [person(n, dice.choice(["yes", "no", "yes"])) for n in range(first, first + 90)]

    seen = rows.preview(*segment)
    run = rows.run(*segment)

    assert run.status in (RunStatus.SUCCESSFUL, RunStatus.COMPLETED_WITH_WARNINGS)
    assert seen.audience_size.before == before
    assert seen.audience_size.exact
    assert seen.audience_size.after == billed(rows) == before + run.counts.created


@pytest.mark.parametrize("seed", SEEDS)
def test_an_accident_adds_no_one_before_a_confirmation(rows: RowDeployment, seed: int) -> None:
    dice = random.Random(seed)
    usual = dice.randrange(5, 25)
    rows.run(*people(0, usual))
    kind = ("larger", "column", "audience")[seed % 3]
    wrong = people(0, usual + dice.randrange(240, 400))
    if kind == "column":
        for row in wrong[dice.randrange(60, 110) :]:
            row["EMail"] = dice.choice(["", "n/a", "Seoul", "010-1234-5678"]) or "-"
    elif kind == "audience":
        others = rows.deployment.sandbox.audience("Others")
        rows.deployment.audience = others
        for number in range(dice.randrange(150, 300)):
            others.add(f"other{number}@example.com")
        rows.change(audience_id=others.id)
    before = billed(rows)

    run = rows.run(*wrong)

    assert run.status is RunStatus.AWAITING_CONFIRMATION
    assert billed(rows) == before
    expected = {"larger": "growthGuard", "column": "fewAddresses", "audience": "strangeAudience"}
    assert expected[kind] in codes(run)


def test_people_already_in_the_audience_do_not_count_as_added(rows: RowDeployment) -> None:
    for number in range(7):
        rows.deployment.audience.add(f"p{number}@example.com")

    assert rows.preview(*people(0, 9)).audience_size == AudienceSize(7, 2)


def test_a_preview_of_a_large_audience_reports_that_it_is_not_exact(
    rows: RowDeployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audience_size, "_MOST_CALLS_OF_PREVIEW", 0)
    rows.deployment.audience.add("p1@example.com")

    seen = rows.preview(*people(0, 3))

    assert seen.audience_size == AudienceSize(1, 3, exact=False)
    assert codes(seen)["newMayBeThere"] == {"people": "3"}
    rows.change(contact_budget=3)
    fits = rows.preview(*people(0, 3))
    assert fits.audience_size == AudienceSize(1, 2, budget=3), (
        "exact where the budget depends on it"
    )
