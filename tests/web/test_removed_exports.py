"""Forms of an export that someone removed while their page was open."""

from __future__ import annotations

import pytest

from shared.web.authentication import Role
from tests.web.browser import Browser
from tests.web.client import new_connection, new_export, send
from tests.web.world import World

LISTED = "mina.park@example.com\nj.doe@example.org"


def removed_while_open(path: str, role: Role = Role.ADMINISTRATOR) -> tuple[World, Browser]:
    """Open the page of a form of an export, and remove the export."""
    world = World()
    connection = new_connection(world, sharedWith=["Contributor"])
    export = new_export(world, connection, displayName="Weekly news")
    page = Browser(world.seen_by(role)).open(path.format(export=export))
    send(world, "DELETE", f"/api/exports/{export}", status=204)
    return world, page


@pytest.mark.parametrize("role", [Role.CONTRIBUTOR, Role.ADMINISTRATOR])
def test_the_form_of_a_removed_export_keeps_its_input_and_creates_a_new_export(role: Role) -> None:
    world, page = removed_while_open("/exports/{export}/edit", role)
    page.send(page.path, {"displayName": "Weekly news for members", "do": "save"})
    assert page.answer.status == 404
    assert "Someone removed this export while you edited it" in page.text
    assert 'value="Weekly news for members"' in page.html
    page.send("/setup/export", {"do": "save"})
    assert "Saved." in page.text
    saved = [stored.value for stored in world.services.definitions.all()]
    assert [export.display_name for export in saved] == ["Weekly news for members"]


def test_a_list_of_excluded_people_of_a_removed_export_can_be_copied() -> None:
    _, page = removed_while_open("/exports/{export}/exclusions")
    page.send(page.path, {"entries": LISTED})
    assert page.answer.status == 404
    assert "Someone removed this export" in page.text
    assert f">{LISTED}</textarea>" in page.html


def test_the_response_to_an_upload_for_a_removed_export_says_what_happened() -> None:
    _, page = removed_while_open("/exports/{export}/exclusions")
    page.upload(f"{page.path}/file", LISTED.encode())
    assert (page.answer.status, "Someone removed this export" in page.text) == (404, True)


def test_a_person_that_was_entered_for_a_removed_export_can_be_copied() -> None:
    _, page = removed_while_open("/exports/{export}/person")
    page.send(page.path, {"person": "mina.park@example.com"})
    assert page.answer.status == 404
    assert ">mina.park@example.com</textarea>" in page.html


def test_a_schedule_for_removed_exports_is_not_saved() -> None:
    _, page = removed_while_open("/exports-schedule?export={export}")
    page.send("/exports-schedule", {"repeat": "daily", "time-0": "06:00"})
    assert "The selected exports have been removed" in page.text
