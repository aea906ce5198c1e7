"""Search and erasure of one person across all exports."""

from collections.abc import Callable

import pytest

from devhost.api_client import ApiError
from sandbox import wrap
from tests import reused_databases
from tests.e2e.running_app import (
    ExportScenario,
    TestedApp,
    actual_audience,
    every_row_has_one_outcome,
    expected_audience,
)
from tests.e2e.stored_data import parquet_rows
from tests.held_calls import held_calls


def rows_of(scenario: ExportScenario, *people: tuple[str, str]) -> dict[str, wrap.Table]:
    """A segment of (customer id, address)."""
    columns = ("CustomerId", "EMail", "FirstName", "LastName", "RewardPoints", "City", "Note")
    rows = [(customer, address, "Ada", "Park", "1", "Seoul", "") for customer, address in people]
    return {scenario.named("A"): wrap.Table(columns, rows)}


def exported(scenario: ExportScenario, *people: tuple[str, str]) -> dict:
    scenario.refresh_table(rows_of(scenario, *people))
    if not scenario.export:
        scenario.define([scenario.named("A")])
    return scenario.run()


def find_person(scenario: ExportScenario, address: str) -> dict:
    found = scenario.api.post("/api/people/search", {"email": address})["value"]
    return next(one for one in found if one["exportId"] == scenario.export["id"])


def blobs_with(scenario: ExportScenario, text: str) -> list[str]:
    """The app's own blobs that contain a text; Parquet is decompressed."""
    import io

    found = []
    for name, data in scenario.running_app.state_blobs().items():
        if name.endswith(".parquet"):
            with reused_databases.connect() as db:
                rows = db.execute(
                    "SELECT * FROM read_parquet(?)", [_kept(scenario, name, data)]
                ).fetchall()
            data = repr(rows).encode()
        if text.encode() in io.BytesIO(data).getvalue().lower():
            found.append(name)
    return found


def _kept(scenario: ExportScenario, name: str, data: bytes) -> str:
    path = scenario._folder.parent / "seen" / name.replace("/", "_")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return str(path)


@pytest.fixture(autouse=True)
def _all_reachable(tested_app: TestedApp) -> None:
    """Reconnect exports of other tests, because an erasure reports exports without a connection."""
    good = {
        connection["id"]
        for connection in tested_app.api.get("/api/connections")["value"]
        if connection["status"] == "connected"
    }
    for export in tested_app.api.get("/api/exports")["value"]:
        if export["connectionId"] not in good:
            tested_app.api.call("DELETE", f"/api/exports/{export['id']}")


def test_a_search_reports_why_a_person_is_or_is_not_in_mailchimp(scenario: ExportScenario) -> None:
    n = scenario.number
    scenario.audience.add(f"left{n}@example.org", status="unsubscribed", cause="self")
    exported(
        scenario, ("c1", f"Ada{n}@Example.org"), ("c2", f"left{n}@example.org"), ("c3", "no@one")
    )

    there = find_person(scenario, f" ADA{n}@example.ORG ")
    assert there["inAudience"] == "subscribed"
    assert (there["outcome"], there["code"]) == ("created", "")
    assert there["segments"] == [scenario.named("A")]
    assert there["at"] is not None
    gone = find_person(scenario, f"left{n}@example.org")
    assert (gone["inAudience"], gone["outcome"]) == ("unsubscribed", "kept")
    assert gone["code"] == "unsubscribed"
    assert gone["reason"]
    bad = find_person(scenario, "no@one")
    assert (bad["inAudience"], bad["outcome"], bad["code"]) == (
        "absent",
        "rejected",
        "addressMalformed",
    )
    stranger = find_person(scenario, f"nobody{n}@example.org")
    assert (stranger["inAudience"], stranger["outcome"]) == ("absent", "")
    assert stranger["code"] == "notInSegment"


def test_a_search_uses_the_ledger_when_no_outcomes_are_left(scenario: ExportScenario) -> None:
    n = scenario.number
    scenario.refresh_table(rows_of(scenario, ("c1", f"ada{n}@example.org")))
    scenario.define([scenario.named("A")])
    assert find_person(scenario, f"ada{n}@example.org")["code"] == "notRun"
    run = scenario.run()
    running_app = scenario.running_app.parts
    running_app.files.delete(f"runs/{run['id']}/outcomes.parquet")  # the retention is over

    found = find_person(scenario, f"ada{n}@example.org")

    assert found["segments"] == [scenario.named("A")]
    assert (found["outcome"], found["inAudience"]) == ("updated", "subscribed")
    assert found["at"] == run["finishedAt"]


def test_an_unreachable_mailchimp_does_not_block_a_search(
    new_scenario: Callable[..., ExportScenario],
) -> None:
    sandbox = new_scenario().running_app.sandbox
    account = sandbox.world.add_account("Closed")
    scenario = new_scenario(account=account)
    exported(scenario, ("c1", f"ada{scenario.number}@example.org"))
    for key in list(account.keys):
        del sandbox.world.keys[key]
        account.keys.discard(key)

    found = find_person(scenario, f"ada{scenario.number}@example.org")

    assert (found["inAudience"], found["outcome"]) == ("unknown", "created")
    scenario.api.call("DELETE", f"/api/exports/{scenario.export['id']}")


