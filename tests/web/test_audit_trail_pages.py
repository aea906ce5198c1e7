"""The audit trail in sentences."""

import re

from tests.web.browser import Browser
from tests.web.client import get, new_connection, new_export, send
from tests.web.world import World


def test_the_audit_trail_has_sentences_with_links_and_localized_changes() -> None:
    world = World()
    export = new_export(world, newContacts={"consentAttribute": "OptIn"})
    body = get(world, f"/api/exports/{export}")
    world.pass_time(1)
    send(world, "PUT", f"/api/exports/{export}", {**body, "leavers": "keepTag"})
    world.pass_time(1)
    send(world, "POST", f"/api/exports/{export}/runs", status=202)
    ada = Browser(world).open("/audit")
    assert "Ada started a run: Weekly news, Nov 23, 2026 09:00." in ada.text
    assert "Ada changed the export Weekly news." in ada.text
    assert "PeoplewholeaveasegmentLosethetagKeepthetag" in ada.text.replace(" ", "")
    assert f'href="/exports/{export}"' in ada.html
    assert 'href="/runs/run-1"' in ada.html
    korean = Browser(world, "ko").open("/audit").text
    assert "Ada님이 내보내기 Weekly news을(를) 변경했습니다." in korean
    assert "leavers" not in korean
    only_runs = Browser(world).open("/audit?kind=run").text
    assert "started a run" in only_runs
    assert "changed the export" not in only_runs
    of_export = Browser(world).open(f"/audit?subject={export}").text
    assert "started a run" in of_export
    assert "added the connection" not in of_export
    assert "Nothing found" in Browser(world).open("/audit?who=someone-else").text
    assert "Nothing found" in Browser(world).open("/audit?until=2026-11-22").text
    assert "started a run" in Browser(world).open("/audit?since=2026-11-23&until=2026-11-23").text


def test_the_entry_of_a_new_export_has_only_fields_with_a_value() -> None:
    world = World()
    new_export(world, new_connection(world), schedule={"repeat": "everyRefresh"})
    page = Browser(world).open("/audit?kind=export")
    assert "Recurrence" in page.text
    assert "Days (weekly)" not in page.text
    rows = page.html.partition("trail-list")[2].count("<tr><th")
    assert f"{rows - 1} fields" in page.text


def test_the_audit_trail_names_the_mailchimp_account_of_a_connection() -> None:
    world = World()
    connection = new_connection(world)
    page = Browser(world).open("/audit?kind=connection")
    assert "Mailchimp account–Contoso" in page.text
    send(world, "DELETE", f"/api/connections/{connection}/mailchimp")
    page.open("/audit?kind=connection")
    assert "Mailchimp account–Contoso" in page.text
    assert "Mailchimp accountContoso–" in page.text


def test_the_audit_trail_is_read_page_by_page() -> None:
    world = World()
    export = new_export(world)
    body = get(world, f"/api/exports/{export}")
    for number in range(60):
        world.pass_time(1)
        send(world, "PUT", f"/api/exports/{export}", {**body, "displayName": f"N{number}"})
    page = Browser(world).open("/audit?kind=export")
    assert page.html.count("<time ") == 50
    [older] = re.findall(r'href="(/audit\?[^"]*after=[^"]*)"', page.html)
    page.open(older.replace("&amp;", "&"))
    assert page.html.count("<time ") == 11
    assert "added the export" in page.text
    assert "Older entries" not in page.text


def test_a_hostile_name_in_the_audit_trail_is_shown_as_text() -> None:
    world = World()
    new_export(world, displayName="<img src=x onerror=alert(1)> {who}")
    page = Browser(world).open("/audit")
    assert "<img" not in page.html.partition("trail-list")[2]
    assert "&lt;img src=x onerror=alert(1)&gt; {who}" in page.html
