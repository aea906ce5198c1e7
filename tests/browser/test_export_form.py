"""The export form in a real browser: mapping, segments, errors, and a session that ends."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from shared.model.audience import MergeField
from shared.segments.choosing.catalogue import AttributeInfo, SegmentInfo, SegmentSample
from tests.browser.conftest import Open, Place, session_ended
from tests.browser.test_admin_pages import AXE, violations
from tests.web.client import new_connection
from tests.web.world import KEY, NOW, World

pytestmark = pytest.mark.browser

AUDIENCE = "a1b2c3d4e5"


def fill(world: World, segments: int) -> str:
    """Segments, samples with a date that is not one, and an audience with fields. Returns a connection."""
    names = [
        "VIP customers",
        "Newsletter readers",
        "No purchase in 12 months",
        "Loyalty: gold and platinum",
    ]
    world.catalogue.segments = lambda: [  # type: ignore[method-assign]
        SegmentInfo(f"Segment_{n:03}", f"{names[n % 4]} {n:03}", 1200 + 37 * n, NOW)
        for n in range(segments)
    ]
    kinds = {"Email": "string", "FirstName": "string", "BirthDate": "date", "Points": "int64"}
    world.catalogue.attributes = lambda segment: [  # type: ignore[method-assign]
        AttributeInfo(name, kind, None, "email" if name == "Email" else None)
        for name, kind in kinds.items()
    ]
    world.catalogue.samples = SegmentSample(
        "VIP customers 000",
        {
            "Email": ["mina.park@example.com", "j.doe@example.org", "ada@example.net"] * 1600,
            "FirstName": ["Mina", "John", "Ada"] * 1600,
            "BirthDate": ["1980-05-06", "1991-12-31", "2000-02-29"] * 1604 + ["unknown"] * 190,
            "Points": ["120", "88", "1"] * 1600,
        },
    )
    world.accounts[KEY].fields[AUDIENCE] = [
        MergeField(1, "FNAME", "First Name", "text", False, {"size": 25}),
        MergeField(2, "CITY", "City", "text", False),
        MergeField(3, "BIRTHDATE", "Date of birth", "date", False),
    ]
    return new_connection(world, "Contoso Mailchimp")


@pytest.mark.parametrize("language", [pytest.param("en", marks=pytest.mark.long), "ko"])
def test_the_mapping_is_checked_against_samples_without_reloading(
    place: Place, open_page: Open, complaints: list[str], language: str
) -> None:
    connection = fill(place.world, segments=20)
    page = open_page(language)
    page.goto(f"/setup/export?connection={connection}")
    page.evaluate("window.sameDocument = true")
    page.locator("#displayName").fill("Weekly news")
    # The audience is a list, because the connection is known; its fields follow the choice.
    page.locator("#audienceId").select_option(AUDIENCE)
    page.locator("#addAttribute").click()
    expect(page.locator("#attribute-0")).to_be_focused()
    page.locator("#attribute-0").select_option("BirthDate")
    expect(page.locator(".mapping tr", has=page.locator("#attribute-0"))).to_contain_text(
        "1991-12-31"
    )
    page.locator("#field-0").focus()
    page.locator("#field-0").select_option("BIRTHDATE")
    row = page.locator(".mapping tr", has=page.locator("#field-0"))
    expected = {"en": "4,812 of 5,002 are dates", "ko": "5,002개 중 4,812개가 날짜입니다"}
    expect(row).to_contain_text(expected[language])
    expect(page.locator("#field-0")).to_be_focused()
    page.locator("#addAttribute").click()
    page.locator("#attribute-1").select_option("FirstName")
    page.locator("#field-1").select_option("+")
    expect(page.locator("#newField-1")).to_be_visible()
    page.locator("#type-1").select_option("number")
    row = page.locator(".mapping tr", has=page.locator("#field-1"))
    expect(row.locator(".check-bad")).to_contain_text("4,800")
    if AXE.exists():
        assert violations(page) == []
    page.locator("#remove-0").click()
    expect(page.locator("#attribute-1")).to_have_count(0)
    expect(page.locator("#addAttribute")).to_be_focused()
    expect(page.locator("#displayName")).to_have_value("Weekly news")
    assert page.evaluate("window.sameDocument")
    assert complaints == []


def test_an_attribute_of_two_thousand_is_found_by_typing(place: Place, open_page: Open) -> None:
    connection = fill(place.world, 1)
    place.world.catalogue.attributes = lambda segment: [  # type: ignore[method-assign]
        AttributeInfo(f"Attribute_{n:04}", "date" if n == 1234 else "string", None, None)
        for n in range(2000)
    ]
    page = open_page()
    page.goto(f"/setup/export?connection={connection}")
    page.locator("#addAttribute").click()
    field = page.locator("#attribute-0")
    expect(field).to_be_focused()
    # The list of suggestions is in the page once, for all rows.
    assert page.locator("datalist#attributes option").count() == 2000
    field.fill("Attribute_1234")
    suggested = "i => [...i.list.options].filter(o => o.value.startsWith(i.value)).length"
    assert field.evaluate(suggested) == 1
    field.press("Tab")
    row = page.locator(".mapping tr", has=page.locator("#attribute-0"))
    expect(row).to_contain_text("Date")
    expect(field).to_have_value("Attribute_1234")


def test_a_phone_shows_only_the_segments_that_a_search_found(place: Place, open_page: Open) -> None:
    connection = fill(place.world, segments=40)
    page = open_page("ko", 390)
    page.goto(f"/setup/export?connection={connection}")
    page.locator("#find-segment").fill("VIP customers 00")
    expect(page.locator("#segments tbody tr:visible")).to_have_count(3)


def test_a_failed_save_leads_to_its_fields_and_an_ended_session_loses_nothing(
    place: Place, open_page: Open
) -> None:
    connection = fill(place.world, segments=40)
    page = open_page()
    page.goto(f"/setup/export?connection={connection}")
    page.locator("#find-segment").fill("VIP customers 00")
    expect(page.locator("#segments tbody tr:visible")).to_have_count(3)
    expect(page.locator("#found")).to_have_text("Segments found: 3")
    page.get_by_role("button", name="Select all").click()
    expect(page.locator("#total")).to_have_text("4,044")
    # So many segments do not make the page longer.
    page.locator("#exclusionSegments summary").click()
    assert page.locator("#exclusionSegments").evaluate("one => one.offsetHeight") < 800
    expect(page.locator("#count")).to_have_text("Chosen segments: 3 / 100")
    page.locator("#repeat").select_option("weekly")
    expect(page.locator("#timeZone")).not_to_have_value("")
    page.locator("#day-tuesday").check()
    page.locator("#time-0").fill("06:00")
    page.locator("#time-0").blur()
    expect(page.locator("#next-runs li")).to_have_count(3)
    expect(page.locator("#next-runs")).to_contain_text("Tuesday, November 24, 2026, 06:00")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator("#errors")).to_be_focused()
    expect(page.locator("input[name=segment]:checked")).to_have_count(3)
    if AXE.exists():
        assert violations(page) == []
    page.locator("#errors a[href='#audienceId']").click()
    expect(page.locator("#audienceId")).to_be_focused()
    for language, name in (("ko", "한국어"), ("en", "English")):
        page.get_by_role("button", name=name).click()
        expect(page.locator("html")).to_have_attribute("lang", language)
        expect(page.locator("input[name=segment]:checked")).to_have_count(3)
        expect(page.locator("#time-0")).to_have_value("06:00")

    page.locator("#displayName").fill("Weekly news")
    page.route("**/session**", session_ended)
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator("#session-ended")).to_be_focused()
    expect(page.locator("#displayName")).to_have_value("Weekly news")
    page.unroute("**/session**")
    page.locator("#audienceId").select_option(AUDIENCE)
    page.get_by_role("button", name="Save", exact=True).click()
    page.wait_for_url("**/exports/*?done=saved**")
