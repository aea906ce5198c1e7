"""A search by address or CustomerId finds what an export sent last, and why a person was not sent."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import requests

from sandbox.samples import Sample, Segment
from shared.model.export import SegmentChoice
from shared.model.finding import Reason
from shared.model.names import outcomes_table
from shared.model.one_person import ChosenPerson
from shared.model.run import RunStatus
from shared.people import search
from shared.request_time import request_time
from shared.runs.planning_ended import PlanningEnded
from tests import reused_databases
from tests.faults.conftest import clock, mailchimp, new_deployment
from tests.faults.simulated_deployment import CONNECTION, EXPORT, NewDeployment, SimulatedDeployment
from tests.planning.row_deployment import RowDeployment, person

__all__ = ["clock", "mailchimp", "new_deployment"]

SAMPLE = Sample(12, (Segment("A", 1.0), Segment("B", 0.5)), seed=5)


def test_a_search_finds_tags_values_and_times_by_address_and_by_profile(
    new_deployment: NewDeployment,
) -> None:
    deployment = new_deployment()
    deployment.define(SAMPLE)
    run = deployment.run()
    search = deployment.app.search
    rows = list(deployment.app.outcomes.rows(run.id))
    row = next(row for row in rows if len(row.segments) == 2)
    [by_address] = search.find(row.email.upper())
    [by_profile] = search.find(customer_id=row.customer_id)
    assert by_profile == by_address
    assert by_address.tags == row.segments
    assert (by_address.email, by_address.customer_id) == (row.email, row.customer_id)
    assert by_address.sent_at == by_address.at == run.finished_at
    assert by_address.in_audience == "subscribed"
    sent = dict(by_address.values)
    contact = deployment.audience.members()[row.email]
    assert sent["FNAME"] == contact.merge_fields["FNAME"]
    [unknown] = search.find(customer_id="no-such-profile")
    assert (unknown.code, unknown.in_audience, unknown.values) == ("notInSegment", "unknown", ())


@pytest.mark.parametrize(("accounts", "at_once"), [(1, 2), (6, 1)])
def test_a_search_waits_only_once_for_accounts_that_do_not_answer(
    accounts: int,
    at_once: int,
    new_deployment: NewDeployment,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(search, "_AT_ONCE", at_once)
    deployment = new_deployment()
    deployment.read_timeout = 125.0  # as in the app
    deployment.start_process()
    deployment.define(SAMPLE)
    deployment.run()
    stored = deployment.app.exports.read(EXPORT)
    assert stored is not None
    for number in range(5):
        other = replace(stored.value, id=f"other{number}", audience_id=f"a{number}")
        if accounts > 1:
            other = replace(other, connection_id=_other_account(deployment, f"account{number}"))
        deployment.app.exports.create(other.id, other)
    asked = []

    def send(self: object, request: object, timeout: tuple[float, float], **_: object) -> None:
        asked.append(request)
        deployment.clock.forward(timeout[1])
        raise requests.ReadTimeout

    monkeypatch.setattr(requests.adapters.HTTPAdapter, "send", send)
    began = deployment.clock.seconds()
    with request_time(deployment.clock.seconds):
        found = deployment.app.search.find("ada@example.com")
    assert [one.in_audience for one in found] == ["unknown"] * 6
    # A second account still gets the rest of the time.
    assert 1 <= len(asked) <= 2
    assert accounts == 1 or deployment.clock.seconds() - began < 230


def _other_account(deployment: SimulatedDeployment, account_id: str) -> str:
    """Add a connection to another Mailchimp account. Returns its id."""
    app = deployment.app
    first = app.connections.read(CONNECTION)
    assert first is not None
    assert first.value.grant is not None
    grant = replace(first.value.grant, account_id=account_id)
    other = replace(first.value, id=f"c-{account_id}", grant=grant)
    app.connections.create(other.id, other)
    app.secrets.put(other.secret_name, "key-us1")
    return other.id


def test_a_search_after_an_undo_still_says_why_a_person_was_not_sent(
    new_deployment: NewDeployment,
) -> None:
    rows = RowDeployment(new_deployment())
    rows.define()
    run = rows.run(person(0), person(1, "no"))
    search = rows.deployment.app.search
    [before] = search.find("p1@example.com")

    undo = rows.deployment.undo(run)

    assert undo.status is RunStatus.SUCCESSFUL
    [after] = search.find("p1@example.com")
    assert after == before
    assert (after.outcome, after.code, after.segments) == ("kept", "noConsent", ("People",))
    [undone] = search.find("p0@example.com")
    assert (undone.at, undone.tags) == (undo.finished_at, ())


def test_a_search_names_the_tag_that_a_person_has_after_the_export_got_another(
    new_deployment: NewDeployment,
) -> None:
    rows = RowDeployment(new_deployment())
    rows.define()
    rows.run(person(0), person(1))
    rows.change(segments=(SegmentChoice("People", "Customers"),))
    search = rows.deployment.app.search
    assert search.find("p0@example.com")[0].tags == ("People",)
    one = rows.deployment.app.one_person.start(EXPORT, "Kim", ChosenPerson("p0@example.com"))
    rows.deployment.run_to_end(one.id)
    assert [search.find(f"p{n}@example.com")[0].tags for n in (0, 1)] == [
        ("Customers",),
        ("People",),
    ]
    [sent] = rows.deployment.app.one_person.sent(one.id)
    assert (sent.tags_sent, sent.tags_removed) == (("Customers",), ("People",))

    run = rows.run(person(0), person(1))
    assert search.find("p1@example.com")[0].tags == ("Customers",)
    rows.deployment.undo(run)

    assert search.find("p1@example.com")[0].tags == ("People",)
    assert rows.deployment.audience.members()["p1@example.com"].tags == {"People"}


def test_an_export_without_a_completed_run_is_not_reported_as_never_run(
    new_deployment: NewDeployment,
) -> None:
    deployment = new_deployment()
    deployment.define(SAMPLE)
    app = deployment.app
    assert app.search.find("ada@example.org")[0].code == "notRun"
    run = app.starter.start(EXPORT)
    app.transitions.begin_planning(run.id)
    end = PlanningEnded(RunStatus.FAILED, Reason("noNewData"))
    app.transitions.end_planning(run.id, end)
    assert app.search.find("ada@example.org")[0].code == "notCompleted"
    deployment.run()
    assert app.search.find("nobody@example.org")[0].code == "notInSegment"


@pytest.mark.parametrize("in_outcomes", [True, False])
def test_a_search_by_profile_reports_one_contact_after_a_change_of_address(
    new_deployment: NewDeployment, tmp_path: Path, in_outcomes: bool
) -> None:
    deployment = new_deployment()
    deployment.define(SAMPLE)
    run = deployment.run()
    search = deployment.app.search
    row = next(row for row in deployment.app.outcomes.rows(run.id) if len(row.segments) == 2)
    [expected] = search.find(row.email)
    pointer = search.ledgers.read(EXPORT)
    assert pointer is not None
    before, after = tmp_path / "before.parquet", tmp_path / "after.parquet"
    search.files.download(pointer.value.blob, before)
    with reused_databases.connect() as db:
        former = db.read_parquet(str(before)).filter(f"address = '{row.email}'")
        former = former.project(
            "* REPLACE ('a-former@example.org' AS address, NULL AS fingerprint, [] AS tags)"
        )
        former.union(db.read_parquet(str(before))).write_parquet(str(after))
    search.files.upload(after, pointer.value.blob)
    if not in_outcomes:
        search.files.delete(outcomes_table(run.id))

    [found] = search.find(customer_id=row.customer_id)

    assert (found.email, found.tags, found.values, found.sent_at) == (
        row.email,
        expected.tags,
        expected.values,
        expected.sent_at,
    )
