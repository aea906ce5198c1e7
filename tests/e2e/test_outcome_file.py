"""The outcome file for Customer Insights is a valid CDM folder, read with independent code."""

import csv
import io
import json
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import jsonschema
import pytest

from sandbox import samples, wrap
from shared.model.source import Snapshot
from tests import reused_databases
from tests.e2e.running_app import ExportScenario
from tests.e2e.stored_data import blobs

SCHEMA = Path(__file__).resolve().parents[3] / "shared/samples/modeljsonschema.json"


def outcome_file(scenario: ExportScenario) -> tuple[dict, list[dict[str, str]]]:
    """The model of a scenario's export, and the rows of the file that it names."""
    found = blobs(scenario.running_app.storage, "outcomes", f"{scenario.export['id']}/")
    model = json.loads(found[f"{scenario.export['id']}/model.json"])
    (entity,) = model["entities"]
    (partition,) = entity["partitions"]
    name = urlsplit(partition["location"]).path.partition("/outcomes/")[2]
    text = found[name].decode("utf-8")
    names = [attribute["name"] for attribute in entity["attributes"]]
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    assert names == ["CustomerId", "segment", "outcome", "reason", "at", "sharedWith"]
    assert "@" not in text
    return model, rows


def test_the_outcome_file_has_every_person_once_per_segment_with_the_outcome(
    scenario: ExportScenario,
) -> None:
    sample = scenario.define_sample(120, 0.7, 0.6)
    scenario.run()
    _, rows = outcome_file(scenario)
    expected = Counter()
    for person in samples.truth(sample):
        winner = min(person.profiles, key=lambda who: who.customer_id).customer_id
        expected.update((winner, segment, "created") for segment in person.segments)
    created = Counter(
        (r["CustomerId"], r["segment"], r["outcome"]) for r in rows if not r["reason"]
    )
    assert created == expected

    scenario.refresh(sample.later(leaving=8, arriving=5))
    run = scenario.run()
    model, rows = outcome_file(scenario)

    removed = {row["CustomerId"] for row in rows if row["outcome"] == "removed"}
    assert len(removed) == run["counts"]["removed"] > 3
    assert model["entities"][0]["partitions"][0]["location"].count(run["id"]) == 1
    assert len({row["at"] for row in rows}) == 1
    assert rows[0]["at"].endswith("Z")


def test_microsofts_own_schema_accepts_the_model(scenario: ExportScenario) -> None:
    if not SCHEMA.exists():
        pytest.skip("Microsoft's schema of model.json is not on this machine")
    scenario.refresh(scenario.sample(5))
    scenario.define([scenario.named("A")])
    scenario.run()

    model, _ = outcome_file(scenario)

    jsonschema.validate(model, json.loads(SCHEMA.read_text("utf-8")))


def test_the_segment_reader_can_read_the_outcome_file(scenario: ExportScenario) -> None:

    from shared.segments.blob_segments import BlobSegments
    from shared.segments.container import LandingContainer
    from shared.storage.clients import landing_clients

    scenario.refresh(scenario.sample(12))
    scenario.define([scenario.named("A")])
    scenario.run()
    running_app = scenario.running_app.parts
    container = LandingContainer(
        landing_clients(running_app.settings.segments.storage).container("outcomes")
    )
    source = BlobSegments(container, scenario.export["id"])

    snapshot: Snapshot = source.snapshot(["MailchimpOutcomes"])
    with reused_databases.connect() as db:
        db.execute("CREATE TABLE t (file VARCHAR, line BIGINT, c0 VARCHAR, c1 VARCHAR)")
        loaded = source.load(
            db, snapshot.segments[0], ["CustomerId", "outcome"], "t", scenario._folder.parent
        )
        outcomes = db.execute("SELECT c1, count(*) FROM t GROUP BY c1").fetchall()

    assert loaded.unreadable == ()
    assert outcomes == [("created", 12)]


def test_an_erased_person_is_not_added_by_the_next_run(scenario: ExportScenario) -> None:
    sample = scenario.define_sample(6)
    scenario.run()
    one = next(iter(samples.truth(sample)))

    scenario.api.post("/api/people/erase", {"email": one.address, "deleteInMailchimp": False})

    _, rows = outcome_file(scenario)
    gone = {profile.customer_id for profile in one.profiles}
    assert len(rows) == 5
    assert gone.isdisjoint(row["CustomerId"] for row in rows)


def counted(rows: list[dict[str, str]]) -> Counter[tuple[str, str]]:
    return Counter((row["outcome"], row["reason"]) for row in rows)


