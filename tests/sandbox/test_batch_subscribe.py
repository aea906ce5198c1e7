"""POST /lists/{id}: at most 500 members in one call, each with its own outcome."""

from collections.abc import Callable
from typing import Any

import pytest

from sandbox.mailchimp import AudienceView, Sandbox
from tests.sandbox.conftest import Call, person

Subscribe = Callable[..., Any]


def test_new_people_are_added_with_fields_and_tags(
    subscribe: Subscribe, audience: AudienceView
) -> None:
    answer = subscribe(
        person("Ada@example.com", merge_fields={"FNAME": "Ada"}, tags=["Loyal", "VIP"]),
        person("bob@example.com"),
    )

    assert (answer["total_created"], answer["total_updated"], answer["error_count"]) == (2, 0, 0)
    ada = audience.members()["ada@example.com"]
    assert ada.email_address == "Ada@example.com"
    assert ada.status == "subscribed"
    assert ada.merge_fields == {"FNAME": "Ada"}
    assert ada.tags == {"Loyal", "VIP"}


def test_a_batch_response_contains_whole_members_of_about_four_kilobytes(
    subscribe: Subscribe, call: Call
) -> None:
    member = subscribe(person("ada@example.com", tags=["VIP"]))["new_members"][0]

    assert member["merge_fields"] == {"FNAME": "", "LNAME": "", "ADDRESS": "", "PHONE": ""}
    assert member["tags"][0]["name"] == "VIP"
    assert {link["rel"] for link in member["_links"]} >= {"self", "upsert", "delete_permanent"}
    assert len(call("GET", "LIST/members/ada@example.com").content) > 3000


def test_sending_the_same_people_again_updates_them(
    subscribe: Subscribe, audience: AudienceView
) -> None:
    people = [person(f"p{n}@example.com", tags=["Loyal"]) for n in range(3)]

    subscribe(*people)
    again = subscribe(*people)

    assert (again["total_created"], again["total_updated"]) == (0, 3)
    assert audience.tags() == {"Loyal": 3}


def test_more_than_500_are_refused_as_a_whole(call: Call, audience: AudienceView) -> None:
    people = [person(f"p{n}@example.com") for n in range(501)]

    answer = call("POST", "LIST", {"members": people})

    assert answer.status_code == 400
    assert answer.json()["errors"][0]["field"] == "members"
    assert audience.members() == {}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "members"),
        ({"members": {}}, "members"),
        ({"members": ["ada@example.com"]}, "members.item:0"),
        ({"members": [{"email_address": 5}]}, "members.item:0.email_address"),
        ({"members": [{"status": "subscribed"}]}, "members.item:0.email_address"),
        ({"members": [person("a@example.com", "archived")]}, "members.item:0.status"),
        ({"members": [person("a@example.com", tags=[1])]}, "members.item:0.tags.item:0"),
        ({"members": [person("a@example.com", merge_fields=[])]}, "members.item:0.merge_fields"),
        ({"members": [], "update_existing": "yes"}, "update_existing"),
    ],
)
def test_a_body_of_the_wrong_shape_is_refused(call: Call, body: Any, field: str) -> None:
    answer = call("POST", "LIST", body)

    assert (answer.status_code, answer.json()["title"]) == (400, "Invalid Resource")
    assert field in [error["field"] for error in answer.json()["errors"]]


def test_an_invalid_address_affects_only_itself(
    subscribe: Subscribe, audience: AudienceView
) -> None:
    answer = subscribe(person("ada@example.com"), person("nonsense"), person("bob@example.com"))

    assert (answer["total_created"], answer["error_count"]) == (2, 1)
    error = answer["errors"][0]
    assert error["email_address"] == "nonsense"
    assert error["error_code"] == "ERROR_GENERIC"
    assert (error["field"], error["field_message"]) == ("", "")


@pytest.mark.parametrize(
    "address",
    [
        "",
        "a",
        "a@",
        "@example.com",
        "a@b",
        "a b@example.com",
        "a@@example.com",
        "a..b@example.com",
        ".a@example.com",
        "a@example.com ",
        "a@-example.com",
        "x" * 65 + "@example.com",
        "김@example.com",
        "a@example.com\nb@example.com",
    ],
)
def test_addresses_refused_by_mailchimp_are_rejected(subscribe: Subscribe, address: str) -> None:
    assert subscribe(person(address))["error_count"] == 1


@pytest.mark.parametrize(
    "address",
    ["a@example.com", "A.b+c@shop.example", "o'neill_1@post.example.org", "a@people.test"],
)
def test_addresses_accepted_by_mailchimp_are_sent(subscribe: Subscribe, address: str) -> None:
    assert subscribe(person(address))["total_created"] == 1


