"""Mailchimp's official Python client works against the sandbox."""

import hashlib
from collections.abc import Iterator
from typing import Any

import pytest

mailchimp_marketing = pytest.importorskip("mailchimp_marketing")
from mailchimp_marketing.api_client import ApiClientError  # noqa: E402

from sandbox.mailchimp import AudienceView, Sandbox  # noqa: E402


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox() as running:
        yield running


@pytest.fixture
def audience(sandbox: Sandbox) -> AudienceView:
    return sandbox.audience("Newsletter")


def official(sandbox: Sandbox, **config: str) -> Any:
    client = mailchimp_marketing.Client()
    client.set_config(config or {"api_key": sandbox.api_key, "server": "us1"})
    client.api_client.host = sandbox.api_url
    return client


def subscriber_hash(address: str) -> str:
    return hashlib.md5(address.lower().encode()).hexdigest()


def test_the_client_signs_in_with_a_key_and_with_a_token(sandbox: Sandbox) -> None:
    token = sandbox.token(sandbox.app("http://127.0.0.1/callback"))

    with_key = official(sandbox).ping.get()
    with_token = official(sandbox, access_token=token, server="us1").root.get_root()

    assert with_key == {"health_status": "Everything's Chimpy!"}
    assert with_token["account_id"] == sandbox.account.id


def test_the_client_subscribes_in_bulk_and_reads_back(
    sandbox: Sandbox, audience: AudienceView
) -> None:
    lists = official(sandbox).lists
    people = [
        {
            "email_address": f"p{number}@example.com",
            "status": "subscribed",
            "merge_fields": {"FNAME": "Ada"},
            "tags": ["Loyal"],
        }
        for number in range(12)
    ]

    answer = lists.batch_list_members(audience.id, {"members": people, "update_existing": True})
    page = lists.get_list_members_info(audience.id, count=1000)
    one = lists.get_list_member(audience.id, subscriber_hash("P3@example.com"))

    assert (answer["total_created"], answer["error_count"]) == (12, 0)
    assert page["total_items"] == 12
    assert len(lists.get_list_members_info(audience.id)["members"]) == 10
    assert one["merge_fields"]["FNAME"] == "Ada"
    assert [tag["name"] for tag in one["tags"]] == ["Loyal"]


def test_the_client_manages_tags(sandbox: Sandbox, audience: AudienceView) -> None:
    lists = official(sandbox).lists
    for address in ("a@example.com", "b@example.com"):
        audience.add(address)

    made = lists.create_segment(audience.id, {"name": "Gold", "static_segment": ["a@example.com"]})
    changed = lists.batch_segment_members(
        {"members_to_add": ["b@example.com"], "members_to_remove": ["a@example.com"]},
        audience.id,
        str(made["id"]),
    )
    found = lists.tag_search(audience.id, name="go")
    members = lists.get_segment_members_list(audience.id, str(made["id"]))

    assert (changed["total_added"], changed["total_removed"]) == (1, 1)
    assert found["tags"] == [{"id": made["id"], "name": "Gold"}]
    assert [member["email_address"] for member in members["members"]] == ["b@example.com"]


def test_the_client_manages_merge_fields(sandbox: Sandbox, audience: AudienceView) -> None:
    lists = official(sandbox).lists

    made = lists.add_list_merge_field(audience.id, {"name": "Points", "type": "number"})
    lists.update_list_merge_field(audience.id, made["merge_id"], {"name": "Reward points"})
    shown = lists.get_list_merge_field(audience.id, made["merge_id"])
    lists.delete_list_merge_field(audience.id, made["merge_id"])

    assert (shown["name"], shown["type"]) == ("Reward points", "number")
    assert made["tag"] not in audience.merge_tags()


def test_the_client_writes_archives_and_deletes_single_members(
    sandbox: Sandbox, audience: AudienceView
) -> None:
    lists = official(sandbox).lists
    ada, bob = subscriber_hash("ada@example.com"), subscriber_hash("bob@example.com")

    lists.set_list_member(
        audience.id, ada, {"email_address": "ada@example.com", "status_if_new": "pending"}
    )
    lists.update_list_member(audience.id, ada, {"status": "subscribed"})
    lists.update_list_member_tags(audience.id, ada, {"tags": [{"name": "VIP", "status": "active"}]})
    lists.add_list_member(audience.id, {"email_address": "bob@example.com", "status": "subscribed"})
    lists.delete_list_member(audience.id, bob)

    assert audience.statuses() == {"subscribed": 1, "archived": 1}
    assert audience.tags() == {"VIP": 1}

    lists.delete_list_member_permanent(audience.id, ada)

    assert audience.member("ada@example.com") is None


def test_errors_name_what_is_wrong(sandbox: Sandbox, audience: AudienceView) -> None:
    with pytest.raises(ApiClientError) as refused:
        official(sandbox).lists.batch_list_members(audience.id, {"members": [{}] * 501})
    assert refused.value.status_code == 400

    with pytest.raises(ApiClientError) as unknown:
        official(sandbox, api_key="0" * 32 + "-us1", server="us1").ping.get()
    assert unknown.value.status_code == 401
