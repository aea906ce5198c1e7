"""Two people edit one thing in the pages: no change is lost without being seen."""

import pytest

from tests.web.browser import Browser
from tests.web.client import call, get, new_connection, new_export, send
from tests.web.world import World


def two_editors(world: World, path: str, language: str = "en") -> tuple[Browser, Browser]:
    return Browser(world, language).open(path), Browser(world, language).open(path)


@pytest.mark.parametrize(
    ("language", "title"),
    [("en", "Someone else has changed this"), ("ko", "다른 사용자가 변경했습니다")],
)
def test_the_second_save_of_an_export_shows_both_versions(language: str, title: str) -> None:
    world = World()
    export = new_export(world)
    first, second = two_editors(world, f"/exports/{export}/edit", language)
    first.send(fields={"do": "save", "leavers": "keepTag", "displayName": "From the first"})

    second.send(fields={"do": "save", "displayName": "From the second"})

    assert second.answer.status == 412
    assert title in second.text
    assert "From the first" in second.text
    assert 'value="From the second"' in second.html
    kept, lost = ("Keep the tag", "Lose the tag") if language == "en" else ("태그 유지", "태그")
    assert kept in second.text
    assert lost in second.text
    assert get(world, f"/api/exports/{export}")["displayName"] == "From the first"


def test_saving_again_after_comparing_replaces_the_other_version() -> None:
    world = World()
    export = new_export(world)
    first, second = two_editors(world, f"/exports/{export}/edit")
    first.send(fields={"do": "save", "displayName": "From the first"})
    second.send(fields={"do": "save", "displayName": "From the second"})
    second.send(fields={"do": "save"})
    assert "Saved." in second.text
    assert get(world, f"/api/exports/{export}")["displayName"] == "From the second"


def test_a_form_that_was_sent_for_more_fields_still_detects_the_change() -> None:
    world = World()
    export = new_export(world)
    first, second = two_editors(world, f"/exports/{export}/edit")
    first.send(fields={"do": "save", "displayName": "From the first"})
    second.send(fields={"do": "addAttribute"})
    second.send(fields={"do": "removeAttribute-0"})
    second.send(fields={"do": "saveAndRun", "displayName": "From the second"})
    assert second.answer.status == 412
    assert not world.runs.kept


def test_the_second_save_of_a_connection_shows_both_versions() -> None:
    world = World()
    connection = new_connection(world)
    first, second = two_editors(world, f"/connections/{connection}")
    first.send("", {"displayName": "From the first", "shared": "on"})
    second.send("", {"displayName": "From the second"})
    assert second.answer.status == 412
    assert "From the first" in second.text
    assert 'value="From the second"' in second.html
    assert get(world, f"/api/connections/{connection}")["sharedWith"] == ["Contributor"]


def test_the_second_save_of_the_schedule_shows_both_versions() -> None:
    world = World()
    fields = {"scheduleOn": "on", "repeat": "daily", "time-0": "06:00", "timeZone": "UTC"}
    first, second = two_editors(world, "/schedule")
    first.send(fields=fields)
    second.send(fields={**fields, "time-0": "18:00"})
    assert second.answer.status == 412
    assert "06:0018:00" in second.text  # two cells of one row
    assert get(world, "/api/schedule")["times"] == ["06:00"]


def test_an_export_that_changed_since_the_question_is_not_removed() -> None:
    world = World()
    connection = new_connection(world)
    export = new_export(world, connection)
    asked = Browser(world).open(f"/exports/{export}/remove")
    body = get(world, f"/api/exports/{export}")
    send(world, "PUT", f"/api/exports/{export}", {**body, "displayName": "Changed"})
    asked.send()
    assert asked.answer.status == 412
    assert call(world, "GET", f"/api/exports/{export}").status == 200
    asked.send()
    assert call(world, "GET", f"/api/exports/{export}").status == 404
