"""A small run beside a large one of the same account, in virtual time."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest

from sandbox.mailchimp.sandbox import Sandbox
from sandbox.samples import Sample, Segment
from shared.capacity import renewed_lease
from shared.errors import ConnectorError
from shared.mailchimp.gateway import MailchimpGateway
from shared.model.export import SegmentChoice
from shared.model.run import Run, RunStatus
from shared.runtime import Runtime
from tests.fakes import StoreClient
from tests.faults.simulated_deployment import CHUNK, EXPORT, SimulatedDeployment
from tests.faults.virtual_time import VirtualTime

ALONE, BESIDE = "alone", "beside"
# Two chunks beside 80: the large run needs eight calls on each of ten connections.
SAMPLE = Sample(80 * CHUNK, (Segment("All", 1.0), Segment("Few", 2 / 80)), seed=7)
CALL, READ, POLL = 2.6, 0.1, 0.1
_BATCH = re.compile(r"/lists/[^/]+$")


@dataclass
class TimedDeployment(SimulatedDeployment):
    """A deployment whose messages are processed at the same time, and whose calls take virtual time."""

    def start_process(self, kill_at: int | None = None, *, applied: bool = False) -> None:
        clock: Any = self.clock
        self.client = StoreClient(self.store)
        self.app = self.build(
            self.client,
            Runtime(
                now=clock.now,
                monotonic=clock.seconds,
                sleep=clock.sleep,
                randrange=lambda _: 0,
            ),
        )

    def _mailchimp(self, client: StoreClient) -> MailchimpGateway:
        gateway: Any = super()._mailchimp(client)
        opened, clock = gateway.open, self.clock

        def open_session(*given: Any) -> Any:
            session = opened(*given)
            http = session._transport._http
            request = http.request

            def slow(method: str, url: str, **more: Any) -> Any:
                clock.forward(CALL if method == "POST" and _BATCH.search(url) else READ)
                return request(method, url, **more)

            http.request = slow
            return session

        gateway.open = open_session
        return gateway  # type: ignore[no-any-return]

    def define_all(self) -> None:
        """Create an export of all people, and two of a few to other audiences."""
        self.define(SAMPLE)
        exports = self.app.exports
        both = exports.read(EXPORT)
        large = replace(both.value, segments=(SegmentChoice("All"),))
        exports.replace(EXPORT, large, both.etag)
        for name in (ALONE, BESIDE):
            audience = self.sandbox.audience(name).id
            few = replace(large, id=name, audience_id=audience, segments=(SegmentChoice("Few"),))
            exports.create(name, few)

    def process_until(self, over: Callable[[], bool]) -> None:
        """Process messages, each in a new thread."""
        clock: Any = self.clock
        while not over():
            assert not clock.errors
            for message in self._due():
                self.store.messages.remove(message)
                clock.start(lambda message=message: self._process(message))
            clock.sleep(POLL)

    def _process(self, message: Any) -> None:
        try:
            self._handle(self.app, message)
        except ConnectorError:
            message.visible_at = self.clock.seconds() + 1
            self.store.messages.append(message)

    def run_of(self, run_id: str) -> Run:
        """The stored run."""
        run: Run = self.app.runs.read(run_id).value
        return run

    def seconds_of(self, run_id: str) -> float:
        """The duration of a run that has ended."""
        run = self.run_of(run_id)
        assert run.status in (RunStatus.SUCCESSFUL, RunStatus.COMPLETED_WITH_WARNINGS), run
        assert run.finished_at is not None
        assert run.queued_at is not None
        return (run.finished_at - run.queued_at).total_seconds()


@pytest.fixture
def deployment(monkeypatch: pytest.MonkeyPatch) -> Iterator[TimedDeployment]:
    # Leases are renewed in real time, and so must not end in virtual time.
    monkeypatch.setattr(renewed_lease, "LEASE_SECONDS", 10**6)
    clock = VirtualTime()
    with Sandbox(now=clock.seconds) as sandbox:
        yield TimedDeployment(sandbox, monkeypatch, clock)


def test_a_small_run_beside_a_large_one_takes_at_most_twice_its_time_alone(
    deployment: TimedDeployment,
) -> None:
    deployment.define_all()
    alone = deployment.app.starter.start(ALONE).id
    deployment.process_until(lambda: deployment.run_of(alone).is_over)
    large = deployment.app.starter.start(EXPORT).id
    deployment.process_until(lambda: len(deployment.audience.members()) > 0)

    beside = deployment.app.starter.start(BESIDE).id
    deployment.process_until(lambda: deployment.run_of(beside).is_over)

    assert deployment.run_of(large).status is RunStatus.SENDING
    assert deployment.run_of(beside).counts.created == deployment.run_of(alone).counts.created > 0
    assert deployment.seconds_of(beside) <= 2 * deployment.seconds_of(alone)
    deployment.process_until(lambda: deployment.run_of(large).is_over)
    assert deployment.sandbox.calls.peak_in_flight <= 10
