"""The page on which a person is found and erased."""

import re

from shared.people.search import PersonInExport
from tests.web.browser import Browser
from tests.web.client import new_export
from tests.web.world import NOW, World


def test_a_person_is_found_and_removed() -> None:
    world = World()
    world.people.known["ada@contoso.example"] = [
        PersonInExport(
            "e1",
            "Weekly",
            ("VIP",),
            "unsubscribed",
            "kept",
            "unsubscribed",
            NOW,
            "ada@contoso.example",
            "C-100",
            ("VIP tag",),
            (("CITY", "Seoul"),),
            NOW,
        ),
        PersonInExport("e2", "Win back", (), "unsubscribed", "", "notRun", None),
    ]
    admin = Browser(world).open("/people").send(fields={"person": "C-100"})
    assert "1 export has this person" in admin.text
    assert "1 other export" in admin.text
    for shown in ("Weekly", "VIP tag", "CITY", "Seoul", "C-100", "Nov 23, 2026 09:00"):
        assert shown in admin.text
    assert "이 사람이 있는 내보내기 1개" in (
        Browser(world, "ko").open("/people").send(fields={"person": "C-100"}).text
    )
    assert "The export has not run yet" in admin.text
    admin.open("/people").send(fields={"person": "ada@contoso.example"})
    assert "Weekly" in admin.text
    assert "has unsubscribed from the audience" in admin.text
    admin.send("/people/erase")
    assert admin.answer.status == 400
    assert "Select the check box" in admin.text
    assert world.people.known
    admin.send("/people/erase", {"sure": "on", "deleteInMailchimp": "on"})
    assert "Receipt receipt-1" in admin.text
    assert "Receipt–receipt-1" in Browser(world).open("/audit").text
    assert "확인 번호–receipt-1" in Browser(world, "ko").open("/audit").text
    assert not world.people.known
    assert "contoso" not in admin.path
    assert "contoso" not in str(admin.cookies)
    assert Browser(world).open("/people").send(fields={"person": "x@"}).answer.status == 400


def test_a_person_whom_no_export_has_is_not_counted() -> None:
    world = World()
    world.people.known["ada@contoso.example"] = [
        PersonInExport("e1", "Weekly", (), "absent", "", "notInSegment", None)
    ]
    for language, words in (
        ("en", "No export has this person"),
        ("ko", "이 사람이 있는 내보내기가 없습니다"),
    ):
        page = Browser(world, language).open("/people")
        assert words in page.send(fields={"person": "ada@contoso.example"}).text
        # There is nothing that this export would be another than.
        assert "other export" not in page.text
        assert "기타 내보내기" not in page.text
        audit = Browser(world).open("/audit?kind=person")
        assert "Exports found–0" in audit.text
        assert "Exports found–1" not in audit.text


def test_each_address_of_a_profile_can_be_removed() -> None:
    world = World()
    for number, address in enumerate(("ada@work.example", "ada@home.example")):
        world.people.known[address] = [
            PersonInExport(
                f"e{number}", "Weekly", ("VIP",), email=address, customer_id="C-100", tags=("VIP",)
            )
        ]
    page = Browser(world).open("/people").send(fields={"person": "C-100"})
    offered = re.findall(r'name="email" value="([^"]+)"', page.html)
    assert offered == ["ada@home.example", "ada@work.example"]
    assert "Exports found–2" in Browser(world).open("/audit?kind=person").text
    for address in offered:
        page.send("/people/erase", {"email": address, "sure": "on"})
        assert address not in world.people.known
        page.send("/people", {"person": "C-100"})
    assert 'name="email"' not in page.html


def test_a_person_with_the_longest_customer_id_of_a_run_is_found_and_sent_on_the_pages() -> None:
    world = World()
    longest = "C" * 500
    world.people.known["ada@contoso.example"] = [
        PersonInExport("e1", "Weekly", ("VIP",), customer_id=longest, tags=("VIP",))
    ]
    page = Browser(world).open("/people")
    assert page.longest["person"] == 500
    assert "VIP" in page.send(fields={"person": longest}).text
    page.open(f"/exports/{new_export(world)}/person")
    assert page.longest["person"] == 500
    page.send(fields={"person": longest})
    (chosen,) = world.one_person.chosen.values()
    assert chosen.customer_id == longest


def test_an_unknown_customer_is_not_shown_as_a_failure_of_mailchimp() -> None:
    world = World()
    world.people.known["a@b.example"] = [
        PersonInExport("e1", "Weekly", (), "unknown", "", "notInSegment", None, customer_id="C-9")
    ]
    page = Browser(world).open("/people").send(fields={"person": "C-9"})
    assert "No export has this person" in page.text
    assert "Could not be read" not in page.text
    assert "Could not be read" in page.send("/people", {"person": "a@b.example"}).text


def test_an_erased_person_is_in_no_export_and_the_page_says_what_is_left_to_do() -> None:
    world = World()
    world.people.known["ada@contoso.example"] = [
        PersonInExport("e1", "Weekly", (), "absent", "kept", "erased", NOW),
        PersonInExport("e2", "Win back", (), "absent", "kept", "erased", NOW, tags=("VIP",)),
    ]
    for language, one, action in (
        ("en", "1 export has this person", "Delete the person in the source as well."),
        ("ko", "이 사람이 있는 내보내기 1개", "원본"),
    ):
        page = Browser(world, language).open("/people")
        page.send(fields={"person": "ada@contoso.example"})
        assert one in page.text  # a tag is still stored there
        others = page.html.partition("<table")[2]
        assert "Weekly" in others
        assert action in others
        assert "Win back" not in others
