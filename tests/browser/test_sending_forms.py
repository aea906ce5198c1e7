"""Forms in a browser when the session has ended, the app is slow, or it does not answer: nothing is lost or sent twice."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, Route, expect

from shared.web.authentication import Role
from tests.browser.conftest import Open, Place, choose_list, sent_forms, session_ended, speed_up
from tests.browser.test_admin_pages import WORDS, used_app, violations
from tests.browser.test_export_form import fill
from tests.web.client import new_connection, new_export

pytestmark = pytest.mark.browser

LISTED = "mina.park@example.com\nj.doe@example.org"


def exclusion_list(place: Place, open_page: Open) -> Page:
    """The page of a list that was typed and not saved."""
    page = open_page()
    page.goto(f"/exports/{new_export(place.world)}/exclusions")
    page.locator("#entries").fill(LISTED)
    return page


def save(page: Page) -> None:
    page.get_by_role("button", name="Save", exact=True).click()


def test_an_app_that_cannot_save_a_form_leaves_its_input_on_the_page(
    place: Place, open_page: Open
) -> None:
    page = exclusion_list(place, open_page)
    proxy = "<h1>Proxy</h1>"
    answers: list[tuple[Callable[[Route], None], str]] = [
        (lambda route: route.abort(), "#no-answer"),
        (session_ended, "#session-ended"),
        (lambda route: route.fulfill(status=503), "#no-answer"),
        (lambda route: route.fulfill(body=proxy, content_type="text/html"), "#no-answer"),
        (session_ended, "#session-ended"),
        (lambda route: route.fulfill(status=429), "#no-answer"),
    ]
    for answer, note in answers:
        page.route("**/session**", answer)
        save(page)
        expect(page.locator(note)).to_be_focused()
        expect(page.locator("#entries")).to_have_value(LISTED)
        assert violations(page) == []
        page.unroute("**/session**")
        page.locator("#entries").focus()
    save(page)
    page.wait_for_url("**?done=saved")


def test_a_refusal_by_azure_is_not_taken_for_one_by_the_app(place: Place, open_page: Open) -> None:
    page = exclusion_list(place, open_page)
    stopped = "<h1>Error 403 - This web app is stopped.</h1>"
    page.route("**/session**", lambda route: route.fulfill(status=403, body=stopped))
    save(page)
    expect(page.locator("#no-answer")).to_be_focused()
    expect(page.locator("#session-ended")).to_be_hidden()


@pytest.mark.parametrize("language", ["en", "ko"])
def test_a_form_that_is_not_allowed_any_more_stays_on_the_page_and_says_why(
    place: Place, open_page: Open, language: str
) -> None:
    world, page = place.world, open_page(language)
    connection = new_connection(world, sharedWith=["Contributor"])
    export = new_export(world, connection)
    place.world = world.seen_by(Role.CONTRIBUTOR)
    page.goto(f"/exports/{export}/edit")
    page.locator("#displayName").fill("Weekly news for members")
    stored = world.services.connections.read(connection)
    world.services.connections.change(connection, stored.value.display_name, (), stored.etag)
    note = page.locator("#not-allowed")
    words = {
        "en": "This connection is not shared with you. An administrator can share it. Your input",
        "ko": "이 연결은 나와 공유되지 않았습니다. 관리자가 공유할 수 있습니다. 입력한 내용은",
    }
    page.locator("button.primary").click()
    expect(note).to_be_focused()
    expect(note).to_contain_text(words[language])
    page.evaluate("document.activeElement.blur()")
    page.locator("#addAttribute").click()
    expect(note).to_be_focused()
    expect(page.locator("#displayName")).to_have_value("Weekly news for members")
    assert violations(page) == []


def test_a_form_can_be_sent_after_signing_in_again_in_another_tab(
    place: Place, open_page: Open
) -> None:
    page = exclusion_list(place, open_page)
    # As Azure does it: the sign-in is on another site, and returns with a form.
    elsewhere = place.url.replace("127.0.0.1", "localhost") + "/sign-in"
    returning = f"<form method=post action='{place.url}/.auth/callback'></form><script>document.forms[0].submit()</script>"
    is_signed_in = False

    def sign_in(path: str) -> tuple[str, list[tuple[str, str]], bytes] | None:
        nonlocal is_signed_in
        if path == "/sign-in":
            return "200 OK", [("Content-Type", "text/html")], returning.encode()
        if path == "/.auth/callback":
            is_signed_in = True
            return "302 Found", [("Location", "/")], b""
        return None if is_signed_in else ("302 Found", [("Location", elsewhere)], b"")

    place.in_front = sign_in
    save(page)
    expect(page.locator("#session-ended")).to_be_focused()
    with page.expect_popup() as opened:
        page.locator("#session-ended a").click()
    opened.value.wait_for_url(f"{place.url}/")
    expect(opened.value.locator("h1")).to_be_visible()
    save(page)
    page.wait_for_url("**?done=saved")


def test_a_list_is_saved_after_a_refused_upload_and_in_another_language(
    place: Place, open_page: Open
) -> None:
    page = exclusion_list(place, open_page)
    # The file replaces the list that was typed.
    page.once("dialog", lambda dialog: dialog.accept())
    choose_list(page, b"mina.park@@example.com")
    page.get_by_role("button", name="Replace the list").click()
    expect(page.locator("#errors")).to_be_focused()
    page.locator("#entries").fill(LISTED)
    page.get_by_role("button", name="한국어").click()
    expect(page.locator("html")).to_have_attribute("lang", "ko")
    expect(page.locator("#entries")).to_have_value(LISTED)
    page.get_by_role("button", name="저장", exact=True).click()
    page.wait_for_url("**?done=saved")


def test_the_focus_goes_to_the_reason_for_which_a_form_was_refused(
    place: Place, open_page: Open
) -> None:
    page = exclusion_list(place, open_page)
    page.locator("#entries").fill("mina.park@@example.com")
    save(page)
    expect(page.locator("#errors")).to_be_focused()
    expect(page).to_have_title(re.compile("^Error: "))
    expect(page.locator("#entries")).to_have_accessible_description(re.compile("Line: 1"))
    page.goto("/schedule")
    page.get_by_label("Schedule run").check()
    page.get_by_label("Recurrence").select_option("weekly")
    page.locator("#time-0").fill("")
    save(page)
    expect(page.locator("#errors")).to_be_focused()
    days = page.get_by_role("group", name="Days (weekly)")
    expect(days).to_have_accessible_description("Choose at least one day.")
    expect(page.locator("#time-0")).to_have_accessible_description("Enter at least one time.")
    assert violations(page) == []


def test_a_slow_app_says_that_it_works_and_gets_a_form_once(place: Place, open_page: Open) -> None:
    export = new_export(place.world)
    page = open_page("ko")
    speed_up(page, 10)
    page.goto(f"/exports/{export}")
    sent = sent_forms(page)
    held: list[Route] = []
    page.route("**/session**", lambda route: held.append(route))
    button = page.locator("form[action$='/duplicate'] button")
    button.click()
    expect(page.locator("#working")).to_have_text("처리하고 있습니다. 잠시 기다려 주세요.")
    assert violations(page) == []
    # Clicks by Playwright would wait for the answer.
    button.evaluate("button => { setInterval(() => button.click(), 20); }")
    with page.expect_request("**/duplicate"):
        held[0].continue_()
    page.wait_for_timeout(300)
    assert len(sent) == len(held) == 1


def test_a_failed_part_of_the_export_form_loses_nothing(place: Place, open_page: Open) -> None:
    connection = fill(place.world, segments=3)
    page = open_page()
    page.goto(f"/setup/export?connection={connection}")
    page.get_by_label(WORDS["en"]["name"]).fill("Weekly news")
    page.route("**/setup/export", lambda route: route.fulfill(status=503, body="unavailable"))
    page.locator("#addAttribute").click()
    expect(page.locator("#no-answer")).to_be_focused()
    expect(page.get_by_label(WORDS["en"]["name"])).to_have_value("Weekly news")
    page.unroute("**/setup/export")
    page.locator("#addAttribute").click()
    expect(page.locator("#attribute-0")).to_be_focused()
    expect(page.locator("#no-answer")).to_be_hidden()


def test_a_form_that_became_invalid_while_it_waited_can_be_corrected(
    place: Place, open_page: Open
) -> None:
    page = open_page()
    page.goto("/people")
    person = page.locator("#search-form input:not([type=hidden])")
    person.fill("mina.park@example.com")

    def clear_field_before_answer(route: Route) -> None:
        person.fill("")
        route.continue_()

    page.route("**/session**", clear_field_before_answer)
    find = page.locator("#search-form button.primary")
    with page.expect_response("**/session**"):
        find.click()
    expect(find).not_to_have_attribute("aria-disabled", "true")
    page.unroute("**/session**")
    person.fill("mina.park@example.com")
    with page.expect_navigation():
        find.click()


def test_a_return_to_a_page_leaves_the_focus_in_the_field(place: Place, open_page: Open) -> None:
    connection = fill(place.world, segments=3)
    page = open_page()
    page.goto(f"/setup/export?connection={connection}")
    name = page.get_by_label(WORDS["en"]["name"])
    name.focus()
    page.route("**/session**", session_ended)
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    expect(page.locator("#session-ended")).to_be_visible()
    expect(name).to_be_focused()


def test_a_page_of_a_proxy_does_not_count_as_the_updated_form(
    place: Place, open_page: Open
) -> None:
    connection = fill(place.world, segments=3)
    page = open_page()
    page.goto(f"/setup/export?connection={connection}")
    page.route(
        "**/setup/export",
        lambda route: route.fulfill(body="<h1>Proxy</h1>", content_type="text/html"),
    )
    page.locator("#addAttribute").click()
    expect(page.locator("#no-answer")).to_be_focused()
    expect(page.locator("#announce")).to_be_empty()


@pytest.mark.parametrize("script", [True, False], ids=["script", "no-script"])
def test_enter_in_a_field_sends_the_form_and_keeps_the_language(
    place: Place, open_page: Open, script: bool
) -> None:
    """Browsers press the first button of the form, also if it is in the head of the page."""
    pages = used_app(place.world)
    page = open_page(script=script)
    person = "mina.park@example.com"
    for name, field, value, result in (
        ("setup", "#displayName", "Contoso", "**/connections/*"),
        ("people", "#person", person, "**/people"),
        ("rejected", "#wanted", "m.park1", "**/rejected"),
        ("connection", "#displayName", "Contoso", "**?done=saved"),
        ("schedule", "#timeZone", "Asia/Seoul", "**?done=saved"),
        ("schedules", "#timeZone", "Asia/Seoul", "**?done=scheduled"),
        ("configure", "#displayName", "Weekly", "**?done=saved"),
        ("person", "#person", person, "**/runs/*"),
    ):
        page.goto(pages[name])
        if name == "setup":
            page.get_by_label(WORDS["en"]["agree"]).check()
        if "schedule" in name:
            page.locator("#repeat").select_option("daily")
            page.locator("#time-0").fill("06:00")
        page.locator(field).fill(value)
        with page.expect_navigation(url=result):
            page.locator(field).press("Enter")
        expect(page.locator("html")).to_have_attribute("lang", "en")
