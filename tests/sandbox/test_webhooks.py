"""Webhooks: the calls that manage them, and the events that are posted to them."""

import hashlib
import hmac
from collections.abc import Mapping
from urllib.parse import parse_qs

import pytest

from sandbox.mailchimp import AudienceView, Sandbox
from tests.sandbox.conftest import Call, person

URL = "http://127.0.0.1:7071/hook/secret"
ALL = {
    "url": URL,
    "events": dict.fromkeys(("subscribe", "unsubscribe", "profile", "cleaned", "upemail"), True),
    "sources": dict.fromkeys(("user", "admin", "api"), True),
}


class Receiver:
    """The address of a webhook. `status` is what it answers."""

    def __init__(self) -> None:
        self.status = 200
        self.checks: list[str] = []
        self.bodies: list[bytes] = []
        self.headers: list[Mapping[str, str]] = []

    def __call__(self, method: str, url: str, body: bytes, headers: Mapping[str, str]) -> int:
        if method == "GET":
            self.checks.append(url)
        else:
            self.bodies.append(body)
            self.headers.append(headers)
        return self.status

    def events(self) -> list[dict[str, str]]:
        return [
            {name: value for name, (value,) in parse_qs(body.decode()).items()}
            for body in self.bodies
        ]


@pytest.fixture
def receiver(sandbox: Sandbox) -> Receiver:
    sandbox.set(hold_webhooks=True)
    sandbox.world.webhooks.fetch = receiver = Receiver()
    return receiver


def test_a_webhook_is_created_read_changed_and_deleted(call: Call, receiver: Receiver) -> None:
    made = call("POST", "LIST/webhooks", ALL).json()
    listed = call("GET", "LIST/webhooks").json()
    path = f"LIST/webhooks/{made['id']}"
    changed = call("PATCH", path, {"events": {"profile": False}}).json()
    gone = call("DELETE", path)

    assert receiver.checks == [URL]
    assert (made["url"], listed["total_items"]) == (URL, 1)
    assert made["events"] == {**ALL["events"], "campaign": False}
    assert changed["events"]["profile"] is False
    assert changed["sources"] == ALL["sources"]
    assert gone.status_code == 204
    assert call("GET", path).status_code == 404
    assert call("GET", "LIST/webhooks").json()["webhooks"] == []


def test_an_address_that_does_not_answer_or_is_used_is_refused(
    call: Call, receiver: Receiver
) -> None:
    receiver.status = 500
    silent = call("POST", "LIST/webhooks", ALL)
    receiver.status = 200
    call("POST", "LIST/webhooks", ALL)
    twice = call("POST", "LIST/webhooks", ALL)
    wrong = call("POST", "LIST/webhooks", {"url": URL + "2", "events": {"profile": "yes"}})
    missing = call("POST", "LIST/webhooks", {})

    for answer, field in (
        (silent, "url"),
        (twice, "url"),
        (wrong, "events.profile"),
        (missing, "url"),
    ):
        assert answer.status_code == 400
        assert [error["field"] for error in answer.json()["errors"]] == [field]


def test_every_kind_of_change_is_posted(
    sandbox: Sandbox, call: Call, audience: AudienceView, receiver: Receiver
) -> None:
    call("POST", "LIST/webhooks", ALL)
    call("POST", "LIST", {"members": [person("ada@example.com"), person("bob@example.com")]})
    call("PATCH", "LIST/members/bob@example.com", {"merge_fields": {"FNAME": "Bob"}})
    audience.add("ada@example.com", status="unsubscribed", cause="self", campaign="c42")
    audience.add("bob@example.com", status="cleaned", cause="bounce")
    audience.add("cid@example.com")
    audience.change_address("cid@example.com", "cyd@example.com")
    call("DELETE", "LIST/members/cyd@example.com")
    assert receiver.bodies == []

    assert sandbox.deliver_webhooks() == 8

    events = receiver.events()
    assert [event["type"] for event in events] == [
        "subscribe", "subscribe", "profile", "unsubscribe", "cleaned", "subscribe", "upemail",
        "unsubscribe",
    ]  # fmt: skip
    assert events[2]["data[merges][FNAME]"] == "Bob"
    unsubscribe = events[3]
    assert unsubscribe["fired_at"] == "2026-09-21 14:13:20"
    assert unsubscribe["data[email]"] == "ada@example.com"
    assert unsubscribe["data[campaign_id]"] == "c42"
    assert (unsubscribe["data[action]"], events[7]["data[action]"]) == ("unsub", "delete")
    assert events[4]["data[reason]"] == "hard"
    assert events[6]["data[new_email]"] == "cyd@example.com"
    assert "X-Mailchimp-Signature" not in receiver.headers[0]


def test_only_chosen_events_and_sources_are_posted(
    sandbox: Sandbox, call: Call, audience: AudienceView, receiver: Receiver
) -> None:
    wanted = {"url": URL, "events": {"unsubscribe": True}, "sources": {"user": True}}
    call("POST", "LIST/webhooks", wanted)
    for name in ("ada", "bob", "cid"):
        audience.add(f"{name}@example.com")
    audience.unsubscribe("ada@example.com", by="self")
    audience.unsubscribe("bob@example.com", by="admin")
    call("PATCH", "LIST/members/cid@example.com", {"status": "unsubscribed"})

    sandbox.deliver_webhooks()

    assert [event["data[email]"] for event in receiver.events()] == ["ada@example.com"]


def test_events_are_lost_doubled_and_reordered(
    sandbox: Sandbox, call: Call, audience: AudienceView, receiver: Receiver
) -> None:
    sandbox.set(webhook_loss=0.3, webhook_doubled=0.3, webhook_disorder=True)
    call("POST", "LIST/webhooks", ALL)
    added = [f"p{number:03d}@example.com" for number in range(200)]
    for address in added:
        audience.add(address)

    sandbox.deliver_webhooks()

    arrived = [event["data[email]"] for event in receiver.events()]
    counts = sandbox.world.webhooks.counts
    assert counts["fired"] == 200
    assert counts["delivered"] == len(arrived) == 200 - counts["lost"] + counts["doubled"]
    assert 20 < counts["lost"] < 100
    assert 20 < counts["doubled"] < 100
    assert len(set(arrived)) == 200 - counts["lost"]
    assert arrived != sorted(arrived)


def test_a_signed_event_can_be_verified_with_the_secret(
    sandbox: Sandbox, call: Call, audience: AudienceView, receiver: Receiver
) -> None:
    sandbox.set(sign_webhooks=True)
    made = call("POST", "LIST/webhooks", ALL).json()
    audience.add("ada@example.com")

    sandbox.deliver_webhooks()

    parts = dict(
        part.split("=", 1) for part in receiver.headers[0]["X-Mailchimp-Signature"].split(",")
    )
    signed = parts["t"].encode() + b"." + receiver.bodies[0]
    assert (
        parts["v1"] == hmac.new(made["signing_secret"].encode(), signed, hashlib.sha256).hexdigest()
    )
    assert "signing_secret" not in call("GET", f"LIST/webhooks/{made['id']}").json()


def test_the_history_of_statuses_is_kept(audience: AudienceView, call: Call) -> None:
    audience.add("ada@example.com")
    audience.unsubscribe("ada@example.com")
    call("PATCH", "LIST/members/ada@example.com", {"status": "pending"})

    assert [status for _, status, _ in audience.history("ada@example.com")] == [
        "unsubscribed",
        "pending",
    ]
