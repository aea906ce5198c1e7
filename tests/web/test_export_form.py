"""The form of an export shows faults at their fields, and keeps what was typed."""

import re

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.model.audience import Audience
from shared.segments.choosing.catalogue import SegmentInfo
from shared.web.authentication import Role
from tests.web.browser import Browser
from tests.web.client import get, new_connection, new_export
from tests.web.world import KEY, NOW, World


def test_faults_are_shown_at_their_fields_and_the_input_is_kept() -> None:
    world = World()
    connection = new_connection(world)
    ada = Browser(world).open(f"/setup/export?connection={connection}")
    ada.send(fields={"do": "addAttribute", "displayName": "Mine"})
    ada.send(fields={"do": "addAttribute"})
    assert 'value="Mine"' in ada.html
    ada.send(
        fields={
            "attribute-0": "Email",
            "field-0": "EMAIL",
            "attribute-1": "Email",
            "field-1": "city",
            "create-1": "on",
            "maxShare": "200",
            "do": "save",
        }
    )
    assert ada.answer.status == 400
    assert {
        "fault-audienceId",
        "fault-segments",
        "fault-mapping.attributes[0].mergeField",
        "fault-removalGuard.maxShare",
    } <= set(ada.ids)
    assert 'value="CITY"' in ada.html
    assert "Mailchimp audience: Choose an audience." in ada.text
    assert "Email: EMAIL is only for the email address." in ada.text
    assert "Segments: Choose at least one segment." in ada.text
    ada.send(fields={"do": "removeAttribute-0"})
    assert 'name="attributes" value="1"' in ada.html
    assert not world.exports.kept


def test_an_attribute_without_a_merge_field_is_told_to_choose_one() -> None:
    world = World()
    connection = new_connection(world)
    ada = Browser(world).open(f"/setup/export?connection={connection}")
    ada.send(fields={"do": "addAttribute"})
    ada.send(fields={"attribute-0": "City", "field-0": "", "do": "save"})
    assert "City: Choose a merge field, or remove the attribute." in ada.text


def test_each_fault_above_the_form_names_its_field_and_leads_to_it() -> None:
    world = World()
    connection = new_connection(world)
    ada = Browser(world).open(f"/setup/export?connection={connection}")
    ada.send(fields={"do": "addAttribute"})
    ada.send(
        fields={
            "growthShare": "-1",
            "growthContacts": "many",
            "exclusionSegment": ["New", ""],
            "exclusionShare": "101",
            "contactBudget": "-1",
            "maxShare": "200",
            "repeat": "weekly",
            "timeZone": "Nowhere",
            "scheduleOn": "on",
            "do": "save",
        }
    )
    box = ada.between('id="errors"', "</ul>")
    links = re.findall(r'<a href="#([^"]+)">([^:<]+): ', box)
    assert [field for field, _ in links] == [
        "displayName",
        "audienceId",
        "attribute-0",
        "field-0",
        "segments",
        "exclusionSegments",
        "exclusionShare",
        "maxShare",
        "growthShare",
        "growthContacts",
        "contactBudget",
        "day-monday",
        "time-0",
        "timeZone",
    ]
    assert {field for field, _ in links} <= set(ada.ids)
    # The form takes percentages, the API takes shares.
    assert "between 0% and 100%" in ada.text
    assert "Attribute 1" in [label for _, label in links]
    assert not [label for _, label in links if "." in label]


def test_the_faults_of_the_mapping_are_listed_row_by_row() -> None:
    ada = Browser(World()).open("/setup/export")
    for _ in range(11):
        ada.send("/setup/export", {"do": "addAttribute"})
    ada.send("/setup/export", {"attribute-1": "City", "do": "save"})
    faults = ada.between('id="errors"', "</ul>")
    rows = [int(number) for number in re.findall(r'href="#(?:attribute|field)-(\d+)"', faults)]
    assert rows == sorted(rows)
    assert rows[-1] == 10


def test_a_form_with_a_fault_and_empty_shares_is_shown_again() -> None:
    world = World()
    path = f"/exports/{new_export(world)}/edit"
    ada = Browser(world).open(path)
    typed = {"growthShare": "", "exclusionShare": "", "growthContacts": "77"}
    for sent in ({"displayName": "", "do": "save"}, {"do": "addAttribute"}):
        ada.send(path, {**typed, **sent})
        shown = dict(
            re.findall(r'<input id="(growth\w+|exclusionShare)" [^>]*value="([^"]*)"', ada.html)
        )
        assert shown == typed


