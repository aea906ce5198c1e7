"""The limit of people is the last number that is sent."""

import pytest

from shared.model.run import RunStatus
from shared.planning.ended import PlanningEnded
from shared.planning.limit import within_limit
from shared.planning.people import RowCounts

LIMIT = 1_000_000


def test_exactly_the_limit_is_sent_without_a_word() -> None:
    assert within_limit(RowCounts(LIMIT + 5, LIMIT, LIMIT), LIMIT) == []


def test_more_memberships_than_the_limit_are_a_finding_and_no_end() -> None:
    (finding,) = within_limit(RowCounts(LIMIT + 1, LIMIT, LIMIT + 1), LIMIT)

    assert finding.code == "nearLimit"
    assert finding.values == {
        "people": "1000000", "memberships": "1000001", "limit": "1000000",
    }  # fmt: skip


def test_one_person_more_than_the_limit_is_skipped_with_the_real_number() -> None:
    with pytest.raises(PlanningEnded) as ended:
        within_limit(RowCounts(LIMIT + 1, LIMIT + 1, LIMIT + 1), LIMIT)

    assert ended.value.status is RunStatus.SKIPPED
    assert ended.value.reason.code == "tooManyProfiles"
    assert ended.value.reason.values["people"] == "1000001"
    assert ended.value.counts.distinct == LIMIT + 1
