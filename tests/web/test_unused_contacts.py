"""Unused contacts: over HTTP and on the page of the audience."""

from __future__ import annotations

import re

import pytest

from shared.model.figures import ConsentProof
from shared.model.run import Mode, RunStatus
from shared.web.authentication import Role
from tests.web.browser import Browser
from tests.web.client import call, get, new_connection, new_export
from tests.web.world import World


def audience_of(world: World, export: str) -> str:
    stored = world.exports.kept[export].value
    return f"/connections/{stored.connection_id}/audiences/{stored.audience_id}"


@pytest.mark.parametrize("language", ["en", "ko"])
def test_unused_contacts_are_shown_with_their_share_and_archived_after_a_yes(language: str) -> None:
    world = World()
    export = new_export(world)
    page = Browser(world, language).open(f"/exports/{export}")
    path = audience_of(world, export)
    assert f'href="{path}"' in page.html

    page.open(path)

    assert "12%" in page.text
    assert "4%" in page.text
    assert "unused." not in page.text
    action = f"/exports/{export}/archive-unused"
    refused = Browser(world, language).open(path).send(action)
    assert refused.answer.status == 400
    refused = Browser(world, language).open(path).send(action, {"sure": "on", "people": "²"})
    assert refused.answer.status == 400
    assert len(world.runs.kept) == 0
    page.send(action, {"sure": "on"})
    (run,) = world.runs.kept.values()
    assert (run.mode, run.agreed) == (Mode.ARCHIVE, 120)
    assert page.path == f"/runs/{run.id}"
    world.runs.move(run.id, status=RunStatus.SUCCESSFUL, consent_proof=ConsentProof(archived=118))
    shown = Browser(world, language).open(f"/runs/{run.id}")
    assert "118" in shown.text
    trail = call(world, "GET", "/api/audit").body.decode()
    assert "run.archiveUnused" in trail


def test_unused_contacts_are_read_and_archived_over_http() -> None:
    world = World()
    export = new_export(world)
    found = get(world, f"/api{audience_of(world, export)}/hygiene")
    assert (found["billed"], found["unusedShare"], found["longUnsubscribed"]) == (1000, 0.12, 40)
    assert [(one["exportId"], one["people"]) for one in found["unused"]] == [(export, 120)]
    path = f"/api/exports/{export}/archive-unused"
    assert call(world, "POST", path, {"people": 0}).status == 400
    started = call(world, "POST", path, {"people": 120})
    assert (started.status, started.json()["mode"]) == (202, "archive")
    world.unused_contacts.incomplete = ("Newsletter",)
    page = Browser(world).open(audience_of(world, export))
    assert "Unknown until these exports have sent everyone: Newsletter." in page.text


def test_a_contributor_returns_from_the_page_of_the_audience_to_the_connections() -> None:
    world = World()
    path = audience_of(world, new_export(world, new_connection(world, sharedWith=["Contributor"])))
    page = Browser(world.seen_by(Role.CONTRIBUTOR)).open(path)
    (back,) = re.findall('class="trail"><a href="([^"]*)"', page.html)
    assert page.open(back).answer.status == 200
