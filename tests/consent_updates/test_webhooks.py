"""Mailchimp's webhooks bring changes into the table at once, and their calls change nothing else."""

import os
import random
from collections.abc import Iterator
from dataclasses import replace

import pytest

from shared.model.connection import ConnectionStatus
from tests.consent_updates.consent_deployment import ConsentDeployment
from tests.faults.simulated_deployment import CONNECTION, EXPORT, NewDeployment

# `make faults` kills before and after every write, `make test` before or after it.
STEP = 1 if os.environ.get("LONG_TESTS") else 2
FORM = {"Content-Type": "application/x-www-form-urlencoded", "User-Agent": "MailChimp"}


@pytest.fixture
def made(new_deployment: NewDeployment) -> Iterator[ConsentDeployment]:
    """A deployment that has exported and published people 1 to 6."""
    made = ConsentDeployment(new_deployment())
    made.seed(6)
    made.sweep()
    yield made
    made.sandbox.set(
        sign_webhooks=False, webhook_loss=0.0, webhook_doubled=0.0, webhook_disorder=False
    )
    made.sandbox.world.webhooks.pending.clear()


def test_a_change_is_in_the_table_after_one_call(made: ConsentDeployment) -> None:
    made.audience.unsubscribe("p1@example.com")
    made.audience.change_address("p2@example.com", "new@example.com")
    before = made.deployment.clock.seconds()

    assert made.sandbox.deliver_webhooks() == 2
    assert made.requested() == 1
    made.deliver()

    assert made.statuses()["1"] == "unsubscribed"
    assert made.deployment.clock.seconds() - before < 60


def test_the_address_has_a_token_that_is_not_stored(made: ConsentDeployment) -> None:
    (webhook,) = made.webhooks()
    token = webhook.url.rpartition("/")[2]

    assert len(token) == 64
    assert webhook.url == f"http://127.0.0.1:7071/api/mailchimp/webhooks/{token}"
    assert token not in repr(made.deployment.store.__dict__)
    assert not webhook.sources["api"]


def test_forged_and_repeated_calls_change_nothing(made: ConsentDeployment) -> None:
    (webhook,) = made.webhooks()
    before = dict(made.container)
    body = b"type=unsubscribe&data%5Bemail%5D=p1%40example.com"
    for token in ("0" * 64, "x", webhook.url.rpartition("/")[2].upper(), "%00"):
        url = f"http://127.0.0.1:7071/api/mailchimp/webhooks/{token}"
        assert made.fetch("POST", url, body, FORM) == 404
    assert made.requested() == 0

    # Someone who has the address can only cause a sweep, and one for any number of calls.
    assert {made.fetch("POST", webhook.url, body, FORM) for _ in range(20)} == {200}
    assert made.requested() == 1
    made.deliver()

    assert made.statuses() == made.truth()
    assert made.container == before


def test_a_call_without_a_valid_signature_is_refused_if_there_is_a_secret(
    made: ConsentDeployment,
) -> None:
    made.audience.state.webhooks.clear()
    made.sandbox.set(sign_webhooks=True)
    made.sweep()
    (webhook,) = made.webhooks()
    assert webhook.secret
    for signature in ("", "t=1,v1=00", "v1=", "t=1", f"t=1,v1={'0' * 64}"):
        headers = {**FORM, "X-Mailchimp-Signature": signature}
        assert made.fetch("POST", webhook.url, b"type=profile", headers) == 404
    assert made.requested() == 0

    made.audience.unsubscribe("p3@example.com")
    made.sandbox.deliver_webhooks()

    assert made.requested() == 1
    made.deliver()
    assert made.statuses()["3"] == "unsubscribed"


def test_a_webhook_that_was_removed_is_registered_again(made: ConsentDeployment) -> None:
    (first,) = made.webhooks()
    made.audience.state.webhooks.clear()
    made.sweep()

    (second,) = made.webhooks()
    assert second.url != first.url
    assert made.fetch("POST", first.url, b"type=profile", FORM) == 404
    assert made.fetch("POST", second.url, b"type=profile", FORM) == 200


def test_webhooks_of_other_programs_are_left_alone(made: ConsentDeployment) -> None:
    state = made.audience.state
    other = replace(made.webhooks()[0], id="other", url="https://other.example.com/hook")
    state.webhooks["other"] = other
    made.app.exports.delete(EXPORT)
    made.sweep()

    assert made.webhooks() == [other]
    assert list(made.app.consent_webhooks.records.all()) == []


