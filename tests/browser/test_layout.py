"""Nothing on a page is cut off or hidden by what is next to it, on a screen and on paper."""

from __future__ import annotations

from itertools import pairwise
from typing import Literal

import pytest
from playwright.sync_api import expect

from shared.model.figures import Counts, Progress, RunSegment
from shared.model.run import RunStatus
from shared.people.search import PersonInExport
from shared.segments.choosing.catalogue import SegmentInfo
from tests.browser.conftest import Open, Place
from tests.browser.test_admin_pages import describe_attributes, used_app
from tests.web.client import new_connection, new_export
from tests.web.realistic_data import NAMES, fill
from tests.web.world import NOW

pytestmark = pytest.mark.browser


LONG = "Customers_with_at_least_three_orders_in_the_last_twelve_months_and_consent_to_news"
# The boxes of tables that can only be read by scrolling sideways.
HIDDEN_COLUMNS = """[...document.querySelectorAll('.scroll')]
    .filter(box => box.scrollWidth > box.clientWidth)
    .map(box => box.getAttribute('aria-label') || box.innerText.slice(0, 40))"""
# The lists whose text is taller than the space that their padding leaves.
CUT_OFF = """[...document.querySelectorAll('select')].filter(list => {
    const style = getComputedStyle(list);
    const line = document.createElement('span');
    line.textContent = 'Ág가';
    line.style.cssText = `position: absolute; line-height: normal; font: ${style.font}`;
    line.style.lineHeight = 'normal';
    document.body.append(line);
    const needed = line.getBoundingClientRect().height;
    line.remove();
    const space = list.clientHeight - parseFloat(style.paddingTop) - parseFloat(style.paddingBottom);
    return list.checkVisibility() && space < needed;
}).map(list => list.id)"""


@pytest.mark.parametrize("language", ["en", "ko"])
def test_a_long_name_of_a_segment_does_not_hide_the_columns_beside_it(
    place: Place, open_page: Open, language: str
) -> None:
    world = place.world
    describe_attributes(world)
    world.catalogue.segments = lambda: [SegmentInfo(LONG, LONG, 48210, NOW)]  # type: ignore[method-assign]
    connection = new_connection(world)
    export = new_export(world, connection, segments=[{"name": LONG}])
    page = open_page(language)
    page.goto(f"/exports/{export}")
    page.locator("form[action$='/run'] button").first.click()
    page.wait_for_url("**/runs/*")
    run = page.url.rpartition("/")[2]
    world.runs.move(
        run,
        status=RunStatus.SUCCESSFUL,
        started_at=NOW,
        finished_at=NOW,
        segments=(RunSegment(LONG, LONG, 48210, 46120),),
    )
    for path in (f"/exports/{export}", f"/exports/{export}/edit", f"/runs/{run}"):
        page.goto(path)
        expect(page.locator("main")).to_contain_text(LONG)
        assert page.evaluate(HIDDEN_COLUMNS) == [], path


def test_a_phone_shows_every_column_of_a_run(place: Place, open_page: Open) -> None:
    found = fill(place.world)
    page = open_page("ko", 390)
    for run in (found["preview"], found["onePerson"], found[RunStatus.SUCCESSFUL]):
        page.goto(f"/runs/{run}")
        page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
        assert page.evaluate(HIDDEN_COLUMNS) == [], run
    page.goto(f"/runs/{found['preview']}")
    expect(page.locator("td[data-label='행']").first).to_be_visible()
    status = page.locator("tr", has=page.get_by_text("상태", exact=True)).first
    # A new person is not in the audience yet.
    expect(status.locator("td")).to_have_text(["대상 그룹에 없음", "대기"])


