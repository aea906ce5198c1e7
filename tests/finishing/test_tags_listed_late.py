"""Mailchimp may count and list the members of a tag as they were some time ago."""

from __future__ import annotations

import pytest

from shared.model.export import NewContacts
from shared.model.run import RunStatus
from tests.planning.row_deployment import RowDeployment, codes, person

EVERYONE = [person(number) for number in range(5)]


@pytest.fixture(name="late")
def _late(rows: RowDeployment) -> RowDeployment:
    """A deployment whose Mailchimp shows the members of a tag as they were up to an hour ago."""
    rows.define(new_contacts=NewContacts())
    rows.deployment.sandbox.set(tag_count_cache_seconds=3600, tag_members_cached=True)
    return rows


def test_new_contacts_that_a_tag_does_not_list_yet_are_not_reported_as_gone(
    late: RowDeployment,
) -> None:
    first = late.run(*EVERYONE)

    values = {"tag": "People", "counted": "0", "expected": "5"}
    assert codes(first) == {"tagCountDiffers": values}
    assert first.status is RunStatus.SUCCESSFUL
    late.deployment.clock.forward(3600)
    second = late.run(*EVERYONE)
    assert (second.counts.unchanged, second.counts.new) == (5, 0)
    assert (codes(second), second.calls.write) == ({}, 0)


def test_people_who_lost_a_tag_and_are_still_listed_do_not_cause_a_warning(
    late: RowDeployment,
) -> None:
    late.run(*EVERYONE)
    late.deployment.clock.forward(3600)

    run = late.run(*EVERYONE[:4])

    assert run.counts.removed == 1
    values = {"tag": "People", "counted": "5", "expected": "4"}
    assert codes(run) == {"tagCountDiffers": values}
    assert run.status is RunStatus.SUCCESSFUL


def test_a_contact_that_is_gone_is_reported_as_soon_as_the_list_is_current(
    late: RowDeployment,
) -> None:
    late.run(*EVERYONE)
    late.deployment.clock.forward(3600)
    late.deployment.audience.change_address("p1@example.com", "new@example.com")
    late.deployment.audience.unsubscribe("new@example.com")

    run = late.run(*EVERYONE)

    assert codes(run)["contactsGone"] == {"tag": "People", "people": "1"}
