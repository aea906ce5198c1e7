"""Simulated deployments, and storage and a Mailchimp for real processes."""

from collections.abc import Callable, Iterator

import pytest

from devhost.processes import Azurite
from sandbox.mailchimp.sandbox import Sandbox
from sandbox.samples import Sample
from tests.fakes import Clock
from tests.faults.simulated_deployment import NewDeployment, RunResult, SimulatedDeployment


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
) -> Iterator[NewDeployment]:
    """Create deployments; after the test, Mailchimp has no faults and its former options."""
    options = mailchimp.world.options
    yield lambda: SimulatedDeployment(mailchimp, monkeypatch, clock)
    mailchimp.disarm()
    mailchimp.world.options = options


@pytest.fixture(scope="session")
def _results() -> dict[tuple[Sample, ...], RunResult]:
    return {}


@pytest.fixture
def undisturbed(
    new_deployment: NewDeployment,
    _results: dict[tuple[Sample, ...], RunResult],
) -> Callable[..., RunResult]:
    """Return the result of the last of several runs without faults, one for each sample; computed once."""

    def result(*samples: Sample) -> RunResult:
        if samples not in _results:
            deployment = new_deployment()
            for sample in samples:
                deployment.define(sample)
                run = deployment.run()
            _results[samples] = deployment.result_of(run)
        return _results[samples]

    return result
