"""Personal data in storage: where the app stores it and when it is deleted."""

import contextlib
import csv
import hashlib
import io
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlencode

import pytest
import requests
from azure.data.tables import TableServiceClient
from azure.storage.queue import QueueServiceClient

from devhost.api_client import ApiError
from devhost.processes import Azurite
from sandbox import wrap
from sandbox.mailchimp.faults import Fault
from sandbox.mailchimp.sandbox import Sandbox
from tests.e2e.running_app import ExportScenario, run_app
from tests.e2e.stored_data import blobs
from tests.e2e.test_people import blobs_with, exported, find_person, rows_of
from tests.e2e.test_undo import start_undo

COLUMNS = ("CustomerId", "EMail", "FirstName", "LastName", "RewardPoints", "City", "Note")


@pytest.fixture
def own_azurite(separate_storage: Callable[[], Azurite]) -> Azurite:
    return separate_storage()


def tables_queues_and_names(storage: str) -> str:
    """Everything in tables and queues, and the names of all blobs."""
    found = []
    with TableServiceClient.from_connection_string(storage) as tables:
        for table in tables.list_tables():
            for entity in tables.get_table_client(table.name).list_entities():
                found.append(repr(dict(entity)))
    with QueueServiceClient.from_connection_string(storage) as queues:
        for queue in queues.list_queues():
            client = queues.get_queue_client(queue.name)
            found += [str(message.content) for message in client.peek_messages(32)]
    for container in ("state", "outcomes"):
        found += blobs(storage, container)
    return "\n".join(found)


def test_logs_tables_queues_and_names_contain_no_personal_data(
    own_azurite: Azurite, mailchimp: Sandbox, tmp_path: Path
) -> None:
    secrets = ("zaphodine", "quuxington", "wumpusburg", "zq-4712-profile", "xyzzy-4712")
    addresses = [f"xyzzy-4712-{number}@example.com" for number in range(60)]
    rows = [
        (f"zq-4712-profile-{n}", a, f"Zaphodine{n}", f"Quuxington{n}", "1", f"Wumpusburg{n}", "")
        for n, a in enumerate(addresses)
    ]
    storage = own_azurite.connection_string
    with run_app(storage, mailchimp, tmp_path, debug=True) as running_app:
        scenario = ExportScenario(running_app, tmp_path)
        name = scenario.named("Private")
        mailchimp.set(refused_addresses=[addresses[1]])
        scenario.refresh_table({name: wrap.Table(COLUMNS, tuple(rows[:50]))})
        scenario.define([name])
        first = scenario.run()
        assert first["counts"]["rejected"] == 1
        scenario.wait(scenario.api.post(f"/api/runs/{first['id']}/retry"))
        changed = [(*row[:2], f"{row[2]}x", *row[3:]) for row in rows]
        scenario.refresh_table({name: wrap.Table(COLUMNS, tuple(changed[5:]))})
        run = scenario.run()
        start_undo(scenario, run, archiveCreated=True)
        scenario.run("preview")
        shrunk = wrap.Table(COLUMNS, tuple(changed[40:]))
        scenario.refresh_table({name: shrunk})
        waiting = scenario.run()
        assert waiting["status"] == "awaitingConfirmation"
        # Invalid requests are refused without repeating them in the log.
        http = requests.Session()
        for body in (
            {"email": addresses[2], "name": "Zaphodine"},
            {"email": [addresses[2]]},
            f'{{"email": "{addresses[2]}"',
            {"deleteInMailchimp": addresses[2]},
        ):
            for path in ("search", "erase"):
                data = body if isinstance(body, str) else json.dumps(body)
                answer = http.post(
                    f"{running_app.process.url}api/people/{path}",
                    data=data,
                    headers={"Content-Type": "application/json"},
                    timeout=100,
                )
                assert answer.status_code == 400
        http.post(
            f"{running_app.process.url}people", data=urlencode({"email": addresses[3]}), timeout=100
        )
        mailchimp.arm(Fault("503-html", "POST", r"/members/", times=None))
        with pytest.raises(ApiError):
            scenario.api.post(
                "/api/people/erase", {"email": addresses[4], "deleteInMailchimp": True}
            )
        mailchimp.disarm()
        scenario.api.post("/api/people/erase", {"email": addresses[4], "deleteInMailchimp": True})
        with contextlib.suppress(ApiError):
            scenario.api.post("/api/people/erase", {"email": "nobody", "deleteInMailchimp": True})
        scenario.api.call("DELETE", f"/api/exports/{scenario.export['id']}")
        beside = tables_queues_and_names(storage).lower()
        log = running_app.process.log
        assert log is not None
        written = log.read_text("utf-8", errors="replace").lower()
    mailchimp.set(refused_addresses=[])

    assert written.count("debug") > 100
    assert "person.erase" in beside  # the audit trail is among what was looked through
    hashes = [hashlib.md5(a.encode(), usedforsecurity=False).hexdigest() for a in addresses]
    for text in (*secrets, *hashes):
        assert text not in written
        assert text not in beside


