"""Mills to break."""

from collections.abc import Callable, Iterator

import pytest

from sandbox.mailchimp.box import Sandbox
from tests.exports.fakes import Clock
from tests.faults.mill import Mill


@pytest.fixture(scope="module")
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="module")
def mailchimp(clock: Clock) -> Iterator[Sandbox]:
    """A Mailchimp whose clock is the mills' own."""
    with Sandbox(now=clock.seconds) as box:
        yield box


@pytest.fixture
def new_mill(
    mailchimp: Sandbox, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> Callable[[], Mill]:
    return lambda: Mill(mailchimp, monkeypatch, clock)
