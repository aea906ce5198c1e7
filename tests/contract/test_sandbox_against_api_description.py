"""All calls of an export and their responses in the sandbox match Mailchimp's API description."""

from collections.abc import Iterator
from typing import Any

import pytest
import requests

from sandbox.mailchimp import AudienceView, Options, Sandbox
from tests.contract.prism import PrismProxy


@pytest.fixture(scope="module")
def sandbox_behind_prism() -> Iterator[tuple[Sandbox, AudienceView, PrismProxy]]:
    with Sandbox(Options(ignored_segment_members="report")) as sandbox:
        audience = sandbox.audience("Newsletter", double_optin=True)
        audience.add("gone@example.com", status="unsubscribed", cause="self", tags=["Old"])
        audience.add("bounced@example.com", status="cleaned", cause="bounce")
        audience.add("archived@example.com", status="archived", tags=["Old"])
        sandbox.automation(audience, "Welcome")
        audience.add("here@example.com", merge_fields={"FNAME": "Here"}, tags=["Old"])
        with PrismProxy(sandbox.url) as proxy:
            yield sandbox, audience, proxy


class Caller:
    """Calls through Prism; `ids` are filled into paths."""

    def __init__(self, sandbox_behind_prism: tuple[Sandbox, AudienceView, PrismProxy]) -> None:
        self.sandbox, self.audience, self.proxy = sandbox_behind_prism
        self.session = requests.Session()
        self.session.auth = ("anystring", self.sandbox.api_key)

    def __call__(self, method: str, path: str, body: Any = None) -> requests.Response:
        url = f"{self.proxy.url}/3.0{path.replace('LIST', '/lists/' + self.audience.id)}"
        return self.session.request(method, url, json=body, timeout=100)


@pytest.fixture
def call(sandbox_behind_prism: tuple[Sandbox, AudienceView, PrismProxy]) -> Iterator[Caller]:
    caller = Caller(sandbox_behind_prism)
    with caller.session:
        yield caller


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/ping",
        "/lists?count=1000&fields=lists.id,lists.name,total_items",
        "/lists",
        "LIST?include_total_contacts=true",
        "LIST/members?status=unsubscribed&count=1000",
        "LIST/members?status=archived&fields=members.email_address,members.status,total_items",
        "LIST/members?since_last_changed=2020-01-01T00:00:00%2B00:00",
        "LIST/members?exclude_fields=members._links",
        "LIST/members/here@example.com",
        "LIST/members/here@example.com/tags",
        "LIST/segments?type=static&count=1000",
        "LIST/segments/200001?include_unsubscribed=true&include_cleaned=true",
        "LIST/segments/200001/members?include_unsubscribed=true&include_transactional=true",
        "LIST/tag-search?name=ol",
        "LIST/merge-fields?count=1000",
        "LIST/merge-fields/1",
        "LIST/webhooks",
        "LIST/members/gone@example.com/activity-feed?activity_filters=unsub&count=10",
        "/automations?status=sending&count=1000",
    ],
)
def test_read_routes_match_the_description(call: Caller, path: str) -> None:
    before = len(call.proxy.violations)

    answer = call("GET", path)

    assert answer.status_code == 200, answer.text
    assert len(call.proxy.violations) == before


def test_write_routes_match_the_description(call: Caller) -> None:
    before = len(call.proxy.violations)
    people = [
        {
            "email_address": "new@example.com",
            "status": "subscribed",
            "merge_fields": {
                "FNAME": "Neu",
                "ADDRESS": {"addr1": "1", "city": "Seoul", "state": "-", "zip": "04524"},
            },
            "tags": ["Gold"],
        },
        {"email_address": "here@example.com", "merge_fields": {"LNAME": "Kim"}},
        {"email_address": "gone@example.com", "status": "subscribed"},
        {"email_address": "nonsense", "status": "subscribed"},
        {"email_address": "archived@example.com", "status": "pending"},
    ]
    batch = "LIST?skip_merge_validation=true&skip_duplicate_check=true"

    done = call("POST", batch, {"members": people, "update_existing": True, "sync_tags": False})
    assert done.status_code == 200, done.text
    assert (done.json()["total_created"], done.json()["error_count"]) == (2, 2)

    made = call("POST", "LIST/segments", {"name": "Silver", "static_segment": []}).json()
    segment = f"LIST/segments/{made['id']}"
    both = {"members_to_add": ["new@example.com", "who@example.com"], "members_to_remove": []}
    field = call(
        "POST",
        "LIST/merge-fields",
        {"name": "Tier", "type": "dropdown", "tag": "TIER", "options": {"choices": ["a", "b"]}},
    ).json()
    member = {"email_address": "single@example.com", "status_if_new": "pending"}
    tags = {"tags": [{"name": "Gold", "status": "active"}], "is_syncing": True}
    for method, path, body, status in (
        ("POST", segment, both, 200),
        ("POST", f"{segment}/members", {"email_address": "here@example.com"}, 200),
        ("DELETE", f"{segment}/members/here@example.com", None, 204),
        ("PATCH", segment, {"name": "Silver 2", "static_segment": []}, 200),
        ("DELETE", segment, None, 204),
        ("PATCH", f"LIST/merge-fields/{field['merge_id']}", {"name": "Loyalty tier"}, 200),
        ("DELETE", f"LIST/merge-fields/{field['merge_id']}", None, 204),
        ("PUT", "LIST/members/single@example.com", member, 200),
        ("PATCH", "LIST/members/single@example.com", {"status": "unsubscribed"}, 200),
        ("POST", "LIST/members/single@example.com/tags", tags, 204),
        ("DELETE", "LIST/members/single@example.com", None, 204),
        ("POST", "LIST/members/single@example.com/actions/delete-permanent", None, 204),
    ):
        answer = call(method, path, body)
        assert answer.status_code == status, (method, path, answer.text)
    assert len(call.proxy.violations) == before


def test_refusals_match_the_described_problems(call: Caller) -> None:
    before = len(call.proxy.violations)

    refusals = [
        call("GET", "/lists/0000000000"),
        call("GET", "LIST/members/nobody@example.com"),
        call("POST", "LIST/segments", {"name": "No kind"}),
        call("POST", "LIST/members", {"email_address": "nonsense", "status": "subscribed"}),
        call("DELETE", "LIST/members/bounced@example.com"),
    ]

    assert [answer.status_code for answer in refusals] == [404, 404, 400, 400, 405]
    assert all(answer.json()["title"] for answer in refusals)
    assert len(call.proxy.violations) == before


def test_prism_refuses_an_invalid_request_and_response() -> None:
    with Sandbox() as sandbox:
        audience = sandbox.audience("Newsletter")
        audience.state.web_id = "not a number"  # type: ignore[assignment]
        with PrismProxy(sandbox.url) as proxy:
            base, auth = f"{proxy.url}/3.0/lists/{audience.id}", ("x", sandbox.api_key)
            wrong_answer = requests.get(base, auth=auth, timeout=100)
            wrong_request = requests.post(base, auth=auth, json={"members": "all"}, timeout=100)

            assert (wrong_answer.status_code, wrong_request.status_code) == (500, 422)
            assert len(proxy.violations) == 2
        assert sandbox.calls.count("POST") == 0
