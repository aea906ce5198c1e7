"""The limit of people is the last number that is sent."""

import pytest

from shared import workspace
from shared.model.run import RunStatus
from shared.planning.reading.limit import check_limit
from shared.planning.reading.people import RowCounts
from shared.runs.planning_ended import PlanningEnded
from tests.faults.simulated_deployment import NewDeployment
from tests.planning.row_deployment import RowDeployment, person

LIMIT = 1_000_000


def test_a_run_with_exactly_the_limit_is_sent_without_a_finding() -> None:
    assert check_limit(RowCounts(LIMIT + 5, LIMIT, LIMIT), LIMIT) == []


def test_more_memberships_than_the_limit_are_only_a_finding() -> None:
    (finding,) = check_limit(RowCounts(LIMIT + 1, LIMIT, LIMIT + 1), LIMIT)

    assert finding.code == "nearLimit"
    assert finding.values == {
        "people": "1000000", "memberships": "1000001", "limit": "1000000",
    }  # fmt: skip


def test_a_run_with_one_person_above_the_limit_is_skipped_with_the_real_number() -> None:
    with pytest.raises(PlanningEnded) as ended:
        check_limit(RowCounts(LIMIT + 1, LIMIT + 1, LIMIT + 1), LIMIT)

    assert ended.value.status is RunStatus.SKIPPED
    assert ended.value.reason.code == "tooManyProfiles"
    assert ended.value.reason.values["people"] == "1000001"
    assert ended.value.counts.distinct == LIMIT + 1


def test_a_run_that_needs_more_disk_than_there_is_writes_nothing(
    new_deployment: NewDeployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = RowDeployment(new_deployment())
    rows.define()
    monkeypatch.setattr(workspace, "_BYTES_PER_PERSON", 10**15)
    rows.deployment.sandbox.calls.clear()

    run = rows.run(person(1), person(2))

    assert run.status is RunStatus.FAILED
    assert run.reason is not None
    assert run.reason.code == "diskTooSmall"
    assert run.reason.values["people"] == "2"
    assert int(run.reason.values["needed"]) > int(run.reason.values["free"]) > 0
    assert not rows.deployment.sandbox.calls.count("POST")
