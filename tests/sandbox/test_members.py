"""Reading members in pages, and single members."""

import hashlib
from collections.abc import Callable
from typing import Any

import pytest

from sandbox.mailchimp import AudienceView
from tests.sandbox.conftest import Call, Clock, person

Subscribe = Callable[..., Any]


def test_a_page_has_ten_members_by_default(call: Call, audience: AudienceView) -> None:
    for number in range(25):
        audience.add(f"p{number}@example.com")

    first = call("GET", "LIST/members").json()
    rest = call("GET", "LIST/members?count=1000&offset=10").json()

    assert (len(first["members"]), first["total_items"]) == (10, 25)
    assert len(rest["members"]) == 15
    seen = [m["email_address"] for m in first["members"] + rest["members"]]
    assert len(set(seen)) == 25


@pytest.mark.parametrize("query", ["count=1001", "count=-1", "count=ten", "offset=x", "status=x"])
def test_invalid_page_requests_are_refused(call: Call, query: str) -> None:
    answer = call("GET", f"LIST/members?{query}")

    assert (answer.status_code, answer.json()["title"]) == (400, "Invalid Resource")


def test_archived_members_are_listed_only_on_request(call: Call, audience: AudienceView) -> None:
    audience.add("here@example.com")
    audience.add("gone@example.com", status="unsubscribed", cause="self")
    audience.add("old@example.com", status="archived")

    def shown(query: str) -> list[str]:
        members = call("GET", f"LIST/members{query}").json()["members"]
        return [member["email_address"] for member in members]

    assert shown("") == ["here@example.com", "gone@example.com"]
    assert shown("?status=archived") == ["old@example.com"]
    assert shown("?status=unsubscribed") == ["gone@example.com"]
    for query, total in [("?", 2), ("?status=archived", 1), ("?status=cleaned", 0)]:
        for size in (1, 100):
            answer = call("GET", f"LIST/members{query}&count={size}").json()
            assert (len(answer["members"]), answer["total_items"]) == (min(size, total), total)


def test_only_contacts_changed_since_a_time_are_returned(
    call: Call, subscribe: Subscribe, clock: Clock, audience: AudienceView
) -> None:
    subscribe(person("a@example.com"), person("b@example.com"))
    first = call("GET", "LIST/members/a@example.com").json()["last_changed"]
    clock.sleep(60)
    subscribe(person("b@example.com", merge_fields={"FNAME": "B"}))
    second = call("GET", "LIST/members/b@example.com").json()["last_changed"]

    def changed_since(moment: str) -> list[str]:
        answer = call("GET", "LIST/members", params={"since_last_changed": moment})
        return [member["email_address"] for member in answer.json()["members"]]

    assert changed_since(first) == ["a@example.com", "b@example.com"]
    assert changed_since(second) == ["b@example.com"]
    assert call("GET", "LIST/members?since_last_changed=yesterday").status_code == 400


def test_a_response_contains_only_the_requested_fields(call: Call, audience: AudienceView) -> None:
    audience.add("ada@example.com", merge_fields={"FNAME": "Ada"}, tags=["VIP"])

    cut = call(
        "GET", "LIST/members?fields=members.email_address,members.merge_fields.FNAME,total_items"
    ).json()
    without = call("GET", "LIST/members?exclude_fields=members.merge_fields,_links").json()

    assert cut == {
        "members": [{"email_address": "ada@example.com", "merge_fields": {"FNAME": "Ada"}}],
        "total_items": 1,
    }
    assert "merge_fields" not in without["members"][0]
    assert without["members"][0]["tags"][0]["name"] == "VIP"


def test_a_member_is_found_by_address_hash_or_contact_id(
    call: Call, audience: AudienceView
) -> None:
    audience.add("Ada@example.com")
    ada = call("GET", "LIST/members/ada@example.com").json()

    keys = ("ADA@EXAMPLE.COM", ada["id"], ada["contact_id"])
    found = [call("GET", f"LIST/members/{key}").json() for key in keys]

    assert [member["email_address"] for member in found] == ["Ada@example.com"] * 3
    assert ada["id"] == hashlib.md5(b"ada@example.com").hexdigest()