def test_a_preview_writes_no_outcome_file(scenario: ExportScenario) -> None:
    sample = scenario.define_sample(20)
    scenario.run("preview")
    assert blobs(scenario.running_app.storage, "outcomes", f"{scenario.export['id']}/") == {}
    run = scenario.run()
    before = blobs(scenario.running_app.storage, "outcomes", f"{scenario.export['id']}/")
    scenario.refresh(sample.later(arriving=5))

    scenario.run("preview")

    assert blobs(scenario.running_app.storage, "outcomes", f"{scenario.export['id']}/") == before
    assert run["id"] in str(before.keys())


def test_the_outcome_file_of_a_canceled_run_lists_people_who_were_not_sent(
    scenario: ExportScenario,
) -> None:
    scenario.define_sample(800)
    run = scenario.start_and_cancel()

    _, rows = outcome_file(scenario)

    assert run["counts"]["notSent"] > 0
    assert counted(rows) == {
        ("created", ""): run["counts"]["created"],
        ("notSent", "canceled"): run["counts"]["notSent"],
    }
    assert len({(row["CustomerId"], row["segment"]) for row in rows}) == 800


def test_the_outcome_file_of_an_undo_lists_the_current_state_of_all_people(
    scenario: ExportScenario,
) -> None:
    sample = scenario.define_sample(80, 0.7, 0.6, removalGuard={"maxShare": 1.0})
    scenario.run()
    before = {a: m.tags for a, m in scenario.audience.members().items()}
    customers = {
        person.address: min(person.profiles, key=lambda who: who.customer_id).customer_id
        for person in samples.truth(sample)
    }
    scenario.refresh(sample.later(changed=1.0, moving=0.2, arriving=10))
    run = scenario.run()
    scenario.wait(scenario.api.post(f"/api/runs/{run['id']}/undo"))

    _, rows = outcome_file(scenario)

    back = {(r["CustomerId"], r["segment"]) for r in rows if r["outcome"] == "updated"}
    expected = {(customers[a], tag) for a, tags in before.items() for tag in tags}
    assert back == expected
    assert {r["outcome"] for r in rows} == {"updated", "removed"}
    removed = {(r["CustomerId"], r["segment"]) for r in rows if r["outcome"] == "removed"}
    assert removed.isdisjoint(back)


def test_unusual_ids_and_names_are_returned_unchanged(scenario: ExportScenario) -> None:
    odd = ('a,"b"', "line\nbreak", "=1+1", "한글 ✓", "'; DROP TABLE x; --", " blank ")
    name = scenario.named("A")
    rows = tuple((who, f"odd{i}.{scenario.number}@example.org") for i, who in enumerate(odd))
    scenario.refresh_table({name: wrap.Table(("CustomerId", "EMail"), rows)})
    scenario.define(
        [{"name": name, "tag": '=cmd, "x"; ../한글'}],
        displayName='../"odd", =1',
        mapping={"email": "EMail"},
    )

    run = scenario.run()
    _, back = outcome_file(scenario)

    assert run["status"] == "successful"
    assert sorted(row["CustomerId"] for row in back) == sorted(odd)
    assert {row["segment"] for row in back} == {name}
    assert set(scenario.audience.tags()) == {'=cmd, "x"; ../한글'}


def test_readers_find_a_complete_file_while_a_newer_run_writes_its_own(
    scenario: ExportScenario,
) -> None:
    sample = scenario.define_sample(60)
    scenario.run()
    seen: list[int] = []
    done = threading.Event()

    def read() -> None:
        """Read the description, then the file that it names, as Customer Insights does."""
        prefix = f"{scenario.export['id']}/model.json"
        while not done.is_set():
            model = json.loads(blobs(scenario.running_app.storage, "outcomes", prefix)[prefix])
            (partition,) = model["entities"][0]["partitions"]
            name = urlsplit(partition["location"]).path.partition("/outcomes/")[2]
            text = blobs(scenario.running_app.storage, "outcomes", name)[name].decode()
            seen.append(len(list(csv.DictReader(io.StringIO(text, newline="")))))
            done.wait(0.05)

    with ThreadPoolExecutor(1) as reader:
        reading = reader.submit(read)
        for number in range(3):
            scenario.refresh(sample.later(arriving=10 * (number + 1)))
            scenario.run()
        done.set()
        reading.result()

    assert set(seen) <= {60, 70, 80, 90}
    assert len(seen) > 3