def test_an_erased_person_is_stored_nowhere_and_not_exported_again(
    scenario: ExportScenario,
) -> None:
    n = scenario.number
    ada, bob = f"ada{n}@example.org", f"bob{n}@example.org"
    exported(scenario, ("c1", ada), ("c2", bob), ("c3", ada))
    assert blobs_with(scenario, ada)

    receipt = scenario.api.post("/api/people/erase", {"email": ada, "deleteInMailchimp": True})

    assert receipt["exports"] == 1
    assert receipt["records"] >= 2
    assert receipt["deletedInMailchimp"] == 1
    assert blobs_with(scenario, ada) == []
    assert blobs_with(scenario, bob)
    assert set(scenario.audience.members()) == {bob}
    assert find_person(scenario, ada)["code"] == "erased"

    run = exported(scenario, ("c1", ada), ("c2", bob), ("c3", ada), ("c4", f"new{n}@example.org"))

    assert set(scenario.audience.members()) == {bob, f"new{n}@example.org"}
    assert run["counts"]["kept"] == 2
    assert run["counts"]["rejected"] == 0
    assert every_row_has_one_outcome(run, 0)
    kept = scenario.outcomes(run, "kept")
    assert [(row["email"], row["customerId"], row["code"]) for row in kept] == [
        ("", "", "erased")
    ] * 2
    assert blobs_with(scenario, ada) == []

    again = scenario.api.post("/api/people/erase", {"email": ada, "deleteInMailchimp": True})
    assert again == receipt


def test_people_who_stay_subscribed_are_not_archived(scenario: ExportScenario) -> None:
    n = scenario.number
    ada = f"ada{n}@example.org"
    exported(scenario, ("c1", ada), ("c2", f"bob{n}@example.org"))

    receipt = scenario.api.post("/api/people/erase", {"email": ada, "deleteInMailchimp": False})

    assert receipt["deletedInMailchimp"] == 0
    assert ada in scenario.audience.members()
    exported(scenario, ("c2", f"bob{n}@example.org"))
    after = scenario.audience.members()[ada]
    assert after.status == "subscribed"
    assert after.tags == frozenset()  # the tag follows the segment without them
    assert blobs_with(scenario, ada) == []


def test_an_erasure_continues_and_reports_an_unreachable_mailchimp(
    new_scenario: Callable[..., ExportScenario],
) -> None:
    sandbox = new_scenario().running_app.sandbox
    account = sandbox.world.add_account("Revoked for erasing")
    scenario = new_scenario(account=account)
    ada = f"ada{scenario.number}@example.org"
    exported(scenario, ("c1", ada))
    for key in list(account.keys):
        del sandbox.world.keys[key]
        account.keys.discard(key)

    with pytest.raises(ApiError) as refused:
        scenario.api.post("/api/people/erase", {"email": ada, "deleteInMailchimp": True})

    assert refused.value.status == 409
    assert scenario.export["displayName"] in refused.value.problem["detail"]
    assert blobs_with(scenario, ada) == []
    assert ada in scenario.audience.members()

    key = sandbox.world.add_key(account)
    scenario.api.call(
        "PUT", f"/api/connections/{scenario.connection}/mailchimp/api-key", {"apiKey": key}
    )
    receipt = scenario.api.post("/api/people/erase", {"email": ada, "deleteInMailchimp": True})
    assert receipt["deletedInMailchimp"] == 1
    assert scenario.audience.members() == {}


def test_a_person_erased_during_a_run_is_erased_from_it_when_it_ends(
    scenario: ExportScenario,
) -> None:
    sample = scenario.define_sample(300)
    scenario.run()
    later = sample.later(changed=1.0)
    scenario.refresh(later)
    ada = sorted(expected_audience(sample))[0]
    with held_calls(scenario.running_app.sandbox) as held:
        started = scenario.start()
        held.until_waiting()
        scenario.api.post("/api/people/erase", {"email": ada, "deleteInMailchimp": False})
    run = scenario.wait(started)
    assert run["counts"]["updated"] >= 298
    running_app = scenario.running_app.parts
    running_app.eraser.complete()

    assert blobs_with(scenario, ada) == []
    assert [
        e for e in running_app.erasures.records.all() if started["id"] in e.value.waits_for
    ] == []
    ledger = running_app.ledgers.read(scenario.export["id"])
    assert ledger is not None
    assert ledger.value.people == 299
    rest = actual_audience(scenario.audience)
    del rest[ada]
    assert rest == {a: e for a, e in expected_audience(later).items() if a != ada}
    assert len(parquet_rows(running_app.files.read(ledger.value.blob), scenario._folder)) == 299
