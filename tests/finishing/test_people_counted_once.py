"""A person with several tags counts once in the reason of a run."""

from __future__ import annotations

import pytest

from shared.errors import Refused
from shared.mailchimp.session import MailchimpSession
from shared.model.export import SegmentChoice
from shared.model.finding import Reason
from shared.model.run import RunStatus
from tests.faults.simulated_deployment import NewDeployment
from tests.planning.row_deployment import RowDeployment, person

EVERYONE = [person(number) for number in range(4)]


@pytest.fixture
def rows(new_deployment: NewDeployment) -> RowDeployment:
    """Four people with two tags each."""
    rows = RowDeployment(new_deployment())
    rows.define(segments=(SegmentChoice("People"), SegmentChoice("Others")))
    rows.run(*EVERYONE, Others=EVERYONE)
    return rows


def test_people_who_would_lose_several_tags_are_counted_once(rows: RowDeployment) -> None:
    rows.change(max_removal_share=0.3)
    run = rows.run(person(0), Others=[person(0)])
    assert (run.status, run.counts.left) == (RunStatus.AWAITING_CONFIRMATION, 3)
    assert run.reason is not None
    assert run.reason.values == {"people": "3"}


def test_people_whose_tags_mailchimp_refuses_to_remove_are_counted_once(
    rows: RowDeployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise Refused("refused", status=400)

    monkeypatch.setattr(MailchimpSession, "untag", refuse)
    run = rows.run(person(0), Others=[person(0)])
    assert run.status is RunStatus.FAILED
    assert run.reason == Reason(
        "removalRefused",
        {"people": "3", "cause": "refused", "causeCode": "outcomes.refused.reason"},
    )