def test_disconnecting_removes_the_webhook(made: ConsentDeployment) -> None:
    url = f"http://127.0.0.1:7071/api/connections/{CONNECTION}/mailchimp"
    assert made.fetch("DELETE", url, b"", {}) == 200

    assert made.webhooks() == []
    made.sweep()
    assert made.table() == []


@pytest.mark.parametrize("path", ["/mailchimp", ""], ids=["disconnected", "deleted"])
def test_the_webhook_of_an_audience_that_no_export_uses_any_more_is_removed_with_the_connection(
    made: ConsentDeployment, path: str
) -> None:
    made.app.exports.delete(EXPORT)
    url = f"http://127.0.0.1:7071/api/connections/{CONNECTION}{path}"
    assert made.fetch("DELETE", url, b"", {}) in (200, 204)

    assert made.webhooks() == []


def test_a_webhook_that_was_registered_during_the_first_run_is_removed_with_the_export(
    new_deployment: NewDeployment,
) -> None:
    made = ConsentDeployment(new_deployment())
    made.rows.define()
    made.app.consent_updates.request_due()
    made.app.starter.start(EXPORT)
    made.deliver()
    assert len(made.webhooks()) == 1
    made.app.exports.delete(EXPORT)
    made.sweep()

    assert made.webhooks() == []
    assert list(made.app.consent_webhooks.records.all()) == []


def test_data_of_an_unused_audience_is_removed_although_mailchimp_refuses_the_grant(
    made: ConsentDeployment,
) -> None:
    made.sandbox.disable()
    made.app.exports.delete(EXPORT)
    made.sweep()
    made.sandbox.disable(False)

    connection = made.app.connections.read(CONNECTION).value
    assert connection.status is ConnectionStatus.RECONNECT
    assert made.table() == []
    assert list(made.app.consent_webhooks.records.all()) == []


def test_an_address_that_mailchimp_refuses_is_tried_again_after_a_day(
    made: ConsentDeployment,
) -> None:
    made.audience.state.webhooks.clear()
    made.sandbox.world.webhooks.fetch = lambda *_: 0
    made.sweep()
    made.audience.unsubscribe("p1@example.com")
    made.sweep()
    assert made.statuses() == made.truth()
    made.sandbox.world.webhooks.fetch = made.fetch
    made.sweep()
    assert made.webhooks() == []

    made.sweep(86_400)

    assert len(made.webhooks()) == 1


@pytest.mark.parametrize("applied", [False, True], ids=["before", "after"])
def test_a_registration_killed_at_any_write_leaves_one_working_webhook(
    made: ConsentDeployment, applied: bool
) -> None:
    made.sandbox.set(sign_webhooks=True)
    made.audience.state.webhooks.clear()
    made.deployment.start_process()
    made.sweep()
    for at in range(1 + applied, made.deployment.client.writes + 1, STEP):
        made.audience.state.webhooks.clear()
        made.deployment.start_process(at, applied=applied)
        made.sweep()
        made.sweep()

        made.audience.add("p1@example.com", merge_fields={"FNAME": f"Ada {at}"})
        assert len(made.webhooks()) == 1, f"killed at write {at}"
        made.sandbox.deliver_webhooks()
        assert made.requested() == 1, f"killed at write {at}"
        made.deliver()
        secrets = made.deployment.store.containers["secrets"]
        stored = [name for name in secrets if name.startswith("mailchimp-webhook-")]
        assert len(stored) == 1, f"killed at write {at}"


def test_the_table_equals_mailchimp_although_webhooks_are_lost_doubled_reordered_and_forged(
    made: ConsentDeployment,
) -> None:
    dice = random.Random(4)
    count = 60
    made.seed(count)
    made.sweep()
    (webhook,) = made.webhooks()
    made.sandbox.set(webhook_loss=0.3, webhook_doubled=0.3, webhook_disorder=True)
    changed = dice.sample(range(1, count + 1), 40)
    for number in changed:
        made.audience.unsubscribe(f"p{number}@example.com", by=dice.choice(["self", "admin"]))
        forged = f"type=subscribe&data%5Bemail%5D=p{number}%40example.com".encode()
        token = f"{dice.getrandbits(256):064x}"
        made.fetch("POST", webhook.url.rpartition("/")[0] + f"/{token}", forged, FORM)
        if dice.random() < 0.2:
            made.sandbox.deliver_webhooks()
            made.deliver()
    made.sandbox.deliver_webhooks()
    made.deliver()
    made.sweep()

    assert made.sandbox.world.webhooks.counts["lost"] > 0
    assert made.sandbox.world.webhooks.counts["doubled"] > 0
    assert made.statuses() == made.truth()
    assert list(made.statuses().values()).count("unsubscribed") == len(changed)
