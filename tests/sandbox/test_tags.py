"""Tags are static segments: created by name, filled by address, with counts of active subscribers."""

from typing import Any

import pytest

from sandbox.mailchimp import AudienceView, Sandbox
from tests.sandbox.conftest import Call


def make(call: Call, name: str, *addresses: str) -> Any:
    answer = call("POST", "LIST/segments", {"name": name, "static_segment": list(addresses)})
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_a_segment_is_available_as_a_tag_and_vice_versa(call: Call, audience: AudienceView) -> None:
    audience.add("ada@example.com", tags=["From the batch"])
    made = make(call, "From the API", "ada@example.com")

    listed = call("GET", "LIST/segments?type=static").json()
    searched = call("GET", "LIST/tag-search").json()

    assert [s["name"] for s in listed["segments"]] == ["From the batch", "From the API"]
    assert {t["id"] for t in searched["tags"]} == {s["id"] for s in listed["segments"]}
    assert made["member_count"] == 1
    assert audience.members()["ada@example.com"].tags == {"From the batch", "From the API"}


def test_search_matches_prefixes_case_insensitively(call: Call) -> None:
    for name in ("Gold", "GOLD CLUB", "Old Gold"):
        make(call, name)

    names = [t["name"] for t in call("GET", "LIST/tag-search?name=gOLD").json()["tags"]]

    assert names == ["Gold", "GOLD CLUB"]


def test_names_are_unique_case_insensitively_and_have_at_most_100_characters(call: Call) -> None:
    make(call, "Gold")
    make(call, "x" * 100)

    taken = call("POST", "LIST/segments", {"name": " gold ", "static_segment": []})
    long = call("POST", "LIST/segments", {"name": "x" * 101, "static_segment": []})

    assert (taken.status_code, long.status_code) == (400, 400)


def test_a_segment_must_have_a_kind(call: Call) -> None:
    answer = call("POST", "LIST/segments", {"name": "Gold"})

    assert (answer.status_code, answer.json()["title"]) == (400, "Invalid Resource")


def test_members_are_added_and_removed_in_one_call(call: Call, audience: AudienceView) -> None:
    for name in ("a", "b", "c"):
        audience.add(f"{name}@example.com")
    audience.add("old@example.com", status="archived")
    made = make(call, "Gold", "a@example.com")
    change = {
        "members_to_add": ["B@example.com", "old@example.com", "nobody@example.com"],
        "members_to_remove": ["a@example.com", "c@example.com", "stranger@example.com"],
    }

    answer = call("POST", f"LIST/segments/{made['id']}", change).json()

    assert (answer["total_added"], answer["total_removed"], answer["error_count"]) == (1, 1, 0)
    assert [m["email_address"] for m in answer["members_added"]] == ["b@example.com"]
    assert [m["email_address"] for m in answer["members_removed"]] == ["a@example.com"]
    assert audience.tags() == {"Gold": 1}


def test_ignored_addresses_can_be_reported(
    call: Call, audience: AudienceView, sandbox: Sandbox
) -> None:
    sandbox.set(ignored_segment_members="report")
    made = make(call, "Gold")

    answer = call("POST", f"LIST/segments/{made['id']}", {"members_to_add": ["x@example.com"]})

    assert answer.json()["errors"][0]["email_addresses"] == ["x@example.com"]


@pytest.mark.parametrize("field", ["members_to_add", "members_to_remove"])
def test_a_call_has_at_most_500_addresses(call: Call, field: str) -> None:
    made = make(call, "Gold")
    people = [f"p{n}@example.com" for n in range(501)]

    many = call("POST", f"LIST/segments/{made['id']}", {field: people})
    most = call("POST", f"LIST/segments/{made['id']}", {field: people[:500]})

    assert (many.status_code, most.status_code) == (400, 200)


def test_patching_with_addresses_adds_and_an_empty_list_removes_all(
    call: Call, audience: AudienceView
) -> None:
    for name in ("a", "b"):
        audience.add(f"{name}@example.com")
    made = make(call, "Gold", "a@example.com")
    path = f"LIST/segments/{made['id']}"

    added = call("PATCH", path, {"name": "Gold", "static_segment": ["b@example.com"]}).json()
    renamed = call("PATCH", path, {"name": "Platinum"}).json()
    emptied = call("PATCH", path, {"name": "Platinum", "static_segment": []}).json()

    assert (added["member_count"], renamed["name"]) == (2, "Platinum")
    assert (emptied["member_count"], emptied["id"]) == (0, made["id"])
    assert call("GET", "LIST/tag-search?name=gold").json()["tags"] == []


def test_deleting_a_segment_removes_the_tag_from_its_members(
    call: Call, audience: AudienceView
) -> None:
    audience.add("ada@example.com", tags=["Gold", "Silver"])
    gold = call("GET", "LIST/tag-search?name=gold").json()["tags"][0]["id"]

    assert call("DELETE", f"LIST/segments/{gold}").status_code == 204

    assert audience.members()["ada@example.com"].tags == {"Silver"}
    assert make(call, "gold")["id"] != gold


def test_only_active_subscribers_are_counted_by_default(
    call: Call, audience: AudienceView, sandbox: Sandbox
) -> None:
    for status in ("subscribed", "unsubscribed", "cleaned", "transactional", "pending", "archived"):
        audience.add(f"{status}@example.com", status=status, tags=["Gold"])
    tag = call("GET", "LIST/tag-search").json()["tags"][0]["id"]

    def seen(query: str = "") -> tuple[int, set[str]]:
        segment = call("GET", f"LIST/segments/{tag}{query}").json()
        people = call("GET", f"LIST/segments/{tag}/members{query}").json()
        assert people["total_items"] == segment["member_count"]
        return segment["member_count"], {m["status"] for m in people["members"]}

    assert seen() == (1, {"subscribed"})
    assert seen("?include_unsubscribed=true&include_cleaned=true&include_transactional=true") == (
        4,
        {"subscribed", "unsubscribed", "cleaned", "transactional"},
    )
    sandbox.set(pending_in_segments=True)
    assert seen() == (2, {"subscribed", "pending"})


def test_segments_come_in_pages_of_ten(call: Call) -> None:
    for number in range(12):
        make(call, f"Tag {number}")

    first = call("GET", "LIST/segments").json()

    assert (len(first["segments"]), first["total_items"]) == (10, 12)
    assert len(call("GET", "LIST/segments?count=1000").json()["segments"]) == 12


def test_a_saved_segment_accepts_no_members(call: Call, audience: AudienceView) -> None:
    audience.add("ada@example.com")
    options = {"match": "any", "conditions": []}
    made = call("POST", "LIST/segments", {"name": "Saved", "options": options}).json()

    answer = call("POST", f"LIST/segments/{made['id']}", {"members_to_add": ["ada@example.com"]})

    assert made["type"] == "saved"
    assert answer.status_code == 400
    assert call("GET", "LIST/tag-search").json()["tags"] == []


def test_one_member_at_a_time(call: Call, audience: AudienceView) -> None:
    audience.add("ada@example.com")
    path = f"LIST/segments/{make(call, 'Gold')['id']}/members"

    added = call("POST", path, {"email_address": "ada@example.com"})
    outside = call("POST", path, {"email_address": "nobody@example.com"})
    removed = call("DELETE", f"{path}/ada@example.com")
    again = call("DELETE", f"{path}/ada@example.com")

    assert added.json()["email_address"] == "ada@example.com"
    assert (outside.status_code, removed.status_code, again.status_code) == (400, 204, 404)
