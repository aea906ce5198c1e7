"""Leaving a page in a browser: it warns about unsaved input, and about nothing else."""

from __future__ import annotations

import pytest
from playwright.sync_api import Dialog, Page, expect

from tests.browser.conftest import Open, Place, choose_list
from tests.browser.test_export_form import fill
from tests.web.client import new_connection, new_export
from tests.web.world import World

pytestmark = pytest.mark.browser


class Warnings:
    """Counts how often the browser asks whether to leave a page, and stays each time."""

    def __init__(self, page: Page) -> None:
        self.asked = 0
        page.on("dialog", self._stay)

    def _stay(self, dialog: Dialog) -> None:
        assert dialog.type == "beforeunload"
        self.asked += 1
        dialog.dismiss()


class Questions:
    """Answers the questions that the app asks before it sends a form, and counts them."""

    def __init__(self, page: Page) -> None:
        self.asked: list[str] = []
        self.answer = False
        page.on("dialog", self._answer)

    def _answer(self, dialog: Dialog) -> None:
        assert dialog.type == "confirm"
        self.asked.append(dialog.message)
        if self.answer:
            dialog.accept()
        else:
            dialog.dismiss()


def type_into(page: Page, field: str, words: str) -> None:
    """Type as a person does: browsers warn only people who have used the page."""
    page.locator(field).click()
    page.keyboard.type(words)


def rename_what_someone_else_renames(page: Page, world: World) -> None:
    """Send a new name of a connection that has got another name since the page was opened."""
    connection = new_connection(world, "Main")
    page.goto(f"/connections/{connection}")
    type_into(page, "#displayName", " 2")
    stored = world.services.connections.read(connection)
    world.services.connections.change(connection, "Changed", stored.value.shared_with, stored.etag)
    page.locator("#settings-form button").click()


def test_leaving_unsaved_input_by_a_link_the_back_button_or_the_tab_warns(
    place: Place, open_page: Open
) -> None:
    page, export = open_page(), new_export(place.world)
    warnings = Warnings(page)
    page.goto(f"/exports/{export}")
    page.goto(f"/exports/{export}/exclusions")
    type_into(page, "#entries", "mina.park@example.com")
    page.get_by_role("link", name="Runs", exact=True).click()
    expect(page.locator("#entries")).to_have_value("mina.park@example.com")
    assert warnings.asked == 1
    with page.expect_event("dialog"):
        page.evaluate("history.back()")
    assert warnings.asked == 2
    with page.expect_event("dialog"):
        page.close(run_before_unload=True)
    assert warnings.asked == 3
    expect(page.locator("#entries")).to_have_value("mina.park@example.com")


def test_a_page_without_changes_or_with_saved_changes_is_left_without_a_warning(
    place: Place, open_page: Open
) -> None:
    page, export = open_page(), new_export(place.world)
    warnings = Warnings(page)
    page.goto(f"/exports/{export}/exclusions")
    type_into(page, "#entries", "m")
    page.keyboard.press("Backspace")
    page.get_by_role("link", name="Runs", exact=True).click()
    page.wait_for_url("**/runs")
    page.goto(f"/exports/{export}/exclusions")
    type_into(page, "#entries", "mina.park@example.com")
    page.get_by_role("button", name="Save", exact=True).click()
    page.wait_for_url("**?done=saved")
    # A search is not lost input.
    page.goto("/people")
    type_into(page, "#person", "mina.park@example.com")
    page.get_by_role("link", name="Runs", exact=True).click()
    page.wait_for_url("**/runs")
    assert warnings.asked == 0


def test_a_chosen_file_and_a_refused_form_are_unsaved(place: Place, open_page: Open) -> None:
    page, export = open_page(), new_export(place.world)
    warnings = Warnings(page)
    runs = page.get_by_role("link", name="Runs", exact=True)
    page.goto(f"/exports/{export}/exclusions")
    page.locator("#entries").click()
    choose_list(page, b"mina.park@example.com")
    runs.click()
    assert warnings.asked == 1
    page.get_by_role("button", name="Replace the list").click()
    page.wait_for_url("**?done=saved")
    page.goto(f"/exports/{export}/exclusions")
    page.locator("#entries").fill("mina.park@@example.com")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator("#errors")).to_be_focused()
    page.locator("h1").click()
    runs.click()
    expect(page.locator("#errors")).to_be_visible()
    assert warnings.asked == 2


