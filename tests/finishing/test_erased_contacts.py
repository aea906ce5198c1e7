"""People who are erased while a run adds them do not stay in Mailchimp."""

import threading
from typing import Any

import pytest

from sandbox.mailchimp import Fault
from sandbox.samples import Sample, Segment
from shared.finishing.mailchimp_check import MailchimpCheck
from shared.mailchimp.session import MailchimpSession
from shared.model.run import Run
from shared.people.erasures import Erasures
from tests.e2e.running_app import actual_audience
from tests.faults.simulated_deployment import EXPORT, NewDeployment, SimulatedDeployment

SAMPLE = Sample(6, (Segment("A"),), seed=3)
ERASED, KEPT = SAMPLE.address(1), SAMPLE.address(4)


@pytest.fixture
def deployment(new_deployment: NewDeployment) -> SimulatedDeployment:
    deployment = new_deployment()
    deployment.define(SAMPLE)
    app = deployment.app
    app.__dict__["erasures"] = Erasures(app.erasures.records, lambda: bytes(32))
    return deployment


def run_with_erasures(deployment: SimulatedDeployment) -> Run:
    """A run during which two people are erased, one of them also in Mailchimp."""
    app = deployment.app
    started = app.starter.start(EXPORT)
    deployment.plan(started.id)
    app.eraser.erase(ERASED, in_mailchimp=True, by="")
    app.eraser.erase(KEPT, in_mailchimp=False, by="")
    return deployment.run_to_end(started.id)


def test_a_person_added_after_the_erasure_is_deleted_at_the_end_of_the_run(
    deployment: SimulatedDeployment,
) -> None:
    ended = run_with_erasures(deployment)

    there = set(actual_audience(deployment.audience))
    assert there == {SAMPLE.address(number) for number in SAMPLE.numbers} - {ERASED}
    assert ended.segments[0].in_mailchimp == 5


def test_the_only_connection_first_counts_contacts_and_then_deletes_the_person(
    deployment: SimulatedDeployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    deployment.app.slots.connections = 1
    deleted_twice = threading.Event()
    count, delete = MailchimpCheck.count, MailchimpSession.delete_for_good
    order: list[str] = []

    def counted(*given: Any) -> Any:
        deleted_twice.wait(0.3)
        order.append("count")
        return count(*given)

    def deleted(*given: Any) -> Any:
        order.append("delete")
        if order.count("delete") == 2:
            deleted_twice.set()
        return delete(*given)

    monkeypatch.setattr(MailchimpCheck, "count", counted)
    monkeypatch.setattr(MailchimpSession, "delete_for_good", deleted)

    run_with_erasures(deployment)

    # The first one is that of the erasure itself.
    assert order == ["delete", "count", "delete"]
    assert ERASED not in actual_audience(deployment.audience)


def test_a_person_who_cannot_be_deleted_at_the_end_of_the_run_is_reported(
    deployment: SimulatedDeployment,
) -> None:
    deployment.sandbox.arm(Fault("500", "POST", "/actions/delete-permanent", times=None, skip=1))

    ended = run_with_erasures(deployment)

    (finding,) = [found for found in ended.findings if found.code == "erasedNotDeleted"]
    assert finding.values == {"people": "1"}