@pytest.mark.parametrize("language", ["en", "ko"])
def test_the_texts_of_a_chart_are_legible_and_do_not_overlap_on_a_phone(
    place: Place, open_page: Open, language: str
) -> None:
    found = fill(place.world)
    page = open_page(language, 390)
    page.goto(f"/exports/{found[NAMES[0]]}")
    drawn = page.locator(".chart-card svg")
    expect(drawn).to_have_count(2)
    for drawing in drawn.all():
        sides = drawing.bounding_box()
        words = [one.bounding_box() for one in drawing.locator("text:visible").all()]
        assert sides
        boxes = sorted((box for box in words if box), key=lambda box: (round(box["y"]), box["x"]))
        for left, right in pairwise(boxes):
            assert left["y"] != right["y"] or left["x"] + left["width"] < right["x"]
        for box in boxes:
            assert box["height"] >= 12
            assert sides["x"] <= box["x"]
            assert box["x"] + box["width"] <= sides["x"] + sides["width"]


def test_many_exports_do_not_push_the_button_out_of_sight(place: Place, open_page: Open) -> None:
    world = place.world
    connection = new_connection(world)
    exports = [
        new_export(world, connection, displayName=f"{LONG} {number}", audienceId=f"a{number}")
        for number in range(40)
    ]
    page = open_page()
    for path in ("/run-all", "/exports-schedule?export=" + "&export=".join(exports)):
        page.goto(path)
        box = page.locator("main button.primary").bounding_box()
        assert box
        assert box["y"] < 900, path


def test_the_text_of_a_list_is_not_cut_off(place: Place, open_page: Open) -> None:
    pages = used_app(place.world)
    page = open_page()
    for name in ("exports", "configure", "runs", "schedule", "audit"):
        page.goto(pages[name])
        assert page.evaluate(CUT_OFF) == [], name


def test_a_printed_run_has_no_buttons_and_no_menu(place: Place, open_page: Open) -> None:
    pages = used_app(place.world)
    page = open_page()
    page.goto(pages["run"])
    page.emulate_media(media="print")
    expect(page.locator("h1")).to_be_visible()
    expect(page.locator(".sentence")).to_be_visible()
    expect(page.get_by_role("navigation")).to_be_hidden()
    for button in page.locator("main .actions > *, main button, main .button").all():
        expect(button).to_be_hidden()


# The cells that are grids with a label, and have more than one part beside it.
SPLIT = """[...document.querySelectorAll("td[data-label]")]
    .filter(cell => getComputedStyle(cell).display === "grid")
    .filter(cell => [...cell.childNodes].filter(part => part.textContent.trim()).length > 1)
    .map(cell => cell.innerText)"""


def test_a_phone_shows_the_whole_text_of_a_cell_beside_its_label(
    place: Place, open_page: Open
) -> None:
    pages = used_app(place.world)
    person = PersonInExport("e2", "Win back", (), "absent", "kept", "erased", NOW)
    place.world.people.known["ada@contoso.example"] = [person]
    page = open_page(width=390)
    for name, path in pages.items():
        page.goto(path)
        assert page.evaluate(SPLIT) == [], name
    page.goto("/people")
    page.locator("input[name=person]").fill("ada@contoso.example")
    page.locator("form.search button").click()
    expect(page.get_by_text("Delete the person in the source as well.")).to_be_visible()
    assert page.evaluate(SPLIT) == []


# The elements of a page that are wider than the box around them, and tables and lists of which a part is out of sight.
TOO_WIDE = """[...document.querySelectorAll('.scroll, .numbers > div, input[type=date]')]
    .filter(box => box.scrollWidth > box.clientWidth + 1)
    .map(box => box.getAttribute('aria-label') || box.innerText || box.id)"""
# The values of a list of runs that reach the label of the next value, 16 pixels beside them.
COLLIDING = """[...document.querySelectorAll('table.runs td.number')].flatMap(cell => {
    const text = document.createRange();
    text.selectNodeContents(cell);
    return text.getBoundingClientRect().right > cell.getBoundingClientRect().right + 12 ? [cell.innerText] : [];
})"""


