"""Simulated deployments, and storage and a Mailchimp for real processes."""

from collections.abc import Callable, Iterator

import pytest

from devhost.processes import Azurite
from sandbox.mailchimp.sandbox import Sandbox
from tests.fakes import Clock
from tests.faults.simulated_deployment import SimulatedDeployment


@pytest.fixture(scope="module")
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="module")
def mailchimp(clock: Clock) -> Iterator[Sandbox]:
    """A Mailchimp with the clock of the simulated deployments."""
    with Sandbox(now=clock.seconds) as sandbox:
        yield sandbox


@pytest.fixture(scope="module")
def emulator(separate_storage: Callable[[], Azurite]) -> Azurite:
    """Separate storage: no other app may receive messages from these queues."""
    return separate_storage()


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox() as sandbox:
        yield sandbox


@pytest.fixture
def consent_is_kept(sandbox: Sandbox) -> Iterator[None]:
    """Check that no status changed and at most ten connections were open."""
    sandbox.calls.clear()
    yield
    sandbox.disarm()
    assert sandbox.calls.statuses_contradicted == 0
    assert not sandbox.calls.statuses_changed
    assert sandbox.calls.peak_in_flight <= 10


@pytest.fixture
def new_deployment(
    mailchimp: Sandbox, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> Callable[[], SimulatedDeployment]:
    return lambda: SimulatedDeployment(mailchimp, monkeypatch, clock)
