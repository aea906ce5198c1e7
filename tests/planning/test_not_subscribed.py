"""The list of contacts who are not subscribed has nobody who subscribed again."""

from __future__ import annotations

from collections.abc import Callable

import pytest

import sandbox.mailchimp.api as mailchimp_api
from shared.model.export import NewContacts
from shared.model.run import RunStatus
from tests.faults.simulated_deployment import SimulatedDeployment
from tests.planning.row_deployment import RowDeployment, person


def test_contacts_whose_own_status_is_subscribed_are_sent(
    new_deployment: Callable[[], SimulatedDeployment], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when people subscribe again while Mailchimp makes a page of those who are not subscribed."""
    rows = RowDeployment(new_deployment())
    rows.define(new_contacts=NewContacts())
    rows.run(*(person(number) for number in range(3)))
    answer = mailchimp_api._faulty

    def with_everyone(world, request, template, *more):
        if template == "/lists/{list_id}/members" and request.query.get("count") != "1":
            request.query = {
                name: value for name, value in request.query.items() if name != "status"
            }
        return answer(world, request, template, *more)

    monkeypatch.setattr(mailchimp_api, "_faulty", with_everyone)
    run = rows.run(*(person(number, FirstName="New") for number in range(3)))

    assert (run.status, run.counts.updated) == (RunStatus.SUCCESSFUL, 3)