def test_the_export_form_warns_about_a_row_that_was_added_and_not_about_a_lookup(
    place: Place, open_page: Open
) -> None:
    connection = fill(place.world, segments=3)
    page = open_page()
    warnings = Warnings(page)
    page.goto(f"/setup/export?connection={connection}")
    with page.expect_response("**/setup/export"):
        page.get_by_role("button", name="Look up audiences and fields").click()
    expect(page.locator("#announce")).not_to_be_empty()
    page.get_by_role("link", name="Runs", exact=True).click()
    page.wait_for_url("**/runs")
    page.goto(f"/setup/export?connection={connection}")
    page.locator("#addAttribute").click()
    expect(page.locator("#attribute-0")).to_be_focused()
    page.get_by_role("link", name="Cancel").click()
    expect(page.locator("#attribute-0")).to_be_visible()
    assert warnings.asked == 1


def test_discarding_changes_after_a_conflict_does_not_warn(place: Place, open_page: Open) -> None:
    page = open_page()
    warnings = Warnings(page)
    rename_what_someone_else_renames(page, place.world)
    page.get_by_role("link", name="Discard my changes").click()
    expect(page.locator("#displayName")).to_have_value("Changed")
    assert warnings.asked == 0


def test_sending_one_form_asks_before_the_input_of_another_one_is_lost(
    place: Place, open_page: Open
) -> None:
    page, export = open_page(), new_export(place.world)
    questions = Questions(page)
    page.goto(f"/exports/{export}/exclusions")
    type_into(page, "#entries", "mina.park@example.com")
    choose_list(page, b"ada@example.com")
    for button in ("Save", "Replace the list"):
        page.get_by_role("button", name=button, exact=True).click()
        expect(page.locator("#entries")).to_have_value("mina.park@example.com")
    assert len(questions.asked) == 2
    assert "will be lost" in questions.asked[0]
    questions.answer = True
    page.get_by_role("button", name="Save", exact=True).click()
    page.wait_for_url("**?done=saved")
    assert len(questions.asked) == 3
    page.goto(f"/exports/{export}/exclusions")
    expect(page.locator("#entries")).to_have_value("mina.park@example.com")


def test_a_button_of_a_connection_asks_before_typed_input_is_lost(
    place: Place, open_page: Open
) -> None:
    page, connection = open_page("ko"), new_connection(place.world)
    questions = Questions(page)
    page.goto(f"/connections/{connection}")
    page.locator("summary").first.click()
    type_into(page, "#displayName", " 2")
    page.locator("form[action$='/authenticate'] button").click()
    expect(page.locator("#displayName")).to_have_value("Main 2")
    # The form of the name keeps its input in the other language; a typed key would be lost.
    type_into(page, "#apiKey", "key")
    page.locator("button[lang=en]").click()
    expect(page.locator("html")).to_have_attribute("lang", "ko")
    assert len(questions.asked) == 2
    assert "사라집니다" in questions.asked[0]
    page.locator("#apiKey").fill("")
    page.locator("button[lang=en]").click()
    expect(page.locator("html")).to_have_attribute("lang", "en")
    expect(page.locator("#displayName")).to_have_value("Main 2")
    assert len(questions.asked) == 2


def test_discarded_changes_that_open_in_a_new_tab_stay_unsaved(
    place: Place, open_page: Open
) -> None:
    page = open_page()
    warnings = Warnings(page)
    rename_what_someone_else_renames(page, place.world)
    with page.context.expect_page() as opened:
        page.get_by_role("link", name="Discard my changes").click(modifiers=["Control"])
    expect(opened.value.locator("#displayName")).to_have_value("Changed")
    with page.expect_event("dialog"):
        page.close(run_before_unload=True)
    assert warnings.asked == 1
    expect(page.locator("#displayName")).to_have_value("Main 2")


def test_changing_the_language_does_not_change_whether_input_is_unsaved(
    place: Place, open_page: Open
) -> None:
    page, export = open_page(), new_export(place.world)
    warnings = Warnings(page)
    page.goto(f"/exports/{export}/exclusions")
    page.locator("button[lang=ko]").click()
    expect(page.locator("html")).to_have_attribute("lang", "ko")
    page.locator("a[href='/runs']").click()
    page.wait_for_url("**/runs")
    page.goto(f"/exports/{export}/exclusions")
    type_into(page, "#entries", "mina.park@example.com")
    page.locator("button[lang=en]").click()
    expect(page.locator("html")).to_have_attribute("lang", "en")
    assert warnings.asked == 0
    page.locator("a[href='/runs']").click()
    expect(page.locator("#entries")).to_have_value("mina.park@example.com")
    assert warnings.asked == 1