@pytest.mark.parametrize("width", [320, 360, 390])
def test_the_numbers_of_ten_million_people_fit_a_phone(
    place: Place, open_page: Open, width: int
) -> None:
    found = fill(place.world)
    millions = Counts(
        source_rows=60_123_456,
        distinct=10_000_000,
        created=7_499_000,
        updated=1_999_000,
        unchanged=502_000,
    )
    sending, done = found[RunStatus.SENDING], found[RunStatus.SUCCESSFUL]
    progress = Progress(1_500_000, 9_500_000, 3000, 19_000, 15, 98_765, 1_494_000, 1500.0)
    for run in (sending, done):
        place.world.runs.move(run, counts=millions, progress=progress)
    page = open_page("ko", width)
    for path in (f"/runs/{sending}", f"/runs/{done}", "/runs"):
        page.goto(path)
        assert page.evaluate("document.documentElement.scrollWidth") == width, path
        assert page.evaluate(TOO_WIDE) == [], path
        assert page.evaluate(COLLIDING) == [], path


def test_no_table_of_a_narrow_window_has_to_be_scrolled_sideways(
    place: Place, open_page: Open
) -> None:
    pages = used_app(place.world)
    page = open_page(width=320)
    for name, path in pages.items():
        page.goto(path)
        assert page.evaluate(TOO_WIDE) == [], name
    # Two people edit the same export.
    other = open_page()
    for one in (page, other):
        one.goto(pages["configure"])
    for one, text in ((other, "Newsletter of every week"), (page, "Newsletter")):
        one.get_by_label("Display name").fill(text)
        one.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("Someone else has changed this").first).to_be_visible()
    assert page.evaluate(TOO_WIDE) == []


def test_long_names_stay_in_the_list_of_connections_and_in_the_form(
    place: Place, open_page: Open
) -> None:
    world = place.world
    describe_attributes(world)
    world.catalogue.segments = lambda: [  # type: ignore[method-assign]
        SegmentInfo(LONG, LONG + LONG, 48210, NOW),
        SegmentInfo("Other", "Other", 1, NOW),
    ]
    connection = new_connection(world)
    export = new_export(
        world,
        connection,
        displayName=LONG + LONG,
        segments=[{"name": "Other"}],
        exclusionSegments=[LONG],
    )
    for width in (390, 1280):
        page = open_page("en", width)
        for path in ("/connections", f"/exports/{export}/edit"):
            page.goto(path)
            expect(page.locator("main")).to_contain_text(LONG)
            assert page.evaluate(TOO_WIDE) == [], (path, width)


def test_a_phone_shows_the_changes_of_the_audit_trail_below_each_other(
    place: Place, open_page: Open
) -> None:
    new_export(place.world, displayName="봄맞이 할인 안내 및 쿠폰 발송")
    page = open_page("ko", 320)
    page.goto("/audit")
    page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
    row = page.locator("table.changes tr", has_text="봄맞이").first
    # As wide as the row, so that no word is cut.
    cell = row.locator("td").last
    expect(cell).to_be_visible()
    outer, inner = row.bounding_box(), cell.bounding_box()
    assert outer
    assert inner
    assert inner["width"] > outer["width"] * 0.8


# The contrast of each bar of a drawing with its card. https://www.w3.org/TR/WCAG22/#dfn-contrast-ratio
CONTRAST = """(() => {
    const luminance = colour => {
        const [r, g, b] = colour.match(/[0-9.]+/g).map(one => one / 255)
            .map(one => one <= 0.04045 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4);
        return 0.2126 * r + 0.7152 * g + 0.0722 * b + 0.05;
    };
    return [...document.querySelectorAll('.chart-card rect:not(.hit)')].map(bar => {
        const both = [getComputedStyle(bar).fill, getComputedStyle(bar.closest('.chart-card')).backgroundColor];
        const [dark, light] = both.map(luminance).sort((one, other) => one - other);
        return light / dark;
    });
})()"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_bars_of_a_drawing_stand_out_from_their_card(
    place: Place, open_page: Open, scheme: Literal["light", "dark"]
) -> None:
    found = fill(place.world)
    page = open_page()
    page.emulate_media(color_scheme=scheme)
    page.goto(f"/exports/{found[NAMES[0]]}")
    contrasts = page.evaluate(CONTRAST)
    assert contrasts
    assert min(contrasts) >= 3
