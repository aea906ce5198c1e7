"""The lists of exports and runs in a browser: one line each, reasons, menus, and one schedule for several."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from playwright.sync_api import Page, expect

from shared.model.figures import Counts, Progress
from shared.model.finding import Reason
from shared.model.run import Mode, RunStatus, Trigger
from tests.browser.conftest import Open, Place, speed_up
from tests.browser.test_admin_pages import violations
from tests.web.client import new_export
from tests.web.realistic_data import NAMES, fill
from tests.web.world import NOW

pytestmark = pytest.mark.browser


def test_each_export_has_one_line_with_its_reason_and_a_menu(
    place: Place, open_page: Open, complaints: list[str]
) -> None:
    fill(place.world)
    page = open_page()
    page.goto("/")
    rows = page.locator("table.list tbody tr")
    expect(rows).to_have_count(len(NAMES))
    heights = rows.evaluate_all("rows => rows.map(row => row.getBoundingClientRect().height)")
    assert max(heights) < 60, heights
    row = rows.filter(has_text="Event: Contoso Connect")
    reason = row.get_by_role("tooltip", include_hidden=True)
    expect(reason).to_be_hidden()
    row.locator(".tip a").hover()
    expect(reason).to_be_visible()
    page.mouse.move(0, 0)
    expect(reason).to_be_hidden()
    row.locator(".tip a").focus()
    expect(reason).to_be_visible()
    assert violations(page) == []
    page.keyboard.press("Escape")
    expect(reason).to_be_hidden()
    menu = row.locator("details.menu")
    menu.locator("summary").focus()
    page.keyboard.press("Enter")
    expect(menu.get_by_role("link", name="Edit")).to_be_visible()
    assert violations(page) == []
    page.keyboard.press("Escape")
    expect(menu.get_by_role("link", name="Edit")).to_be_hidden()
    expect(menu.locator("summary")).to_be_focused()
    page.keyboard.press("Enter")
    menu.get_by_role("link", name="Remove").focus()
    expect(menu).to_have_js_property("open", True)
    # An open menu would cover the buttons of the rows below.
    page.keyboard.press("Tab")
    expect(menu).to_have_js_property("open", False)
    assert complaints == []


def test_each_button_of_a_list_names_its_export(place: Place, open_page: Open) -> None:
    found = fill(place.world)
    page = open_page("en", 390)
    page.goto("/")
    buttons = page.locator("main .actions").get_by_role("button").or_(page.get_by_role("link"))
    names = [
        one for one in buttons.all() if (one.text_content() or "") in ("Run", "Preview", "View run")
    ]
    assert len(names) == len(NAMES)
    expect(page.get_by_role("button", name="Run: Weekly newsletter")).to_be_visible()
    # A run that is active or waits is looked at, not started again.
    page.get_by_role("link", name="View run: Win back: no purchase in 12 months").click()
    page.wait_for_url(f"**/runs/{found[RunStatus.SENDING]}")
    connection = next(iter(place.world.connections.kept))
    page.goto(f"/connections/{connection}/audiences/a1b2c3d4e5")
    expect(page.get_by_role("button", name="Archive: Weekly newsletter")).to_be_visible()
    expect(page.get_by_label("Archive 120 contacts: Weekly newsletter")).to_be_visible()


def test_a_long_name_without_spaces_does_not_make_pages_wider_than_the_window(
    place: Place, open_page: Open
) -> None:
    export = new_export(place.world, displayName="W" * 200)
    run = place.world.runs.start(export, Trigger.ON_DEMAND, Mode.EXPORT, "Ada")
    page = open_page("en", 390)
    for path in ("/", f"/exports/{export}", f"/runs/{run.id}"):
        page.goto(path)
        assert page.evaluate("document.documentElement.scrollWidth") == 390, path


@pytest.mark.parametrize("path", ["/", "/runs"])
def test_a_phone_shows_the_whole_reason_of_a_status(
    place: Place, open_page: Open, path: str
) -> None:
    fill(place.world)
    page = open_page("ko", 390)
    page.goto(path)
    for tip in page.locator(".tip:has([role=tooltip])").all():
        status = tip.locator("a")
        status.focus()
        box = tip.get_by_role("tooltip").bounding_box()
        under = status.bounding_box()
        assert box is not None
        assert under is not None
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 390
        assert box["y"] >= under["y"] + under["height"] - 1


def test_a_phone_shows_exports_as_cards_and_works_without_scripts(
    place: Place, open_page: Open
) -> None:
    fill(place.world)
    page = open_page("ko", 390, script=False)
    page.goto("/")
    for name in ("Weekly newsletter", "Birthday voucher"):
        page.get_by_label(name, exact=False).and_(page.locator("input")).check()
    page.locator("details.menu summary").first.click()
    expect(page.get_by_role("link", name="편집").first).to_be_visible()
    page.locator("form#chosen button:visible").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("내보내기 2개의 일정")
    page.locator("main form button.primary").click()
    expect(page.get_by_role("status")).to_contain_text("일정을 저장했습니다")


def test_a_phone_shows_the_links_that_sort_exports(place: Place, open_page: Open) -> None:
    fill(place.world)
    page = open_page("en", 390)
    page.goto("/")
    page.get_by_role("link", name="Status", exact=True).click()
    page.wait_for_url("**sort=status**")
    assert page.evaluate("document.documentElement.scrollWidth") == 390


def test_all_exports_that_a_search_found_are_selected_at_once(
    place: Place, open_page: Open
) -> None:
    fill(place.world)
    page = open_page()
    page.goto("/?q=Contoso+Korea")
    boxes = page.locator("table.list input[type=checkbox]")
    expect(boxes).to_have_count(2)
    page.get_by_role("button", name="Select all").click()
    expect(boxes.nth(1)).to_be_checked()
    page.get_by_role("button", name="Clear selection").click()
    expect(boxes.nth(0)).not_to_be_checked()
    page.get_by_role("button", name="Select all").click()
    page.get_by_role("button", name="Set the schedule").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Schedule of 2 exports")


def test_a_phone_shows_the_export_of_each_run(place: Place, open_page: Open) -> None:
    fill(place.world)
    page = open_page("en", 390)
    page.goto("/runs")
    name = page.locator("table.list tbody td.name a").first
    expect(name).to_be_visible()
    seen = name.evaluate(
        "one => document.elementFromPoint(...(r => [r.x + 5, r.y + 5])(one.getBoundingClientRect()))"
        " === one"
    )
    assert seen
    assert page.evaluate("document.documentElement.scrollWidth") == 390


def requests_for_progress(page: Page) -> list[str]:
    """The URLs that a page requests from now on in order to follow runs."""
    asked: list[str] = []
    page.on("request", lambda one: asked.append(one.url) if "progress" in one.url else None)
    return asked


def test_the_list_of_exports_follows_active_runs_until_the_last_one_is_over(
    place: Place, open_page: Open, complaints: list[str]
) -> None:
    world, page = place.world, open_page()
    speed_up(page, 20)
    first, second = (
        new_export(world, displayName=name, segments=[{"name": "Segment_Vip", "tag": name}])
        for name in ("News", "Offers")
    )
    runs = [
        world.runs.start(export, Trigger.ON_DEMAND, Mode.EXPORT, "Ada").id
        for export in (first, second)
    ]
    asked = requests_for_progress(page)
    page.goto("/")
    page.evaluate("window.sameDocument = true")
    link = page.locator(f"#status-{first} a")
    link.focus()
    world.runs.move(
        runs[0],
        status=RunStatus.SENDING,
        progress=Progress(500, 1200, 1, 3, 42, 90, 490, 41.6),
    )
    expect(page.locator(f"#progress-{first}")).to_have_text("42%, 2 minutes left")
    expect(link).to_have_text("Processing: sending")
    expect(link).to_be_focused()
    # Only the end of a run is announced, not each step.
    expect(page.locator("#announce")).to_be_empty()
    assert violations(page) == []
    world.runs.move(runs[1], status=RunStatus.AWAITING_CONFIRMATION)
    expect(page.locator("#announce")).to_have_text("Offers: Awaiting confirmation")
    world.runs.move(runs[0], status=RunStatus.SUCCESSFUL, started_at=NOW, finished_at=NOW)
    expect(page.locator("#announce")).to_have_text("News: Successful")
    expect(link).to_have_text("Successful")
    expect(link).to_be_focused()
    expect(page.locator(f"#progress-{first}")).to_be_empty()
    assert second not in asked[-1]
    before = len(asked)
    page.wait_for_timeout(600)
    assert len(asked) == before
    assert page.evaluate("window.sameDocument")
    # The button still leads to the run: another one must not start under the pointer.
    page.get_by_role("link", name="View run: News").click()
    page.wait_for_url(f"**/runs/{runs[0]}")
    assert complaints == []


@pytest.mark.parametrize("path", ["/runs", "/exports/{export}"])
def test_a_list_of_runs_follows_active_runs_until_the_last_one_is_over(
    place: Place, open_page: Open, complaints: list[str], path: str
) -> None:
    world, page = place.world, open_page()
    speed_up(page, 20)
    export = new_export(world, displayName="News")
    run = world.runs.start(export, Trigger.ON_DEMAND, Mode.EXPORT, "Ada").id
    asked = requests_for_progress(page)
    page.goto(path.format(export=export))
    page.evaluate("window.sameDocument = true")
    row = page.locator("table.runs tbody tr")
    row.locator("th a").focus()
    world.runs.move(
        run,
        status=RunStatus.SENDING,
        counts=Counts(source_rows=1210, distinct=1200),
        progress=Progress(500, 1200, 1, 3, 42, 90, 490, 41.6),
    )
    expect(row).to_contain_text("42%, 2 minutes left")
    expect(row.locator("td[data-label=People]")).to_have_text("1,200")
    # The people who were sent are counted at the end.
    expect(row.locator("td[data-label=Sent]")).to_have_text("–")
    expect(page.locator("#announce")).to_be_empty()
    assert violations(page) == []
    world.runs.move(
        run,
        status=RunStatus.FAILED,
        reason=Reason("noNewData"),
        counts=Counts(source_rows=1210, distinct=1200, created=1100),
        started_at=NOW,
        finished_at=NOW + timedelta(minutes=3),
    )
    name = "News" if path == "/runs" else "Nov 23, 2026 09:00"
    expect(page.locator("#announce")).to_have_text(re.compile(f"^{name}: Failed$"))
    expect(row.locator("td[data-label=Sent]")).to_have_text("1,100")
    expect(row).to_contain_text("3 minutes")
    expect(row.locator("th a")).to_be_focused()
    row.locator(".tip a").focus()
    expect(row.get_by_role("tooltip")).to_be_visible()
    before = len(asked)
    page.wait_for_timeout(600)
    assert len(asked) == before
    assert page.evaluate("window.sameDocument")
    assert complaints == []


def test_the_page_of_an_export_shows_what_can_be_done_and_the_drawings_after_a_run(
    place: Place, open_page: Open, complaints: list[str]
) -> None:
    world = place.world
    export = new_export(world)
    ended = world.runs.start(export, Trigger.ON_DEMAND, Mode.EXPORT, "Ada")
    world.runs.move(ended.id, status=RunStatus.SUCCESSFUL, counts=Counts(distinct=1200))
    active = world.runs.start(export, Trigger.ON_DEMAND, Mode.EXPORT, "Ada")
    page = open_page()
    speed_up(page, 20)
    page.goto(f"/exports/{export}")
    buttons = page.locator("#export-actions")
    expect(buttons.get_by_role("link", name="View run")).to_be_visible()
    expect(page.locator("#charts svg")).to_have_count(0)
    world.runs.move(active.id, status=RunStatus.AWAITING_CONFIRMATION, counts=Counts(distinct=1300))
    expect(page.locator("#charts svg")).to_have_count(2)
    expect(page.get_by_role("link", name="Open the run that waits")).to_be_visible()
    expect(buttons.get_by_role("button", name="Preview")).to_have_count(0)
    buttons.get_by_role("button", name="Run").click()
    page.wait_for_url("**/runs/*")
    assert complaints == []


def test_a_list_without_an_active_run_requests_no_progress(
    place: Place, open_page: Open, complaints: list[str]
) -> None:
    world = place.world
    export = new_export(world)
    page = open_page()
    asked = requests_for_progress(page)
    speed_up(page, 20)

    def open_for_a_while(path: str) -> None:
        page.goto(path)
        page.wait_for_timeout(300)

    open_for_a_while("/")
    run = world.runs.start(export, Trigger.ON_DEMAND, Mode.EXPORT, "Ada")
    world.runs.move(run.id, status=RunStatus.SUCCESSFUL)
    open_for_a_while("/runs")
    open_for_a_while(f"/exports/{export}")
    assert asked == complaints == []
