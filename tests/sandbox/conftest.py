"""A fresh Mailchimp per test, with one audience and a caller."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests

from sandbox.mailchimp import AudienceView, Sandbox

Call = Callable[..., requests.Response]


class Clock:
    """A controlled clock; sleeping advances it."""

    def __init__(self) -> None:
        self.now = 1_790_000_000.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def sandbox(clock: Clock) -> Iterator[Sandbox]:
    with Sandbox(now=clock, sleep=clock.sleep) as running:
        yield running


@pytest.fixture
def audience(sandbox: Sandbox) -> AudienceView:
    return sandbox.audience("Newsletter")


@pytest.fixture
def call(sandbox: Sandbox, audience: AudienceView) -> Iterator[Call]:
    """`call("GET", "LIST/members", json)`: LIST is replaced by the path of the audience."""
    with requests.Session() as session:
        session.auth = ("anystring", sandbox.api_key)

        def send(method: str, path: str, body: Any = None, **more: Any) -> requests.Response:
            url = sandbox.api_url + path.replace("LIST", f"/lists/{audience.id}")
            return session.request(method, url, json=body, timeout=100, **more)

        yield send


@pytest.fixture
def subscribe(call: Call) -> Callable[..., Any]:
    """Batch subscribe these members with `update_existing`; the answer's JSON."""

    def send(*members: dict[str, Any], query: str = "", **body: Any) -> Any:
        given = {"members": list(members), "update_existing": True} | body
        answer = call("POST", f"LIST{query}", given)
        assert answer.status_code == 200, answer.text
        return answer.json()

    return send


def person(address: str, status: str | None = "subscribed", **more: Any) -> dict[str, Any]:
    """One entry of a batch."""
    return {"email_address": address} | ({"status": status} if status else {}) | more
