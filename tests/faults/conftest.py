"""Simulated deployments to break, and what real processes to break need: a storage of their own, and a Mailchimp."""

from collections.abc import Callable, Iterator

import pytest

from devhost.processes import Azurite, running, start_azurite
from sandbox.mailchimp.box import Sandbox
from tests.fakes import Clock
from tests.faults.simulated_deployment import SimulatedDeployment


@pytest.fixture(scope="module")
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="module")
def mailchimp(clock: Clock) -> Iterator[Sandbox]:
    """A Mailchimp whose clock is the deployments' own."""
    with Sandbox(now=clock.seconds) as box:
        yield box


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Azurite]:
    """A storage of its own: no other app may take messages from these queues."""
    with running(start_azurite(tmp_path_factory.mktemp("azurite"))) as found:
        yield found


@pytest.fixture(scope="module")
def box() -> Iterator[Sandbox]:
    with Sandbox() as box:
        yield box


@pytest.fixture
def consent_is_kept(box: Sandbox) -> Iterator[None]:
    """Whatever breaks, no status changes, and no more than ten connections are open."""
    box.calls.clear()
    yield
    box.disarm()
    assert box.calls.statuses_contradicted == 0
    assert not box.calls.statuses_changed
    assert box.calls.peak_in_flight <= 10


@pytest.fixture
def new_deployment(
    mailchimp: Sandbox, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> Callable[[], SimulatedDeployment]:
    return lambda: SimulatedDeployment(mailchimp, monkeypatch, clock)
