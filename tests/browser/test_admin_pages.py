"""The admin pages in a real browser: a complete workflow, accessibility and appearance."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, ViewportSize, expect

from shared.model.audience import CallCounts, MergeField
from shared.model.figures import ConsentProof, Counts, Progress, RunSegment
from shared.model.finding import Finding, Severity
from shared.model.run import Mode, RunStatus, Trigger
from shared.runs.outcomes import OutcomeRow
from shared.segments.choosing.catalogue import AttributeInfo, SegmentInfo, SegmentSample
from tests.browser.conftest import Open, Place, is_form, sent_forms
from tests.web.client import new_connection, new_export
from tests.web.world import KEY, NOW, World

pytestmark = pytest.mark.browser

PROJECT = Path(__file__).parents[2]
AXE = PROJECT / "node_modules" / "axe-core" / "axe.min.js"
DESKTOP, PHONE = ViewportSize(width=1280, height=900), ViewportSize(width=390, height=900)
# A screen of 1280 px at 200 %.
ZOOMED = ViewportSize(width=640, height=450)
# At 400 %. https://www.w3.org/WAI/WCAG22/Understanding/reflow.html
ZOOMED_MORE = ViewportSize(width=320, height=225)
WIDTH = "document.documentElement.scrollWidth"
RULES = {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}
# What differs in another language and colour scheme, for pages whose elements have been checked.
RULES_FOR_COLOURS = {
    "type": "rule",
    "values": ["color-contrast", "html-has-lang", "html-lang-valid", "valid-lang"],
}
# Without the elements that keep the rules: describing them takes half of the time.
VIOLATIONS = """async rules => {
    const found = await axe.run(document, {runOnly: rules, resultTypes: ['violations']});
    return found.violations;
}"""

WORDS = {
    "en": {
        "add": "Add export",
        "name": "Display name",
        "agree": "I agree",
        "connect": "Connect",
        "key": "Mailchimp API key",
        "withKey": "Connect with this key",
        "next": "Next: configure an export",
        "audience": "Mailchimp audience",
        "saveAndRun": "Save and run",
        "successful": "Successful",
        "cancel": "Cancel job",
        "remove": "Remove",
    },
    "ko": {
        "add": "내보내기 추가",
        "name": "표시 이름",
        "agree": "동의함",
        "connect": "연결",
        "key": "Mailchimp API 키",
        "withKey": "이 키로 연결",
        "next": "다음: 내보내기 구성",
        "audience": "Mailchimp 대상 그룹",
        "saveAndRun": "저장 후 실행",
        "successful": "성공",
        "cancel": "작업 취소",
        "remove": "제거",
    },
}


@pytest.mark.parametrize("language", [pytest.param("en", marks=pytest.mark.long), "ko"])
def test_a_complete_workflow_succeeds(
    place: Place, open_page: Open, complaints: list[str], language: str
) -> None:
    page, words, world = open_page(language), WORDS[language], place.world
    page.goto("/")
    page.get_by_role("link", name=words["add"]).click()
    page.get_by_label(words["name"]).fill("Contoso")
    page.get_by_label(words["agree"]).check()
    page.get_by_role("button", name=words["connect"], exact=True).click()
    page.get_by_label(words["key"]).fill(KEY)
    page.get_by_role("button", name=words["withKey"]).click()
    page.get_by_role("link", name=words["next"]).click()
    page.get_by_label(words["name"]).fill("Weekly news")
    page.get_by_label(words["audience"]).select_option("a1b2c3d4e5")
    page.locator("#segments").get_by_label("VIP", exact=True).check()
    expect(page.locator("#total")).to_have_text("1,200")
    page.get_by_role("button", name=words["saveAndRun"]).click()
    page.wait_for_url("**/runs/run-1")
    world.runs.move("run-1", status=RunStatus.SENDING)
    expect(page.locator("#progress")).to_have_attribute("data-status", "sending")
    world.runs.move(
        "run-1",
        progress=Progress(profiles_done=500, profiles_total=1200, percent=42, seconds_left=90),
    )
    expect(page.locator("#percent")).to_have_text("42")
    expect(page.locator("#bar")).to_have_js_property("value", 42)
    world.runs.move("run-1", status=RunStatus.SUCCESSFUL, finished_at=NOW, started_at=NOW)
    expect(page.locator("#progress")).to_contain_text(words["successful"])
    export = next(iter(world.exports.kept))
    page.goto(f"/exports/{export}/remove")
    page.get_by_role("button", name=words["remove"]).click()
    page.wait_for_url("**/?done=removed")
    assert not world.exports.kept
    assert complaints == []


def test_all_pages_work_without_scripts(place: Place, open_page: Open) -> None:
    page, words, world = open_page(script=False), WORDS["en"], place.world
    connection = new_connection(world)
    page.goto(f"/setup/export?connection={connection}")
    page.get_by_role("button", name="Add attribute").click()
    page.get_by_label(words["name"]).fill("Weekly news")
    page.get_by_label(words["audience"]).select_option("a1b2c3d4e5")
    page.locator("#segments").get_by_label("VIP", exact=True).check()
    page.get_by_role("button", name="Remove attribute 1").click()
    page.get_by_role("button", name=words["saveAndRun"]).click()
    page.wait_for_url("**/runs/run-1")
    page.get_by_role("button", name=words["cancel"]).click()
    expect(page.locator("#progress")).to_contain_text("is being canceled")
    assert world.runs.kept["run-1"].cancel_requested


def test_all_pages_can_be_used_with_the_keyboard(place: Place, open_page: Open) -> None:
    page = open_page()
    new_export(place.world)
    page.goto("/")
    page.keyboard.press("Tab")
    expect(page.get_by_text("Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#main")).to_be_focused()


@pytest.mark.parametrize("path", ["/setup/connection", "/exports/{export}", "/setup/export"])
def test_a_double_click_sends_a_form_once(place: Place, open_page: Open, path: str) -> None:
    page, world = open_page(), place.world
    export = new_export(world)
    page.goto(path.format(export=export))
    button = page.locator("form[action$='/duplicate'] button")
    if path == "/setup/connection":
        page.get_by_label(WORDS["en"]["name"]).fill("Contoso")
        page.get_by_label(WORDS["en"]["agree"]).check()
        button = page.get_by_role("button", name=WORDS["en"]["connect"], exact=True)
    if path == "/setup/export":
        page.get_by_label(WORDS["en"]["name"]).fill("Weekly news")
        page.get_by_label(WORDS["en"]["audience"]).select_option("a1b2c3d4e5")
        page.locator("#segments").get_by_label("New", exact=True).check()
        expect(page.locator("#total")).to_have_text("0")
        page.wait_for_load_state("networkidle")
        button = page.get_by_role("button", name="Save", exact=True)
    sent = sent_forms(page)
    with page.expect_request(is_form):
        button.evaluate("button => { button.click(); setTimeout(() => button.click(), 20); }")
    page.wait_for_timeout(300)
    assert len(sent) == 1


def describe_attributes(world: World) -> None:
    """Attributes with sample values, and an audience with fields for them."""
    kinds = ("Email", "FirstName", "LastName", "City", "BirthDate")
    world.catalogue.attributes = lambda segment: [  # type: ignore[method-assign]
        AttributeInfo(
            name,
            "date" if name == "BirthDate" else "string",
            None,
            "email" if name == "Email" else None,
        )
        for name in kinds
    ]
    world.catalogue.samples = SegmentSample(
        "VIP customers",
        {
            "Email": ["mina.park@example.com", "j.doe@example.org", "ada@example.net"] * 1600,
            "FirstName": ["Mina", "John", "Ada"] * 1600,
            "LastName": ["Park", "Doe", "Byron"] * 1600,
            "City": ["Seoul", "Ulm", "London"] * 1600,
            "BirthDate": ["1980-05-06", "1991-12-31", "2000-02-29"] * 1590 + ["unknown"] * 30,
        },
    )
    world.accounts[KEY].fields["a1b2c3d4e5"] = [
        MergeField(1, "FNAME", "First name", "text", False, {"size": 25}),
        MergeField(2, "LNAME", "Last name", "text", False, {"size": 25}),
        MergeField(3, "CITY", "City", "text", False),
        MergeField(4, "BIRTHDAY", "Birthday", "birthday", False, {"date_format": "MM/DD"}),
    ]


def used_app(world: World) -> dict[str, str]:
    """An app with past runs and changes; its pages by name."""
    world.catalogue.segments = lambda: [  # type: ignore[method-assign]
        SegmentInfo("Segment_Vip", "VIP customers", 48210, NOW),
        SegmentInfo("Segment_Newsletter", "Newsletter readers", 612904, NOW),
        SegmentInfo("Segment_Lapsed", "Lapsed", 30544, NOW, complete=False),
    ]
    describe_attributes(world)
    connection = new_connection(world, "Contoso Mailchimp", sharedWith=["Contributor"])
    weekly = new_export(
        world,
        connection,
        displayName="Weekly newsletter",
        segments=[{"name": "Segment_Vip", "tag": "VIP"}, {"name": "Segment_Newsletter"}],
        mapping={
            "email": "Email",
            "firstName": "FirstName",
            "lastName": "LastName",
            "attributes": [
                {"attribute": "City", "mergeField": "CITY"},
                {"attribute": "BirthDate", "mergeField": "BIRTHDAY"},
            ],
        },
    )
    lapsed = new_export(
        world,
        connection,
        displayName="Win back",
        segments=[{"name": "Segment_Lapsed"}],
        schedule={
            "repeat": "weekly",
            "days": ["monday"],
            "times": ["06:00"],
            "timeZone": "Asia/Seoul",
        },
    )
    for day in range(8):
        run = world.runs.start(weekly, Trigger.REFRESH, Mode.EXPORT, "")
        began = NOW - timedelta(days=8 - day)
        world.runs.move(
            run.id,
            status=RunStatus.COMPLETED_WITH_WARNINGS if day % 3 == 1 else RunStatus.SUCCESSFUL,
            audience_name="Newsletter",
            queued_at=began,
            started_at=began,
            finished_at=began + timedelta(seconds=160 + 9 * day),
            counts=Counts(
                source_rows=661100 + 900 * day,
                distinct=640200 + 800 * day,
                new=1200,
                changed=5400,
                unchanged=615_398 + 800 * day,
                created=1180,
                updated=5391,
                kept=18230,
                rejected=29 if day % 3 == 1 else 4,
                left=310,
                removed=310,
                shared_address=12,
            ),
            consent_proof=ConsentProof(kept=18230),
            calls=CallCounts(write=14, read=41, throttled=1, retried=1),
            segments=(
                RunSegment("Segment_Vip", "VIP", 48210, 46120),
                RunSegment("Segment_Newsletter", "Segment_Newsletter", 612904, 596010),
            ),
            findings=(
                Finding(
                    Severity.INFO,
                    "tagRepaired",
                    values={"tag": "VIP", "added": "3", "removed": "1"},
                ),
            ),
        )
    going = world.runs.start(lapsed, Trigger.ON_DEMAND, Mode.EXPORT, "Ada")
    world.runs.move(
        going.id,
        status=RunStatus.SENDING,
        started_at=NOW,
        counts=Counts(source_rows=30544, distinct=30102, new=2100, changed=820),
        progress=Progress(1500, 2920, 3, 6, 51, 12, 1494, 41.6),
    )
    world.outcomes.kept = [
        OutcomeRow(f"C-{number}", address, ("VIP",), "rejected", code, field)
        for number, (address, code, field) in enumerate(
            [
                *((f"m.park{n}@@example.com", "addressMalformed", "") for n in range(24)),
                *[("", "addressMissing", "")] * 4,
                ("j.doe@example.org", "fieldRefused", "BIRTHDAY"),
            ],
            start=10_021,
        )
    ]
    # The groups of rejected rows in the pictures add up.
    last = world.runs.read("run-8").counts
    assert len(world.outcomes.kept) == last.rejected
    return {
        "exports": "/",
        "export": f"/exports/{weekly}",
        "configure": f"/exports/{weekly}/edit",
        "remove": f"/exports/{weekly}/remove",
        "run": "/runs/run-8",
        "undo": "/runs/run-8/undo",
        "progress": f"/runs/{going.id}",
        "setup": "/setup/connection",
        "connections": "/connections",
        "connection": f"/connections/{connection}",
        "schedule": "/schedule",
        "runs": "/runs",
        "runAll": "/run-all",
        "schedules": f"/exports-schedule?export={weekly}",
        "detach": f"/exports/{weekly}/detach",
        "rejected": "/runs/run-8/rejected",
        "person": f"/exports/{weekly}/person",
        "unused": f"/connections/{connection}/audiences/a1b2c3d4e5",
        "people": "/people",
        "audit": "/audit",
        "notFound": "/exports/none",
    }


def violations(page: Page, rules: dict[str, Any] = RULES) -> list[str]:
    """What axe finds against WCAG 2.2 AA."""
    # Through the debugger, not as a script of the page: the page's policy allows ours alone.
    if page.evaluate("typeof axe") == "undefined":
        page.evaluate(AXE.read_text("utf-8"))
    found: Any = page.evaluate(VIOLATIONS, rules)
    return [
        f"{page.url} {one['id']}: {node['html'][:200]}" for one in found for node in one["nodes"]
    ]


@pytest.mark.parametrize(
    ("language", "scheme", "rules"),
    [("en", "dark", RULES), ("ko", "light", RULES_FOR_COLOURS)],
    ids=["en-dark", "ko-light"],
)
def test_no_page_has_an_accessibility_fault_or_is_wider_than_a_phone_or_a_zoomed_screen(
    place: Place,
    open_page: Open,
    complaints: list[str],
    language: str,
    scheme: str,
    rules: dict[str, Any],
) -> None:
    pages = used_app(place.world)
    page = open_page(language)
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    if AXE.exists():
        page.add_init_script(path=AXE)
    found = []
    for path in pages.values():
        page.set_viewport_size(DESKTOP)
        page.goto(path)
        if AXE.exists():
            found += violations(page, rules)
        for size in (ZOOMED, PHONE, ZOOMED_MORE):
            page.set_viewport_size(size)
            assert page.evaluate(WIDTH) <= size["width"], (path, size)
    assert [c for c in complaints if "404" not in c] == []
    if not AXE.exists():
        pytest.skip("axe-core is not installed: 'make setup' installs it")
    assert found == []


def test_finding_and_removing_a_person_has_no_accessibility_fault(
    place: Place, open_page: Open
) -> None:
    if not AXE.exists():
        pytest.skip("axe-core is not installed: 'make setup' installs it")
    used_app(place.world)
    page = open_page()
    page.goto("/people")
    page.locator("input[name=person]").first.fill("mina.park@example.com")
    page.locator("form.search button").click()
    expect(page.locator(".danger-zone")).to_be_visible()
    found = violations(page)
    page.locator("input[name=sure]").check()
    page.locator("button.danger").click()
    expect(page.get_by_role("status")).to_contain_text("Removed")
    assert found + violations(page) == []


@pytest.mark.skipif(not os.environ.get("PICTURES"), reason="takes the documentation's pictures")
@pytest.mark.parametrize("width", [390, 1280])
def test_the_pictures_of_the_documentation(place: Place, open_page: Open, width: int) -> None:
    shown = "".join(page.read_text("utf-8") for page in (PROJECT / "docs").glob("*.md"))
    pages = used_app(place.world)
    place.world.now = NOW + timedelta(minutes=1)
    for language in ("en", "ko"):
        page = open_page(language, width)
        for name, path in pages.items():
            picture = f"images/{name}-{language}-{width}.png"
            if picture in shown:
                page.goto(path)
                page.screenshot(path=PROJECT / "docs" / picture, full_page=True)


def test_forced_colours_distinguish_the_current_item_and_the_primary_button(
    place: Place, open_page: Open
) -> None:
    new_export(place.world)
    page = open_page()
    page.emulate_media(forced_colors="active")
    page.goto("/")
    for first, second in (
        ("nav [aria-current]", "nav a:not([aria-current])"),
        (".actions .primary", ".actions .button:not(.primary)"),
    ):
        shown = [
            page.locator(one).first.evaluate(
                "one => { const s = getComputedStyle(one); return [s.backgroundColor, s.color]; }"
            )
            for one in (first, second)
        ]
        assert shown[0][0] != shown[1][0], (first, shown)
        assert shown[0][0] != shown[0][1], (first, shown)


def test_an_injected_script_does_not_run(
    place: Place, open_page: Open, complaints: list[str]
) -> None:
    world = place.world
    export = new_export(world, displayName="<script>document.title='owned'</script>")
    page = open_page()
    page.goto(f"/exports/{export}")
    assert "owned" not in page.title() or "<script>" in page.title()
    page.evaluate(
        "() => { const s = document.createElement('script'); s.textContent = \"document.title='x'\";"
        " document.body.append(s); }"
    )
    assert page.title() != "x"
    assert any("Content Security Policy" in complaint for complaint in complaints)


def test_leaving_for_mailchimp_shows_the_destination(place: Place, open_page: Open) -> None:
    world = place.world
    world.serve(replace(world.services, public_url=place.url))
    connection = new_connection(world)
    page = open_page()
    page.goto(f"/connections/{connection}")
    page.get_by_text("Connect again").click()
    page.get_by_role("button", name="Authenticate with Mailchimp").click()
    link = page.get_by_role("link", name="Continue")
    assert (link.get_attribute("href") or "").startswith("https://login.example.com/")
    if AXE.exists():
        assert violations(page) == []