def test_the_edit_form_shows_and_keeps_the_current_values() -> None:
    world = World()
    export = new_export(
        world,
        mapping={
            "email": "Email",
            "attributes": [
                {"attribute": "Email", "mergeField": "MAIL2", "create": {"name": "Email"}}
            ],
        },
        segments=[{"name": "Segment_Vip", "tag": "VIP"}, {"name": "Gone"}],
        schedule={
            "enabled": True,
            "repeat": "weekly",
            "days": ["monday"],
            "times": ["06:00", "18:30"],
            "timeZone": "Asia/Seoul",
        },
        newContacts={"status": "pending"},
        leavers="keepTag",
        removalGuard={"maxShare": 0.125},
    )
    before = get(world, f"/api/exports/{export}")
    ada = Browser(world).open(f"/exports/{export}/edit")
    assert "no longer exists" in ada.text
    ada.send(fields={"do": "save", "segment": ["Segment_Vip", "Gone"], "day": ["monday"]})
    assert "Saved." in ada.text
    after = get(world, f"/api/exports/{export}")
    assert after == before


def test_the_form_says_why_it_offers_no_audiences() -> None:
    world = World()
    connection = new_connection(world, connected=False)
    reason = "The connection is not connected to Mailchimp."
    assert reason in Browser(world).open(f"/setup/export?connection={connection}").text
    assert (
        reason not in Browser(world).open(f"/setup/export?connection={new_connection(world)}").text
    )


VALUES = st.one_of(
    st.text(max_size=30),
    st.sampled_from(["", "²", "9" * 5000, "nan", "-1e999", "100000000", "save", "saveAndRun"]),
)


@settings(max_examples=25, suppress_health_check=list(HealthCheck))
@given(
    st.sampled_from(["/setup/export", "/schedule", "/setup/connection"]),
    st.dictionaries(
        st.sampled_from(
            [
                "displayName",
                "connectionId",
                "audienceId",
                "email",
                "attributes",
                "attribute-0",
                "field-0",
                "create-0",
                "type-0",
                "segment",
                "newStatus",
                "leavers",
                "maxShare",
                "repeat",
                "day",
                "time-0",
                "timeZone",
                "agreed",
                "do",
            ]
        ),
        VALUES,
    ),
)
def test_no_malformed_form_breaks_a_page(path: str, fields: dict[str, str]) -> None:
    world = World()
    new_connection(world)
    ada = Browser(world).open(path).send(fields=fields)
    assert ada.answer.status in (200, 400), ada.text


def test_the_form_leads_an_administrator_to_a_connection_that_was_lost() -> None:
    world = World()
    connection = new_connection(world, sharedWith=["Contributor"])
    export = new_export(world, connection)
    link = f'href="/connections/{connection}"'
    assert link not in Browser(world).open(f"/exports/{export}/edit").html
    world.accounts[KEY].revoked = True
    shown = Browser(world).open(f"/exports/{export}/edit")
    assert "Connect again" in shown.text
    assert link in shown.html
    other = Browser(world.seen_by(Role.CONTRIBUTOR)).open(f"/exports/{export}/edit")
    assert other.answer.status == 200
    assert link not in other.html


def test_the_form_says_that_the_account_has_no_longer_the_audience_of_the_export() -> None:
    world = World()
    export = new_export(world)
    path = f"/exports/{export}/edit"
    assert "not in this Mailchimp account" not in Browser(world).open(path).text
    world.accounts[KEY].audiences[:] = [Audience("f6e5d4c3b2", "Other", 5, False)]
    assert "a1b2c3d4e5 – not in this Mailchimp account" in Browser(world).open(path).text
    assert "a1b2c3d4e5 – 이 Mailchimp 계정에 없음" in Browser(world, "ko").open(path).text


def listed(page: Browser, name: str) -> list[str]:
    """The segments of a list, in its order."""
    return re.findall(rf'name="{name}" value="([^"]+)"', page.html)


def test_the_segments_of_an_export_are_listed_first_and_do_not_move_while_it_is_edited() -> None:
    world = World()
    names = [f"Segment_{number:03}" for number in range(120)]
    world.catalogue.segments = lambda: [  # type: ignore[method-assign]
        SegmentInfo(name, name, 10, NOW) for name in names
    ]
    export = new_export(
        world,
        segments=[{"name": "Segment_111", "tag": "A"}, {"name": "Segment_090", "tag": "B"}],
        exclusionSegments=["Segment_100"],
    )
    page = Browser(world).open(f"/exports/{export}/edit")
    chosen = ["Segment_090", "Segment_111", "Segment_000"]
    assert listed(page, "segment")[:3] == chosen
    assert listed(page, "exclusionSegment")[:2] == ["Segment_100", "Segment_000"]
    assert sorted(listed(page, "segment")) == names
    changed = {"segment": ["Segment_111", "Segment_119"], "tag:Segment_119": "A"}
    page.send(fields={**changed, "do": "look"})
    assert listed(page, "segment")[:3] == chosen
    page.send(fields={**changed, "do": "save"})
    assert page.answer.status == 400
    # The fault leads to the field of its row.
    [field] = re.findall(r'href="#(tag-\d+)"', page.html)
    assert f'id="{field}" name="tag:Segment_119"' in page.html