def test_nothing_of_a_run_remains_after_the_retention_period(scenario: ExportScenario) -> None:
    n = scenario.number
    exported(scenario, ("c1", f"ada{n}@example.org"), ("c2", f"bob{n}@example.org"))
    scenario.audience.unsubscribe(f"bob{n}@example.org")
    waiting = exported(scenario, ("c1", f"ada{n}@example.org"), ("c3", f"cid{n}@example.org"))
    scenario.api.post(f"/api/runs/{waiting['id']}/cancel")
    run = scenario.wait(waiting)
    preview = scenario.run("preview")
    undone = start_undo(scenario, run)
    running_app = scenario.running_app.parts
    storage = scenario.running_app.storage
    assert blobs(storage, "outcomes", f"{scenario.export['id']}/")
    later = datetime.now(UTC) + timedelta(days=30, minutes=1)

    replace(running_app.retention, now=lambda: later).delete_old_data()

    for one in (run, preview, undone):
        assert scenario.running_app.state_blobs(f"runs/{one['id']}/") == {}
        assert list(running_app.chunks.all(one["id"])) == []
        seen = scenario.api.get(f"/api/runs/{one['id']}")
        assert seen["counts"] == one["counts"]
    assert blobs(storage, "outcomes", f"{scenario.export['id']}/") == {}
    with pytest.raises(ApiError) as gone:
        scenario.api.outcomes(run["id"])
    assert gone.value.status == 404
    # Personal data remains in the ledger and the list of contacts, until the export is removed.
    left = set(blobs_with(scenario, f"ada{n}@") + blobs_with(scenario, f"bob{n}@"))
    assert {name.partition("/")[0] for name in left} == {"ledgers", "audiences"}
    scenario.api.call("DELETE", f"/api/exports/{scenario.export['id']}")
    replace(running_app.retention, now=lambda: later + timedelta(days=1)).delete_old_data()
    assert blobs_with(scenario, f"ada{n}@") + blobs_with(scenario, f"bob{n}@") == []


def test_an_erasure_finds_a_person_by_any_spelling_and_shared_address(
    scenario: ExportScenario,
) -> None:
    n = scenario.number
    ada, bob = f"ada{n}@example.org", f"bob{n}@example.org"
    exported(scenario, ("c1", f" ADA{n}@Example.ORG\u00a0"), ("c2", bob), ("c3", ada))
    scenario.refresh_table(rows_of(scenario, ("c2", bob)))
    scenario.run()  # the person has left: only the ledger knows of them, and the outcomes of runs

    scenario.api.post(
        "/api/people/erase", {"email": f"\u2003aDa{n}@EXAMPLE.org ", "deleteInMailchimp": False}
    )

    assert blobs_with(scenario, ada) == []
    back = outcome_rows(scenario)
    assert {row["CustomerId"] for row in back} == {"c2"}


def outcome_rows(scenario: ExportScenario) -> list[dict[str, str]]:
    """Return the rows of all outcome files of a scenario."""
    found = blobs(scenario.running_app.storage, "outcomes", f"{scenario.export['id']}/")
    return [
        row
        for name, data in found.items()
        if name.endswith(".csv")
        for row in csv.DictReader(io.StringIO(data.decode(), newline=""))
    ]


