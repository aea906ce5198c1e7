"""Customer Insights finds the status of every exported person, as Mailchimp has it after the last sweep."""

import json
import os
from dataclasses import replace
from datetime import timedelta

import pytest

from shared.consent_updates import sweep, table
from shared.messaging.messages import audience_of
from shared.model.connection import ConnectionStatus
from shared.model.run import RunStatus
from tests.consent_updates.consent_deployment import MODEL, ConsentDeployment
from tests.faults.simulated_deployment import CONNECTION, EXPORT, NewDeployment
from tests.planning.row_deployment import person

# `make faults` kills before and after every write, `make test` before or after it.
STEP = 1 if os.environ.get("LONG_TESTS") else 2


@pytest.fixture
def made(new_deployment: NewDeployment) -> ConsentDeployment:
    return exported(new_deployment)


def exported(new_deployment: NewDeployment, count: int = 6) -> ConsentDeployment:
    """A deployment that has exported people 1 to `count`."""
    made = ConsentDeployment(new_deployment())
    made.seed(count)
    return made


def change(made: ConsentDeployment) -> None:
    made.audience.unsubscribe("p1@example.com")
    made.audience.unsubscribe("p2@example.com", by="admin")
    made.audience.add("p3@example.com", status="cleaned", cause="bounce")
    made.audience.add("p4@example.com", status="archived")


def test_the_table_has_the_status_of_every_exported_person(
    new_deployment: NewDeployment,
) -> None:
    made = ConsentDeployment(new_deployment())
    made.rows.define()
    run = made.rows.run(*(person(number) for number in range(1, 7)))
    assert run.status is RunStatus.SUCCESSFUL
    made.audience.add("stranger@example.com")
    change(made)
    made.sweep()

    assert made.statuses() == {
        "1": "unsubscribed", "2": "unsubscribed", "3": "cleaned", "4": "archived",
        "5": "subscribed", "6": "subscribed",
    }  # fmt: skip
    rows = {row["CustomerId"]: row for row in made.table()}
    assert rows["1"]["reason"] == "noLongerInterested"
    assert rows["2"]["reason"] == "unsubscribedByAdmin"
    assert rows["1"]["since"].endswith("Z")
    assert rows["1"]["MailchimpConsentId"] == f"{made.audience.id}-1"
    assert rows["1"]["audienceName"] == made.audience.name
    assert b"example.com" not in b"".join(
        data for name, data in made.container.items() if name.startswith("consent/")
    )


def test_the_table_follows_changes_in_both_directions(made: ConsentDeployment) -> None:
    change(made)
    made.sweep()
    made.audience.add("p1@example.com")
    made.audience.unsubscribe("p6@example.com")
    made.sweep()

    assert made.statuses()["1"] == "subscribed"
    assert made.statuses()["6"] == "unsubscribed"


def test_an_audience_is_read_after_a_run_and_not_while_it_is_sent(made: ConsentDeployment) -> None:
    run = made.app.starter.start(EXPORT)
    made.deployment.clock.forward(3600)
    assert made.app.consent_updates.request_due() == 0
    made.app.commands.cancel(run.id)
    assert made.app.consent_updates.request_due() == 1


def test_a_webhook_during_a_run_reads_only_who_unsubscribed_or_bounced(
    made: ConsentDeployment,
) -> None:
    made.sweep()
    made.audience.unsubscribe("p5@example.com")
    made.sweep()
    run = made.app.starter.start(EXPORT)
    made.audience.unsubscribe("p1@example.com")
    made.audience.add("p2@example.com", status="cleaned", cause="bounce")
    made.audience.add("p5@example.com")
    made.sandbox.deliver_webhooks()
    made.deliver()

    assert made.statuses() == made.truth() | {"5": "unsubscribed"}

    made.app.commands.cancel(run.id)
    made.sweep(60)

    assert made.statuses() == made.truth()


def test_the_campaign_of_people_who_unsubscribe_is_read(
    made: ConsentDeployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweep, "MOST_CAMPAIGNS", 2)
    made.audience.unsubscribe("p1@example.com")
    made.sweep()
    for number in (2, 3, 4):
        made.deployment.clock.forward(60)
        gone = {"status": "unsubscribed", "cause": "self", "campaign": f"c{number}"}
        made.audience.add(f"p{number}@example.com", **gone)
    made.audience.unsubscribe("p5@example.com", by="admin")
    made.sweep()
    made.audience.add("p4@example.com", merge_fields={"FNAME": "Ada"}, **gone)
    made.sweep()

    campaigns = {row["CustomerId"]: row["campaignId"] for row in made.table()}
    # The newest two of three; no one of the first sweep, and no one that an administrator removed.
    assert campaigns == {"1": "", "2": "", "3": "c3", "4": "c4", "5": "", "6": ""}


def test_a_person_with_two_addresses_has_the_stricter_status(made: ConsentDeployment) -> None:
    made.seed(6, c1=("new1@example.com",), c2=("new2@example.com",), c3=("new3@example.com",))
    made.audience.unsubscribe("p1@example.com")
    made.audience.add("p2@example.com", status="cleaned", cause="bounce")
    made.audience.add("new3@example.com", status="archived")
    made.sweep()

    # A bounced or archived address may have been replaced, and an unsubscribed one decides for the person.
    statuses = made.statuses()
    assert (statuses["1"], statuses["2"], statuses["3"]) == (
        "unsubscribed",
        "subscribed",
        "subscribed",
    )