def test_without_update_existing_existing_members_are_errors(
    subscribe: Subscribe, audience: AudienceView
) -> None:
    audience.add("ada@example.com", merge_fields={"FNAME": "Ada"})
    audience.add("old@example.com", status="archived")

    answer = subscribe(
        person("ada@example.com", merge_fields={"FNAME": "X"}),
        person("old@example.com"),
        update_existing=False,
    )

    assert [error["error_code"] for error in answer["errors"]] == ["ERROR_CONTACT_EXISTS"]
    assert answer["total_created"] == 1
    assert audience.members()["ada@example.com"].merge_fields == {"FNAME": "Ada"}


def test_the_same_address_twice_in_one_call(subscribe: Subscribe, audience: AudienceView) -> None:
    twice = (person("ada@example.com", "pending"), person("ADA@example.com"))

    skipped = subscribe(*twice, query="?skip_duplicate_check=true")
    assert (skipped["total_created"], skipped["error_count"]) == (1, 0)
    assert audience.statuses() == {"pending": 1}

    checked = subscribe(*twice)
    assert (checked["total_updated"], checked["error_count"]) == (1, 1)


def test_sync_tags_removes_the_tags_of_others(
    subscribe: Subscribe, audience: AudienceView, sandbox: Sandbox
) -> None:
    audience.add("ada@example.com", tags=["Theirs"])

    subscribe(person("ada@example.com", tags=["Ours"]))
    assert audience.members()["ada@example.com"].tags == {"Theirs", "Ours"}

    subscribe(person("ada@example.com", tags=["Ours"]), sync_tags=True)
    assert audience.members()["ada@example.com"].tags == {"Ours"}
    assert sandbox.calls.summary()["syncTags"] == 1


def test_tag_names_are_case_insensitive(subscribe: Subscribe, audience: AudienceView) -> None:
    subscribe(
        person("a@example.com", tags=["Gold Club"]), person("b@example.com", tags=["gold CLUB"])
    )

    assert audience.tags() == {"Gold Club": 2}


def test_a_refused_member_gets_no_tag(subscribe: Subscribe, audience: AudienceView) -> None:
    subscribe(person("nonsense", tags=["Loyal"]), person("a@example.com", tags=["x" * 101]))

    assert audience.tags() == {}
    assert audience.members() == {}


def test_the_texts_are_in_the_language_of_the_account(
    subscribe: Subscribe, sandbox: Sandbox
) -> None:
    english = subscribe(person("nonsense"))["errors"][0]["error"]
    sandbox.set(language="de")
    german = subscribe(person("nonsense"))["errors"][0]["error"]

    assert english != german


def test_refused_addresses_and_domains_are_reported(subscribe: Subscribe, sandbox: Sandbox) -> None:
    sandbox.set(
        refused_addresses=["fake@example.com"],
        refused_domains="bad.example,worse.example",
        throttled_addresses=["busy@example.com"],
    )

    people = ("Fake@example.com", "a@bad.example", "b@worse.example", "busy@example.com")
    answer = subscribe(*(person(address) for address in people), person("fine@example.com"))

    assert [error["email_address"] for error in answer["errors"]] == list(people)
    assert answer["total_created"] == 1


@pytest.mark.parametrize("answers", ["call", "member"])
def test_the_plan_of_the_account_has_a_limit(
    call: Call, audience: AudienceView, sandbox: Sandbox, answers: str
) -> None:
    audience.add("here@example.com")
    audience.add("cleaned@example.com", status="cleaned")
    sandbox.set(plan_limit=2, plan_limit_answer=answers)
    people = [person(f"{name}@example.com") for name in ("here", "new", "more")]

    answer = call("POST", "LIST", {"members": people, "update_existing": True})

    if answers == "call":
        assert answer.status_code == 403
        assert set(audience.members()) == {"here@example.com", "cleaned@example.com"}
    else:
        assert [e["email_address"] for e in answer.json()["errors"]] == ["more@example.com"]


def test_a_value_of_the_wrong_type_can_fail_the_whole_call(
    call: Call, audience: AudienceView, sandbox: Sandbox
) -> None:
    people = [person("a@example.com"), person("b@example.com", merge_fields={"ADDRESS": "text"})]
    sandbox.set(wrong_kind="call")

    answer = call("POST", "LIST", {"members": people, "update_existing": True})

    assert answer.status_code == 400
    assert answer.json()["errors"][0]["field"] == "members.item:1.merge_fields.ADDRESS"
    assert audience.members() == {}


def test_a_poison_address_fails_its_call(
    call: Call, audience: AudienceView, sandbox: Sandbox
) -> None:
    sandbox.set(poison_addresses=["poison@example.com"])
    good, bad = [person("a@example.com")], [person("b@example.com"), person("Poison@example.com")]

    assert call("POST", "LIST", {"members": bad}).status_code == 500
    assert call("POST", "LIST", {"members": good}).status_code == 200
    assert set(audience.members()) == {"a@example.com"}