def test_a_person_only_on_the_list_of_unsubscribed_contacts_is_found_and_erased(
    scenario: ExportScenario,
) -> None:
    n = scenario.number
    stranger = f"stranger{n}@example.org"
    scenario.audience.unsubscribe(stranger)
    exported(scenario, ("c1", f"ada{n}@example.org"))
    assert [name.partition("/")[0] for name in blobs_with(scenario, stranger)] == ["audiences"]
    assert find_person(scenario, stranger)["inAudience"] == "unsubscribed"

    receipt = scenario.api.post(
        "/api/people/erase", {"email": stranger.upper(), "deleteInMailchimp": True}
    )

    assert (receipt["records"], receipt["deletedInMailchimp"]) == (1, 1)
    assert blobs_with(scenario, stranger) == []
    scenario.run()
    assert blobs_with(scenario, stranger) == []


def test_a_run_awaiting_confirmation_does_not_keep_an_erased_person(
    scenario: ExportScenario,
) -> None:
    _, waiting = scenario.run_awaiting_removals(60, leaving=40)
    leaver, other = (row["email"] for row in scenario.outcomes(waiting, "notSent")[:2])

    receipt = scenario.api.post("/api/people/erase", {"email": leaver, "deleteInMailchimp": False})

    assert receipt["waitsFor"] == []
    assert blobs_with(scenario, leaver) == []
    closed = scenario.api.get(f"/api/runs/{waiting['id']}")
    assert (closed["status"], closed["reason"]["code"]) == ("canceled", "erasedMeanwhile")
    korean = {"Accept-Language": "ko"}
    page = scenario.api.call(
        "POST", "/api/people/search", {"email": leaver}, headers=korean
    ).json()["value"]
    mine = next(one for one in page if one["exportId"] == scenario.export["id"])
    assert (mine["code"], "제거된 사람" in mine["reason"]) == ("erased", True)
    again = scenario.run()
    assert again["status"] == "awaitingConfirmation"
    assert again["counts"]["left"] == 39
    # A person who is not in the run does not end it.
    stranger = f"stranger{scenario.number}@example.org"
    scenario.api.post("/api/people/erase", {"email": stranger, "deleteInMailchimp": False})
    after = scenario.wait(scenario.api.post(f"/api/runs/{again['id']}/confirm"))
    assert after["status"] == "successful"
    assert other in scenario.audience.members()
    assert blobs_with(scenario, leaver) == []


def test_an_undo_does_not_restore_an_erased_person(scenario: ExportScenario) -> None:
    n = scenario.number
    ada, bob = f"ada{n}@example.org", f"bob{n}@example.org"
    scenario.refresh_table(rows_of(scenario, ("c1", ada), ("c2", bob)))
    scenario.define([scenario.named("A")])
    scenario.run()
    table = rows_of(scenario, ("c1", ada), ("c2", bob))[scenario.named("A")]
    rows = [(*row[:2], "Changed", *row[3:]) for row in table.rows]
    scenario.refresh_table({scenario.named("A"): wrap.Table(table.columns, tuple(rows))})
    run = scenario.run()
    assert run["counts"]["updated"] == 2
    scenario.api.post("/api/people/erase", {"email": ada, "deleteInMailchimp": True})

    undone = start_undo(scenario, run)

    assert scenario.audience.members().keys() == {bob}
    assert scenario.audience.member(bob).merge_fields["FNAME"] == "Ada"
    assert blobs_with(scenario, ada) == []
    assert [row["email"] for row in scenario.outcomes(undone)] == [bob]
    with pytest.raises(ApiError):
        scenario.api.post(f"/api/runs/{undone['id']}/retry")


def test_an_erasure_completes_locally_while_mailchimp_is_unreachable(
    new_scenario: Callable[..., ExportScenario],
) -> None:
    one, other = new_scenario(), new_scenario()
    ada = f"ada{one.number}@example.org"
    exported(one, ("c1", ada))
    exported(other, ("c9", ada))
    one.running_app.sandbox.arm(Fault("503-html", "POST", r"delete-permanent", times=None))

    with pytest.raises(ApiError) as busy:
        one.api.post("/api/people/erase", {"email": ada, "deleteInMailchimp": True})

    assert busy.value.status == 503
    assert blobs_with(one, ada) == []
    one.running_app.sandbox.disarm()
    receipt = one.api.post("/api/people/erase", {"email": ada, "deleteInMailchimp": True})
    assert receipt["deletedInMailchimp"] == 2
