"""After any sequence of changes, refusals and failures, a run reports what Mailchimp has."""

from __future__ import annotations

import os
import random

import pytest

from shared.model.export import Mapping
from shared.model.run import Mode, RunStatus
from tests.faults.simulated_deployment import NewDeployment
from tests.planning.row_deployment import Row, RowDeployment

# `make faults SEEDS=50` tries more.
SEEDS = 20 if int(os.environ.get("FAULT_SEEDS") or 4) >= 50 else 1
PEOPLE = 9
RUNS = 4


@pytest.fixture
def rows(new_deployment: NewDeployment) -> RowDeployment:
    made = RowDeployment(
        new_deployment(), columns=("CustomerId", "EMail", "FirstName", "Consent", "City")
    )
    made.define(mapping=Mapping("EMail", "FirstName", "City"))
    return made


class Profiles:
    """Profiles that change at random: values, consent, membership and address, also a shared one."""

    def __init__(self, dice: random.Random) -> None:
        self._dice = dice
        self._rows = [
            {"FirstName": f"P{n}", "Consent": "yes", "City": "", "member": "yes", "address": str(n)}
            for n in range(PEOPLE)
        ]

    def change(self) -> None:
        for number in self._dice.sample(range(PEOPLE), 4):
            choices = {
                "Consent": ("yes", "no", ""),
                "FirstName": ("A", "B", ""),
                "City": ("Ulm", "Bonn", ""),
                "member": ("yes", "no"),
                "address": (str(number), str(number + 100), str((number + 1) % PEOPLE)),
            }
            column = self._dice.choice(list(choices))
            self._rows[number][column] = self._dice.choice(choices[column])

    def rows(self) -> list[Row]:
        return [
            {
                "CustomerId": str(number),
                "EMail": f"p{row['address']}@example.com",
                **{name: row[name] for name in ("FirstName", "Consent", "City")},
            }
            for number, row in enumerate(self._rows)
            if row["member"] == "yes"
        ]


def make_fault(rows: RowDeployment, dice: random.Random) -> None:
    """Let Mailchimp refuse or fail calls with a random person, or no call."""
    sandbox = rows.deployment.sandbox
    address = f"p{dice.randrange(PEOPLE)}@example.com"
    sandbox.set(throttled_addresses="", poison_addresses="", plan_limit=None)
    fault = dice.choice(["none", "none", "throttled", "poison", "plan"])
    if fault == "throttled":
        sandbox.set(throttled_addresses=address)
    elif fault == "poison":
        answers = ["InternalServerError", "BadRequest", "MethodNotAllowed", "applied"]
        sandbox.set(poison_addresses=address, poison_answer=dice.choice(answers))
    elif fault == "plan":
        answer = dice.choice(["call", "member"])
        sandbox.set(plan_limit=dice.randrange(3, 8), plan_limit_answer=answer)


@pytest.mark.parametrize("seed", range(SEEDS))
def test_the_report_of_every_run_equals_the_audience(rows: RowDeployment, seed: int) -> None:
    dice = random.Random(seed)
    profiles = Profiles(dice)
    audience = rows.deployment.audience
    reported = 0
    for _ in range(RUNS):
        profiles.change()
        make_fault(rows, dice)
        source = profiles.rows()
        rows.source.segments = {"People": source}
        before = audience.members()

        ended = rows.deployment.run(dice.choice([Mode.EXPORT, Mode.EXPORT, Mode.FULL]))

        members = audience.members()
        if ended.status is RunStatus.SKIPPED:
            assert members == before
            continue
        counts = ended.counts
        assert counts.source_rows == len(source) == (
            counts.created + counts.updated + counts.unchanged + counts.kept
            + counts.rejected + counts.not_sent + counts.shared_address
        )  # fmt: skip
        assert counts.created == len(members.keys() - before.keys())
        assert all(members[address].status == before[address].status for address in before)
        for address, (outcome, _) in rows.outcomes(ended).items():
            if outcome in ("created", "updated"):
                reported += 1
                assert members[address].tags == {"People"}
                winner = min(
                    (row for row in source if row["EMail"] == address),
                    key=lambda row: row["CustomerId"],
                )
                for field, column in (("FNAME", "FirstName"), ("LNAME", "City")):
                    if winner[column]:
                        assert members[address].merge_fields[field] == winner[column]
            elif address not in before:
                assert address not in members
    assert reported >= PEOPLE
