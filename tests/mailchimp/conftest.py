"""Sessions with the sandbox and the scripted server, with a controlled clock."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from sandbox.mailchimp import Sandbox
from shared.mailchimp.session import MailchimpSession
from shared.mailchimp.transport import ApiKey, RetryPolicy, Transport


class Time:
    """A clock that advances only by sleeping."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox() as running:
        yield running


@pytest.fixture
def transport(time: Time) -> Iterator[Callable[..., Transport]]:
    made: list[Transport] = []

    def make(url: str, auth=None, **more) -> Transport:  # type: ignore[no-untyped-def]
        more.setdefault("retry_policy", RetryPolicy(connect=5, read=5))
        more.setdefault("random", lambda: 0.5)
        more.setdefault("clock", time.clock)
        auth = auth or ApiKey("0123456789abcdef-us1")
        made.append(Transport(url, auth, sleep=time.sleep, **more))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def session(sandbox: Sandbox, transport: Callable[..., Transport]) -> MailchimpSession:
    return MailchimpSession(transport(sandbox.api_url, ApiKey(sandbox.api_key)))
