"""What a run does when Mailchimp answers in unusual ways, over the real client."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
import requests

from sandbox.mailchimp.faults import Fault
from shared.messages.catalogue import text
from shared.model.export import AttributeMapping, FieldToCreate, Mapping, NewContacts
from shared.model.run import RunStatus
from tests.faults.simulated_deployment import NewDeployment
from tests.planning.row_deployment import RowDeployment, codes, person

PEOPLE = [person(n) for n in range(12)]


@pytest.fixture
def rows(new_deployment: NewDeployment) -> RowDeployment:
    made = RowDeployment(new_deployment(), columns=("CustomerId", "EMail", "FirstName", "City"))
    made.define(new_contacts=NewContacts())
    return made


def test_an_empty_400_on_a_read_is_tried_again(rows: RowDeployment) -> None:
    paths = (r"^/lists/\w+$", "/merge-fields", "/segments|/tag-search", "/members$")
    faults = [rows.deployment.sandbox.arm(Fault("400-empty", "GET", path)) for path in paths]

    run = rows.run(*PEOPLE)

    assert [fault.affected for fault in faults] == [1, 1, 1, 1]
    assert (run.status, run.counts.created) == (RunStatus.SUCCESSFUL, 12)


@pytest.mark.parametrize("answer", ["call", "member"])
def test_the_limit_of_the_plan_is_named_and_a_later_run_sends_the_rest(
    rows: RowDeployment, answer: str
) -> None:
    rows.deployment.sandbox.set(plan_limit=4, plan_limit_answer=answer)

    run = rows.run(*PEOPLE)

    members = rows.deployment.audience.members()
    assert run.counts.created == len(members) == (0 if answer == "call" else 4)
    if answer == "call":
        assert (run.status, run.counts.not_sent) == (RunStatus.FAILED, 12)
        assert run.reason is not None
        assert run.reason.code == "planLimit"
        assert "Mailchimp 요금제" in text("planLimit", "ko", run.reason.values)
        assert set(rows.outcomes(run).values()) == {("notSent", "runStopped")}
    else:
        assert (run.status, run.counts.rejected) == (RunStatus.COMPLETED_WITH_WARNINGS, 8)
        reasons = [code for _, code in rows.outcomes(run).values()]
        assert reasons.count("planLimit") == 8
    # The plan was raised.
    rows.deployment.sandbox.set(plan_limit=None)
    assert rows.run(*PEOPLE).status is RunStatus.SUCCESSFUL
    assert len(rows.deployment.audience.members()) == 12


def test_a_disabled_account_is_named_as_the_reason_and_its_rows_refer_to_it(
    rows: RowDeployment,
) -> None:
    rows.deployment.sandbox.arm(Fault("403-disabled", "POST", r"^/lists/\w+$", times=None))

    run = rows.run(*PEOPLE)

    assert (run.status, run.counts.not_sent) == (RunStatus.FAILED, 12)
    assert run.reason is not None
    assert run.reason.code == "accountDisabled"
    assert set(rows.outcomes(run).values()) == {("notSent", "runStopped")}


def test_contacts_that_are_no_longer_in_the_audience_are_reported_as_such(
    rows: RowDeployment,
) -> None:
    rows.run(*PEOPLE)
    audience = rows.deployment.audience
    audience.change_address("p1@example.com", "new@example.com")
    audience.unsubscribe("new@example.com")

    run = rows.run(*PEOPLE)

    assert codes(run)["contactsGone"] == {"tag": "People", "people": "1"}
    assert "tagCountDiffers" not in codes(run)


def test_an_address_that_signed_up_too_often_recently_is_sent_in_a_later_run(
    rows: RowDeployment,
) -> None:
    rows.deployment.sandbox.set(throttled_addresses="p1@example.com")

    run = rows.run(*PEOPLE)

    assert (run.status, run.counts.created) == (RunStatus.COMPLETED_WITH_WARNINGS, 11)
    assert rows.outcomes(run)["p1@example.com"] == ("rejected", "addressThrottled")
    rows.deployment.sandbox.set(throttled_addresses="")
    assert rows.outcomes(rows.run(*PEOPLE))["p1@example.com"] == ("created", None)


def test_what_mailchimp_answered_is_kept_without_personal_data(rows: RowDeployment) -> None:
    deployment = rows.deployment
    deployment.sandbox.set(refused_addresses="p1@example.com", throttled_addresses="p2@example.com")

    run = rows.run(*PEOPLE)

    answers = {row.email: row.answer for row in deployment.app.outcomes.rows(run.id, "rejected")}
    assert answers == {
        "p1@example.com": "ERROR_GENERIC: […] looks fake or invalid, please enter a real email address.",
        "p2@example.com": "ERROR_GENERIC: […] has signed up to a lot of lists very recently; we're not "
        "allowing more signups for now",
    }
    lines = [data for name, data in deployment.store.blobs.items() if "/outcomes/" in name]
    assert any(b"looks fake" in data for data in lines)
    assert not any(b"@" in data for data in lines)


def test_a_merge_field_that_another_app_creates_during_planning_is_used(
    rows: RowDeployment,
) -> None:
    city = AttributeMapping("City", "CITY", FieldToCreate("City", "text"))
    rows.change(mapping=Mapping("EMail", "FirstName", None, (city,)))
    deployment, created = rows.deployment, []
    sandbox = deployment.sandbox
    sandbox.calls.clear()
    one_at_a_time = threading.Lock()

    def call(ask: Callable[[], Any]) -> Any:
        answer = ask()
        looked = any(m == "GET" and "merge-fields" in route for m, route in sandbox.calls.by_route)
        with one_at_a_time:
            if looked and not created:
                made = requests.post(
                    f"{sandbox.api_url}/lists/{deployment.audience.id}/merge-fields",
                    json={"name": "City", "type": "text", "tag": "CITY"},
                    auth=("any", sandbox.api_key),
                    timeout=30,
                )
                created.append(made.status_code)
        return answer

    deployment.call = call
    run = rows.run(person(1, City="Ulm"))

    assert created == [200]
    assert run.status is RunStatus.SUCCESSFUL
    assert deployment.audience.members()["p1@example.com"].merge_fields["CITY"] == "Ulm"


@pytest.mark.parametrize("answer", ["BadRequest", "MethodNotAllowed"])
def test_a_refused_removal_is_not_reported_as_an_outage(rows: RowDeployment, answer: str) -> None:
    rows.run(*PEOPLE)
    rows.deployment.sandbox.set(poison_addresses="p0@example.com", poison_answer=answer)

    run = rows.run(*PEOPLE[1:])

    assert run.status is RunStatus.FAILED
    assert run.reason is not None
    assert (run.reason.code, run.reason.values["people"]) == ("removalRefused", "1")
    assert run.counts.removed == 0
    assert rows.tags(0) == {"People"}
    # Others who leave with the person lose their tag.
    both = rows.run(*PEOPLE[2:])
    assert both.status is RunStatus.COMPLETED_WITH_WARNINGS
    assert both.counts.removed == 1
    assert (rows.tags(0), rows.tags(1)) == ({"People"}, frozenset())
    rows.deployment.sandbox.set(poison_addresses="")
    assert rows.run(*PEOPLE[2:]).counts.removed == 1
    assert rows.tags(0) == frozenset()
