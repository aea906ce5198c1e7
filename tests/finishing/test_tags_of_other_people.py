"""A run that leaves people as they are, because it waits, retries or failed, takes no tag from them.

The ledger does not have everyone who has a tag if the export came back to an audience and has not sent everyone since.
"""

from __future__ import annotations

import pytest

from shared.model.export import GrowthGuard, NewContacts
from shared.model.one_person import ChosenPerson
from shared.model.run import Run, RunStatus
from tests.faults.simulated_deployment import EXPORT
from tests.planning.row_deployment import RowDeployment, codes, person

OTHERS = range(1, 8)


@pytest.fixture(name="returned")
def _returned(rows: RowDeployment) -> tuple[RowDeployment, Run]:
    """An export that came back to its first audience and has sent only person 0 since, and the run in the other audience."""
    rows.run(*(person(number) for number in range(8)))
    first = rows.deployment.audience
    rows.change(audience_id=rows.deployment.sandbox.audience("Other audience").id)
    failed = rows.run(person(0), person(50, EMail="unusable"))
    rows.change(audience_id=first.id)
    rows.source.segments = {"People": [person(0), person(1)]}
    chosen = ChosenPerson("p0@example.com", "")
    started = rows.deployment.app.one_person.start(EXPORT, "Kim", chosen)
    assert rows.deployment.run_to_end(started.id).status is RunStatus.SUCCESSFUL
    return rows, failed


def tagged(rows: RowDeployment) -> list[int]:
    return [number for number in range(8) if rows.tags(number)]


def test_a_withdrawal_in_a_run_that_waits_takes_the_tag_from_no_one_else(
    returned: tuple[RowDeployment, Run],
) -> None:
    rows, _ = returned
    rows.change(growth_guard=GrowthGuard(max_contacts=1))

    waiting = rows.run(person(0, "no"), *(person(number) for number in (1, 20, 21)))

    assert (waiting.status, waiting.reason.code) == (RunStatus.AWAITING_CONFIRMATION, "growthGuard")
    assert tagged(rows) == list(OTHERS)
    assert not {"tagRepaired", "tagCountDiffers"} & set(codes(waiting))
    confirmed = rows.deployment.app.commands.confirm(waiting.id)
    run = rows.deployment.run_to_end(confirmed.id)
    assert (tagged(rows), codes(run)["tagRepaired"]["removed"]) == ([1], "6")
    # The undo knows from the run of one person who had the tag.
    rows.deployment.undo(run)
    assert tagged(rows) == list(OTHERS)


def test_a_withdrawal_in_a_run_that_exceeds_the_contact_budget_takes_the_tag_from_no_one_else(
    returned: tuple[RowDeployment, Run],
) -> None:
    rows, _ = returned
    rows.change(contact_budget=8)

    run = rows.run(person(0, "no"), *(person(number) for number in (1, 20, 21)))

    assert (run.status, run.reason.code) == (RunStatus.SKIPPED, "contactBudget")
    assert tagged(rows) == list(OTHERS)


def test_a_retry_takes_the_tag_from_no_one_who_left(returned: tuple[RowDeployment, Run]) -> None:
    rows, failed = returned
    rows.source.segments = {"People": [person(0), person(50)]}
    commands = rows.deployment.app.commands

    started = rows.deployment.started(lambda: commands.retry(failed.id, "Kim"))
    run = rows.deployment.run_to_end(started.id)

    assert (run.status, run.counts.created) == (RunStatus.SUCCESSFUL, 1)
    assert tagged(rows) == [0, *OTHERS]
    assert "tagRepaired" not in codes(run)
    run = rows.run(person(0), person(50))
    assert (tagged(rows), codes(run)["tagRepaired"]["removed"]) == ([0], "7")


def test_a_run_without_a_usable_row_takes_the_tag_from_no_one(
    returned: tuple[RowDeployment, Run],
) -> None:
    rows, _ = returned
    rows.change(new_contacts=NewContacts())

    run = rows.run(person(0, EMail="unusable"))

    assert run.status is RunStatus.FAILED
    assert tagged(rows) == [0, *OTHERS]
