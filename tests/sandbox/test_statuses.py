"""Who can be subscribed and who stays unchanged: the rules that an export must follow."""

from collections.abc import Callable
from typing import Any

import pytest

from sandbox.mailchimp import AudienceView, Sandbox
from tests.sandbox.conftest import Call, Clock, person

Subscribe = Callable[..., Any]


@pytest.mark.parametrize(
    ("status", "cause", "wanted", "after"),
    [
        ("subscribed", "", None, "subscribed"),
        ("subscribed", "", "pending", "pending"),
        ("subscribed", "", "unsubscribed", "unsubscribed"),
        ("pending", "", None, "pending"),
        ("pending", "", "subscribed", "subscribed"),
        ("unsubscribed", "self", None, "unsubscribed"),
        ("unsubscribed", "self", "pending", "pending"),
        ("unsubscribed", "admin", "subscribed", "subscribed"),
        ("cleaned", "bounce", None, "cleaned"),
        ("transactional", "", "subscribed", "subscribed"),
        ("archived", "", "subscribed", "subscribed"),
        ("archived", "self", "subscribed", "subscribed"),
    ],
)
def test_a_status_is_written_by_its_rules(
    subscribe: Subscribe,
    audience: AudienceView,
    status: str,
    cause: str,
    wanted: str | None,
    after: str,
) -> None:
    audience.add("ada@example.com", status=status, cause=cause)

    answer = subscribe(person("ada@example.com", wanted, merge_fields={"FNAME": "Ada"}))

    assert answer["error_count"] == 0
    ada = audience.members()["ada@example.com"]
    assert (ada.status, ada.merge_fields) == (after, {"FNAME": "Ada"})
    assert answer["total_created"] == (1 if status == "archived" else 0)


@pytest.mark.parametrize(
    ("status", "cause"),
    [("unsubscribed", "self"), ("unsubscribed", "review"), ("cleaned", "bounce")],
)
@pytest.mark.parametrize("wanted", ["subscribed", "transactional"])
def test_a_person_who_unsubscribed_cannot_be_subscribed(
    subscribe: Subscribe,
    call: Call,
    audience: AudienceView,
    sandbox: Sandbox,
    status: str,
    cause: str,
    wanted: str,
) -> None:
    audience.add("ada@example.com", status=status, cause=cause)

    answer = subscribe(person("ada@example.com", wanted, tags=["Loyal"]))
    single = call("PATCH", "LIST/members/ada@example.com", {"status": "subscribed"})

    assert (answer["error_count"], answer["total_updated"]) == (1, 0)
    assert (single.status_code, single.json()["title"]) == (400, "Member In Compliance State")
    assert audience.statuses() == {status: 1}
    assert sandbox.calls.summary()["statusesContradicted"] == 2
    assert sandbox.calls.summary()["statusesChanged"] == 0


def test_refusals_can_be_omitted_from_the_response(
    subscribe: Subscribe, audience: AudienceView, sandbox: Sandbox
) -> None:
    audience.unsubscribe("ada@example.com")
    sandbox.set(compliance_in_batch="silent")

    answer = subscribe(person("ada@example.com"))

    assert (answer["error_count"], answer["total_updated"]) == (0, 1)
    assert answer["updated_members"][0]["status"] == "unsubscribed"
    assert audience.members()["ada@example.com"].cause == "self"


def test_no_new_or_archived_person_is_sent_without_a_status(
    subscribe: Subscribe, audience: AudienceView
) -> None:
    audience.add("old@example.com", status="archived")

    answer = subscribe(person("new@example.com", None), person("old@example.com", None))

    assert answer["error_count"] == 2
    assert audience.statuses() == {"archived": 1}


def test_permanently_deleted_people_cannot_be_added(
    subscribe: Subscribe, call: Call, audience: AudienceView
) -> None:
    audience.add("ada@example.com", tags=["Loyal"])

    gone = call("POST", "LIST/members/ada@example.com/actions/delete-permanent")
    answer = subscribe(person("Ada@example.com"))
    single = call(
        "POST", "LIST/members", {"email_address": "ada@example.com", "status": "subscribed"}
    )

    assert gone.status_code == 204
    assert answer["error_count"] == 1
    assert single.json()["title"] == "Forgotten Email Not Subscribed"
    assert call("GET", "LIST/members/ada@example.com").status_code == 404
    assert audience.tags() == {"Loyal": 0}


def test_double_opt_in_can_turn_subscribed_into_pending(
    sandbox: Sandbox, audience: AudienceView, subscribe: Subscribe
) -> None:
    audience.state.double_optin = True
    sandbox.set(double_optin_forces_pending=True)

    answer = subscribe(person("ada@example.com"))

    assert answer["new_members"][0]["status"] == "pending"


def test_statuses_changed_by_calls_are_counted(
    subscribe: Subscribe, audience: AudienceView, sandbox: Sandbox
) -> None:
    audience.add("same@example.com")
    audience.add("back@example.com", status="unsubscribed", cause="admin")

    subscribe(person("same@example.com"), person("back@example.com"), person("new@example.com"))

    assert sandbox.calls.summary()["statusChanges"] == {"unsubscribed->subscribed": 1}
    assert sandbox.calls.summary()["statusesContradicted"] == 1


def test_counts_stay_correct_through_every_change(
    subscribe: Subscribe, call: Call, audience: AudienceView
) -> None:
    subscribe(*(person(f"p{n}@example.com", tags=["Loyal"]) for n in range(6)))
    call("PATCH", "LIST/members/p0@example.com", {"status": "unsubscribed"})
    call("DELETE", "LIST/members/p1@example.com")
    call("PATCH", "LIST/members/p2@example.com", {"status": "cleaned"})
    subscribe(person("p3@example.com", "pending"))

    by_hand: dict[str, int] = {}
    for member in audience.members().values():
        by_hand[member.status] = by_hand.get(member.status, 0) + 1
    assert audience.statuses() == by_hand
    segment = call("GET", "LIST/segments").json()["segments"][0]
    assert segment["member_count"] == by_hand["subscribed"] == 2
    assert audience.tags() == {"Loyal": 6}


def test_the_statistics_of_an_audience_are_five_minutes_old(
    subscribe: Subscribe, call: Call, clock: Clock
) -> None:
    before = call("GET", "LIST").json()["stats"]["member_count"]
    subscribe(person("ada@example.com"))
    cached = call("GET", "LIST").json()["stats"]["member_count"]
    clock.sleep(301)
    later = call("GET", "LIST").json()["stats"]["member_count"]

    assert (before, cached, later) == (0, 0, 1)