def test_a_contact_keeps_its_contact_id_when_its_address_changes(
    call: Call, audience: AudienceView
) -> None:
    audience.add("ada@example.com")
    before = call("GET", "LIST/members/ada@example.com").json()
    audience.change_address("ada@example.com", "new@example.com")
    audience.add("ada@example.com")

    moved = call("GET", f"LIST/members/{before['contact_id']}").json()
    another = call("GET", "LIST/members/ada@example.com").json()

    assert (moved["email_address"], moved["web_id"]) == ("new@example.com", before["web_id"])
    assert moved["contact_id"] == before["contact_id"] != another["contact_id"]
    assert moved["id"] != before["id"] == another["id"]


def test_put_uses_one_status_for_new_members_and_another_for_existing_ones(
    call: Call, audience: AudienceView
) -> None:
    body: dict[str, Any] = {
        "email_address": "ada@example.com",
        "status_if_new": "subscribed",
        "tags": ["No"],
    }

    assert call("PUT", "LIST/members/ada@example.com", body).status_code == 200
    audience.unsubscribe("ada@example.com")
    body |= {"status_if_new": "subscribed", "merge_fields": {"FNAME": "Ada"}}
    assert call("PUT", "LIST/members/ada@example.com", body).status_code == 200

    ada = audience.members()["ada@example.com"]
    assert (ada.status, ada.merge_fields) == ("unsubscribed", {"FNAME": "Ada"})
    assert not ada.tags
    assert call("PUT", "LIST/members/x@example.com", {"status_if_new": "x"}).status_code == 400


def test_adding_an_existing_member_is_refused(call: Call, audience: AudienceView) -> None:
    body = {"email_address": "ada@example.com", "status": "subscribed", "tags": ["VIP"]}

    assert call("POST", "LIST/members", body).status_code == 200
    again = call("POST", "LIST/members", body)

    assert (again.status_code, again.json()["title"]) == (400, "Member Exists")
    assert audience.tags() == {"VIP": 1}


@pytest.mark.parametrize("status", ["cleaned", "pending", "archived"])
def test_some_members_cannot_be_archived(call: Call, audience: AudienceView, status: str) -> None:
    audience.add("ada@example.com", status=status)

    assert call("DELETE", "LIST/members/ada@example.com").status_code == 405


def test_an_unknown_resource_is_404(call: Call) -> None:
    for method, path in (
        ("GET", "LIST/members/nobody@example.com"),
        ("DELETE", "LIST/members/nobody@example.com"),
        ("GET", "/lists/0000000000"),
        ("GET", "LIST/segments/1"),
        ("GET", "LIST/merge-fields/99"),
        ("GET", "/nowhere"),
    ):
        answer = call(method, path, {"tags": []})
        assert (path, answer.status_code) == (path, 404)
        assert answer.headers["Content-Type"].startswith("application/problem+json")


def test_tags_of_one_member_can_be_changed(call: Call, audience: AudienceView) -> None:
    audience.add("ada@example.com", tags=["Old"])
    change = [{"name": "old", "status": "inactive"}, {"name": "New", "status": "active"}]

    done = call("POST", "LIST/members/ada@example.com/tags", {"tags": change})
    absent = call("POST", "LIST/members/nobody@example.com/tags", {"tags": change})
    wrong = call("POST", "LIST/members/ada@example.com/tags", {"tags": [{"name": "x"}]})
    shown = call("GET", "LIST/members/ada@example.com/tags").json()

    assert (done.status_code, absent.status_code, wrong.status_code) == (204, 404, 400)
    assert [tag["name"] for tag in shown["tags"]] == ["New"]
