"""Sending one person over HTTP and on the pages: the address is in a body only."""

from __future__ import annotations

from dataclasses import replace

import pytest

from shared.model.figures import Counts
from shared.model.one_person import ChosenPerson, SentField, SentPerson
from shared.model.run import RunStatus
from shared.web.authentication import Role
from shared.web.texts import action_text
from tests.web.browser import Browser
from tests.web.client import call, get, new_export
from tests.web.world import World

ADA = "ada@contoso.example"
SENT = SentPerson(
    ADA,
    "4711",
    "updated",
    "valueDropped",
    "BIRTHDAY",
    (SentField("FNAME", "<b>Ada", "<b>Ada"), SentField("BIRTHDAY", None, "05/06", "dateAmbiguous")),
    ("VIP",),
    ("News",),
    "subscribed",
    ("VIP",),
)


@pytest.mark.parametrize("language", ["en", "ko"])
def test_a_person_is_sent_from_the_page_of_the_export(language: str) -> None:
    world = World()
    export = new_export(world)
    page = Browser(world, language).open(f"/exports/{export}/person")

    shown = page.send("", {"person": f" {ADA.upper()} "})

    assert ADA not in page.path
    (run_id,) = world.one_person.chosen
    assert world.one_person.chosen[run_id] == ChosenPerson(ADA, "")
    world.one_person.results[run_id] = [SENT]
    world.runs.move(run_id, status=RunStatus.SUCCESSFUL, counts=Counts(distinct=1, updated=1))
    shown = Browser(world, language).open(f"/runs/{run_id}")
    for text in (ADA, "&lt;b&gt;Ada", "05/06", "BIRTHDAY", "News"):
        assert text in shown.html
    assert f'href="/exports/{export}/person"' in shown.html
    assert {"en": "Choose their order", "ko": "순서를 선택하세요"}[language] in shown.text
    assert "person." not in shown.text
    viewer = Browser(world.seen_by(Role.VIEWER), language).open(f"/runs/{run_id}")
    assert ADA not in viewer.html
    trail = call(world, "GET", "/api/audit").body.decode()
    assert {"run.sendPerson", "run.readPerson"} <= {
        word.strip('"') for word in trail.replace(",", ":").split(":")
    }
    assert ADA not in trail.lower()


def test_a_refused_person_has_an_action_although_a_value_was_not_sent_either() -> None:
    world = World()
    Browser(world).open(f"/exports/{new_export(world)}/person").send("", {"person": ADA})
    (run_id,) = world.one_person.chosen
    refused = replace(SENT, outcome="rejected", code="addressRefused", field="")
    world.one_person.results[run_id] = [refused]
    world.runs.move(run_id, status=RunStatus.COMPLETED_WITH_WARNINGS, counts=Counts(rejected=1))

    shown = Browser(world).open(f"/runs/{run_id}")

    assert action_text("addressRefused", "en") in shown.text
    assert action_text("valueDropped", "en") not in shown.text


def test_a_person_is_sent_over_http() -> None:
    world = World()
    export = new_export(world)
    path = f"/api/exports/{export}/send-person"

    started = call(world, "POST", path, {"customerId": "4711"})

    assert (started.status, started.json()["mode"]) == (202, "onePerson")
    run = started.json()["id"]
    assert started.headers["Location"] == f"/api/runs/{run}"
    assert call(world, "GET", f"/api/runs/{run}/sent-person").status == 404
    world.one_person.results[run] = [SENT]
    [contact] = get(world, f"/api/runs/{run}/sent-person")["value"]
    assert (contact["status"], contact["tagsSent"], contact["code"]) == (
        "subscribed",
        ["VIP"],
        "valueDropped",
    )
    assert contact["fields"][0] == {
        "tag": "FNAME",
        "sent": "<b>Ada",
        "now": "<b>Ada",
        "reason": "",
    }
    assert contact["fields"][1]["reason"].startswith("It is not clear which part is the day")
    assert contact["reason"]
    assert contact["action"]
    going = call(world, "POST", f"/api/exports/{export}/runs", {})
    assert going.json()["id"] == run
    assert call(world, "POST", path, {"email": "no address"}).status == 400
    both = call(world, "POST", path, {"email": ADA, "customerId": "4711"})
    assert both.status == 400
    wrong = call(world, "POST", f"/api/exports/{export}/runs", {"mode": "onePerson"})
    assert wrong.status == 400