def test_an_unchanged_audience_is_neither_published_nor_stored_again(
    made: ConsentDeployment,
) -> None:
    made.sweep()
    made.sweep()
    before = (dict(made.container), len(made.deployment.sandbox.calls.last))
    made.sweep()

    assert dict(made.container) == before[0]
    assert len(made.deployment.sandbox.calls.last) - before[1] <= 10


def test_replaced_files_are_kept_for_two_hours(made: ConsentDeployment) -> None:
    made.sweep()
    made.audience.unsubscribe("p1@example.com")
    made.sweep()
    assert len([name for name in made.container if name.endswith("MailchimpConsent.csv")]) == 2

    made.sweep(7_200)
    made.sweep()

    (name,) = [name for name in made.container if name.endswith("MailchimpConsent.csv")]
    assert name.encode() in made.container[MODEL]
    assert made.statuses()["1"] == "unsubscribed"


def test_a_sweep_by_an_instance_whose_clock_is_ahead_delays_and_hides_no_change(
    made: ConsentDeployment,
) -> None:
    deployment, clock = made.deployment, made.deployment.clock
    ahead = deployment.build(
        deployment.client,
        replace(deployment.runtime(), now=lambda: clock.now() + timedelta(hours=3)),
    )
    ahead.consent_updates.request_due()
    message = deployment.store.messages.pop()
    ahead.consent_updates.update(audience_of(message.body))
    assert made.statuses()["1"] == "subscribed"

    made.audience.unsubscribe("p1@example.com")
    made.sweep()

    assert made.statuses()["1"] == "unsubscribed"


def test_a_large_table_is_written_less_often(
    made: ConsentDeployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    made.sweep()
    monkeypatch.setattr(table, "ROWS_A_SECOND", 6 / 7_200)
    made.audience.unsubscribe("p1@example.com")
    made.deployment.clock.forward(600)
    made.app.consent_updates.request(made.key)
    message = made.deployment.store.messages.pop()
    made.app.consent_updates.update(audience_of(message.body))

    assert made.statuses()["1"] == "subscribed"
    made.deliver()
    assert made.statuses()["1"] == "unsubscribed"
    assert made.requested() == 0


def test_an_erased_person_is_in_no_file(made: ConsentDeployment) -> None:
    made.sweep()
    made.audience.unsubscribe("p2@example.com")
    made.sweep()
    made.app.eraser.erase("p1@example.com", in_mailchimp=False, by="Ada")

    def customers() -> set[str]:
        return {
            line.split(",")[1].strip('"')
            for name, data in made.container.items()
            if name.endswith("MailchimpConsent.csv")
            for line in data.decode().splitlines()[1:]
        }

    assert customers() == {"2", "3", "4", "5", "6"}
    made.audience.unsubscribe("p1@example.com")
    made.sweep()
    made.sweep()
    assert customers() == {"2", "3", "4", "5", "6"}


def test_the_data_of_an_audience_that_no_export_uses_is_deleted(made: ConsentDeployment) -> None:
    made.sweep()
    made.app.exports.delete(EXPORT)
    made.sweep()

    assert json.loads(made.container[MODEL])["entities"][0]["partitions"] == []
    assert [name for name in made.container if name.endswith("MailchimpConsent.csv")] == []
    assert [name for name in made.deployment.store.blobs if name.startswith("consent/")] == []
    assert list(made.app.consent_sweeps.all()) == list(made.app.published_consent.all()) == []


def test_a_connection_that_must_be_connected_again_keeps_the_table(made: ConsentDeployment) -> None:
    made.sweep()
    before = made.table()
    stored = made.app.connections.read(CONNECTION)
    lost = replace(stored.value, status=ConnectionStatus.RECONNECT)
    made.app.connections.replace(CONNECTION, lost, stored.etag)
    made.audience.unsubscribe("p1@example.com")
    made.sweep()

    assert made.table() == before


def test_a_deleted_audience_is_recorded_and_tried_again(made: ConsentDeployment) -> None:
    made.rows.change(audience_id="a0a0a0a0a0")
    made.sweep()

    (stored,) = [one for one in made.app.consent_sweeps.all() if one.key.endswith("a0a0a0a0a0")]
    assert stored.value.problem is not None
    made.rows.change(audience_id=made.audience.id)
    made.sweep()
    assert made.statuses() == made.truth()


@pytest.mark.parametrize("applied", [False, True], ids=["before", "after"])
def test_a_publication_killed_at_any_write_has_the_same_result(
    new_deployment: NewDeployment, applied: bool
) -> None:
    made = exported(new_deployment, 4)
    made.sweep()
    change(made)
    made.deployment.start_process()
    made.sweep()
    writes = made.deployment.client.writes
    assert writes > 8
    for at in range(1 + applied, writes + 1, STEP):
        # Alternately, so that every repetition has something to publish.
        gone = made.truth()["4"] != "unsubscribed"
        status = "unsubscribed" if gone else "subscribed"
        made.audience.add("p4@example.com", status=status, cause="self" if gone else "")
        made.deployment.start_process(at, applied=applied)
        made.sweep()
        made.sweep()  # a process may have been killed before it sent the message of its request

        assert made.statuses() == made.truth(), f"killed at write {at} of {writes}"
    stored = [name for name in made.deployment.store.blobs if name.startswith("consent/")]
    assert len(stored) == 1
