"""The admin pages in a browser without scripts."""

import hashlib
import re
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.model.audience import Account
from shared.model.run import (
    ConsentProof,
    Counts,
    Finding,
    Mode,
    Reason,
    RunSegment,
    RunStatus,
    Severity,
    StatusProof,
    Trigger,
)
from shared.people.search import PersonInExport
from shared.runs.outcomes import OutcomeRow
from shared.web.access import AccessRoute
from shared.web.authentication import Role
from tests.web.browser import Browser
from tests.web.client import call, get, new_connection, new_export, send
from tests.web.world import KEY, NOW, World

PAGES = [route for route in World().web.routes if not route.include_in_schema]


def test_setup_to_first_run_succeeds() -> None:
    world = World()
    ada = Browser(world).open("/")
    assert "No export yet" in ada.text
    ada.open("/setup/connection").send(fields={"displayName": "Main", "agreed": "on"})
    assert "Main" in ada.text
    connection = next(iter(world.connections.kept))
    ada.send(f"/connections/{connection}/api-key", {"apiKey": KEY})
    assert "Connected to Mailchimp: Contoso" in ada.text
    ada.open(f"/setup/export?connection={connection}")
    assert "Newsletter – 1,200 members, double opt-in" in ada.text
    assert '<option value="Email" selected>' in ada.html
    ada.send(
        fields={
            "displayName": "Weekly news",
            "audienceId": "a1b2c3d4e5",
            "segment": ["Segment_Vip"],
            "tag:Segment_Vip": "VIP",
            "do": "saveAndRun",
        }
    )
    assert ada.path == "/runs/run-1"
    assert "Queued" in ada.text
    export = next(iter(world.exports.kept.values())).value
    assert export.connection_id == connection
    assert export.segments[0].tag == "VIP"
    assert world.runs.kept["run-1"].export_id == export.id


@pytest.mark.parametrize(("role", "met"), [("owner", True), ("", True), ("viewer", False)])
def test_the_first_visit_shows_whether_the_mailchimp_user_may_manage_audiences(
    role: str, met: bool
) -> None:
    world = World()
    world.accounts[KEY].account = Account("acc-1", "Contoso", role)
    connection = new_connection(world)

    page = Browser(world).open("/")

    assert ("Met: The Mailchimp user may manage audiences" in page.text) is met
    assert (f"has the role {role} and may not" in page.text) is not met
    shown = Browser(world).open(f"/connections/{connection}")
    assert (f"has the role {role} and may not" in shown.text) is not met


def test_the_first_visit_shows_what_is_next_and_what_is_missing() -> None:
    world = World()
    ada = Browser(world).open("/")
    assert 'href="/setup/connection">Set up</a>' in ada.html
    assert "Connect Mailchimp (next)" in ada.text
    assert "Met: 2 of 2 segments can be exported" in ada.text
    assert "Met: The attribute Email contains email addresses" in ada.text
    connection = new_connection(world)
    ada.open("/")
    assert "Connect Mailchimp (done)" in ada.text
    assert "Met: The account has the audience " in ada.text
    assert f'href="/setup/export?connection={connection}">Set up</a>' in ada.html
    world.accounts[KEY].audiences.clear()
    assert "Not met: The Mailchimp account has no audience" in ada.open("/").text
    world.catalogue.attributes = lambda segment: []  # type: ignore[method-assign]
    assert "Not met: No attribute seems to contain email addresses" in ada.open("/").text
    world.catalogue.segments = list  # type: ignore[method-assign]
    assert "Not met: There are no segments in the storage" in ada.open("/").text
    assert "Set up" not in Browser(world.seen_by(Role.VIEWER)).open("/").text


def test_sign_in_is_blocked_without_consent() -> None:
    world = World()
    ada = Browser(world).open("/setup/connection").send(fields={"displayName": "Main"})
    assert ada.answer.status == 400
    assert "agree that data is sent" in ada.text
    assert 'value="Main"' in ada.html
    assert not world.connections.kept


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


def test_a_list_is_searched_and_sorted() -> None:
    world = World()
    connection = new_connection(world, "Contoso")
    for name in ("Beta", "alpha"):
        new_export(world, connection, displayName=name, audienceId=name)
    html = Browser(world).open("/").html
    assert html.index(">alpha<") < html.index(">Beta<")
    html = Browser(world).open("/?sort=name&order=desc").html
    assert html.index(">Beta<") < html.index(">alpha<")
    found = Browser(world).open("/?q=ALPH")
    assert "Beta" not in found.text
    assert "Nothing found" in Browser(world).open("/?q=zzz").text
    assert "Beta" in Browser(world).open("/?q=contoso").text


def finished(world: World, export: str, number: int) -> None:
    run = world.runs.start(export, Trigger.SCHEDULE, Mode.EXPORT, "")
    world.runs.move(
        run.id,
        status=RunStatus.COMPLETED_WITH_WARNINGS,
        started_at=NOW,
        finished_at=NOW + timedelta(seconds=30 * number),
        counts=Counts(source_rows=12, distinct=10 * number, created=7, rejected=2, kept=1),
        consent_proof=ConsentProof(kept=1, unsubscribed=2),
        proof=(StatusProof("unsubscribed", 7, 12, 2),),
        segments=(RunSegment("Segment_Vip", "VIP", 10, 9),),
        findings=(Finding(Severity.WARNING, "tagGone", values={"tag": "VIP"}),),
    )


def test_a_run_shows_counts_proof_findings_and_rejected_rows_by_reason() -> None:
    world = World()
    export = new_export(world)
    finished(world, export, 1)
    world.outcomes.kept = [
        OutcomeRow("C1", "", ("VIP",), "rejected", "addressMissing", ""),
        OutcomeRow("C2", "<b>x@y</b>", ("VIP",), "rejected", "addressMalformed", ""),
        OutcomeRow("C3", "x@@y", ("VIP",), "rejected", "addressMalformed", ""),
        OutcomeRow(
            "C4",
            "z@y.example",
            ("VIP",),
            "rejected",
            "refused",
            "",
            answer="ERROR_GENERIC: <No> […]",
        ),
    ]
    ada = Browser(world).open("/runs/run-1")
    # The head of a column and the label of its only cell, in one of three groups.
    assert ada.html.count("Mailchimp’s answer") == 2
    assert "ERROR_GENERIC: &lt;No&gt; […]" in ada.html
    assert "1 person who is not subscribed was left unchanged. Statuses changed: 0." in ada.text
    assert "Unsubscribed in Mailchimp because they withdrew consent: 2." in ada.text
    assert "Unsubscribed72312" in ada.text
    assert ada.html.index("address is not valid") < ada.html.index("has no email address")
    assert "&lt;b&gt;x@y" in ada.html
    assert "The tag VIP was deleted in Mailchimp during the run." in ada.text
    korean = Browser(world, "ko").open("/runs/run-1")
    assert "실행 중에 Mailchimp에서 태그" in korean.text
    viewer = Browser(world.seen_by(Role.VIEWER)).open("/runs/run-1")
    assert "C2" not in viewer.text
    assert "outcomes.csv" not in viewer.html


def test_a_run_awaiting_confirmation_can_be_confirmed() -> None:
    world = World()
    run = world.runs.start(new_export(world), Trigger.ON_DEMAND, Mode.EXPORT, "Ada")
    reason = Reason("removalGuard", values={"people": "9"})
    world.runs.move(run.id, status=RunStatus.AWAITING_CONFIRMATION, reason=reason)
    ada = Browser(world).open(f"/runs/{run.id}")
    assert "9 people would lose a tag, be unsubscribed or be archived" in ada.text
    ada.send(f"/runs/{run.id}/confirm")
    assert world.runs.kept[run.id].status is RunStatus.SENDING
    ada.send(f"/runs/{run.id}/cancel")
    assert "is being canceled" in ada.text


def test_an_undo_explains_its_effects_before_it_starts() -> None:
    world = World()
    export = new_export(world)
    finished(world, export, 1)
    ada = Browser(world).open("/runs/run-1/undo")
    assert "No one is subscribed or unsubscribed" in ada.text
    for shown in ("7 people added", "Tags: VIP", "archive the 7 people that the run added"):
        assert shown in ada.text
    ada.send(fields={"archive": "on"})
    taken_back = world.runs.kept["run-2"]
    assert (taken_back.undo_of, taken_back.archive_created) == ("run-1", True)
    assert 'href="/runs/run-1"' in ada.html
    assert 'href="/runs/run-2/undo"' not in ada.html


def test_a_preview_reports_that_nothing_was_sent() -> None:
    world = World()
    export = new_export(world)
    ada = (
        Browser(world)
        .open(f"/exports/{export}")
        .send(f"/exports/{export}/run", {"mode": "preview"})
    )
    assert "A preview sends nothing" in ada.text
    assert "start journeys" in ada.text
    assert world.runs.kept["run-1"].mode is Mode.PREVIEW


def test_the_history_has_charts_and_a_table_with_the_same_numbers() -> None:
    world = World()
    export = new_export(world)
    finished(world, export, 1)
    assert "<svg" not in Browser(world).open(f"/exports/{export}").html
    finished(world, export, 2)
    failed = world.runs.start(export, Trigger.SCHEDULE, Mode.EXPORT, "")
    world.runs.move(failed.id, status=RunStatus.FAILED, reason=Reason("noNewData"))
    ada = Browser(world).open(f"/exports/{export}")
    people, rejected = re.findall(r"<svg.*?</svg>", ada.html, re.DOTALL)
    for chart in (people, rejected):
        assert re.findall(r'href="(/runs/run-\d)"', chart) == [
            "/runs/run-1",
            "/runs/run-2",
            "/runs/run-3",
        ]
        assert "Successful" not in chart
        assert "Completed with warnings, 20 people, 2 rejected rows" in chart
        assert chart.count('class="mark"') == 1
        assert "Nov 23" in chart
    assert re.findall(r'text-anchor="end">([^<]+)<', people) == ["0", "10", "20"]
    assert re.findall(r'text-anchor="end">([^<]+)<', rejected) == ["0", "1", "2"]
    assert "20명, 거부된 행 2개" in Browser(world, "ko").open(f"/exports/{export}").html


def test_an_export_shows_its_mapping_guard_consent_audience_and_tags() -> None:
    world = World()
    export = new_export(
        world,
        mapping={
            "email": "EMail",
            "firstName": "First",
            "attributes": [
                {"attribute": "Town", "mergeField": "CITY", "create": {"name": "City"}},
            ],
        },
        newContacts={"status": "pending", "consentAttribute": "OptIn"},
        removalGuard={"maxShare": 0.125},
    )
    finished(world, export, 1)
    world.runs.move("run-1", audience_name="Newsletter")
    page = Browser(world).open(f"/exports/{export}")
    for shown in (
        "First name FNAME",
        "Town CITY",
        "created as City (Text) if missing",
        "OptIn (a yes means: The person may be mailed)",
        "Newsletter a1b2c3d4e5",
        "12.5%",
        "Segment_Vip VIP 10",
    ):
        assert shown.replace(" ", "") in page.text.replace(" ", ""), shown


def test_an_export_that_never_ran_names_its_audience_and_offers_a_preview_first() -> None:
    world = World()
    page = Browser(world).open(f"/exports/{new_export(world)}")
    assert "Newsletter a1b2c3d4e5" in page.text
    assert "Segment_Vip VIP 1,200".replace(" ", "") in page.text.replace(" ", "")
    assert '<button class="primary">Preview</button>' in page.html
    assert '<button class="primary">Run</button>' not in page.html


def test_an_export_can_be_copied_detached_and_removed() -> None:
    world = World()
    export = new_export(world)
    ada = Browser(world).open(f"/exports/{export}").send(f"/exports/{export}/duplicate")
    assert "This is the copy" in ada.text
    assert len(world.exports.kept) == 2
    ada.open(f"/exports/{export}/detach")
    assert "does not run until you choose another connection" in ada.text
    ada.send(f"/exports/{export}/detach")
    assert "No connection" in ada.text
    ada.send(f"/exports/{export}/run", {"mode": "export"})
    assert ada.answer.status == 409
    assert "The export has no connection" in ada.text
    ada.open(f"/exports/{export}/remove")
    assert "stay as they are" in ada.text
    ada.send()
    assert "Removed." in ada.text
    assert export not in world.exports.kept


def test_a_connection_is_shared_signed_in_again_and_removed() -> None:
    world = World()
    connection = new_connection(world)
    export = new_export(world, connection)
    ada = Browser(world).open(f"/connections/{connection}")
    ada.send("", {"displayName": "Renamed", "shared": "on"})
    assert get(world, f"/api/connections/{connection}")["sharedWith"] == ["Contributor"]
    ada.send(f"/connections/{connection}/authenticate")
    assert 'href="https://login.example.com/authorize?state=' in ada.html
    assert "signin" in ada.cookies
    ada.open(f"/connections/{connection}/remove")
    assert "Weekly news" in ada.text
    ada.send()
    assert ada.answer.status == 409
    ada.send(fields={"detach": "on"})
    assert not world.connections.kept
    assert get(world, f"/api/exports/{export}")["connectionId"] is None


def test_the_refresh_can_be_scheduled() -> None:
    world = World()
    ada = Browser(world).open("/schedule")
    ada.send(
        fields={
            "scheduleOn": "on",
            "repeat": "weekly",
            "day": ["monday", "friday"],
            "time-0": "06:00",
            "timeZone": "Asia/Seoul",
        }
    )
    assert "Saved." in ada.text
    assert get(world, "/api/schedule")["days"] == ["monday", "friday"]
    ada.send(fields={"time-0": "", "timeZone": "Mars/Olympus"})
    assert ada.answer.status == 400
    assert {"fault-times", "fault-timeZone"} & set(ada.ids)
    viewer = Browser(world.seen_by(Role.VIEWER)).open("/schedule")
    assert "<fieldset disabled>" in viewer.html


def test_times_are_in_the_zone_of_the_browser_until_the_refresh_schedule_is_set() -> None:
    world = World()

    def shown(zone: str) -> bytes:
        return call(world, "GET", "/runs", headers={"Cookie": f"zone={zone}"}).body

    assert b"time zone Asia/Seoul" in shown("Asia/Seoul")
    for unknown in ("Nowhere/Land", "../../etc/passwd", ""):
        assert b"time zone UTC" in shown(unknown)
    body = {"enabled": True, "repeat": "daily", "times": ["06:00"], "timeZone": "Europe/Paris"}
    send(world, "PUT", "/api/schedule", body)
    assert b"time zone Europe/Paris" in shown("Asia/Seoul")


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


def test_an_unknown_customer_is_not_shown_as_a_failure_of_mailchimp() -> None:
    world = World()
    world.people.known["a@b.example"] = [
        PersonInExport("e1", "Weekly", (), "unknown", "", "notInSegment", None, customer_id="C-9")
    ]
    page = Browser(world).open("/people").send(fields={"person": "C-9"})
    assert "No export has this person" in page.text
    assert "Could not be read" not in page.text
    assert "Could not be read" in page.send("/people", {"person": "a@b.example"}).text


def test_a_page_is_in_the_chosen_language() -> None:
    world = World()
    new_export(world)
    ada = Browser(world).open("/language/ko?back=/connections")
    assert ada.path == "/connections"
    assert '<html lang="ko">' in ada.html
    assert "연결 추가" in ada.text
    for back in ("//evil.example.org", "https://evil.example.org", "/\\evil", "/a?x=//evil"):
        answer = call(world, "GET", f"/language/ko?back={back}")
        assert answer.headers["Location"] == "/"
    ada.open("/runs?status=failed&done=saved")
    assert ada.html.count("/language/en?back=/runs%3Fstatus%3Dfailed") == 1
    assert call(world, "GET", "/language/en?back=%2Fruns%3Fstatus%3Dfailed").headers[
        "Location"
    ] == ("/runs?status=failed")
    assert Browser(world, "ko").open("/").html.count("내보내기 대상") >= 2


@pytest.mark.parametrize(
    ("path", "typed"),
    [
        ("/setup/connection", {"displayName": "Typed"}),
        ("/setup/export", {"displayName": "Typed", "do": "save"}),
        ("/exports/{export}/edit", {"displayName": "Typed", "do": "saveAndRun"}),
        ("/exports/{export}/person", {"person": "Typed"}),
        ("/exports-schedule?export={export}", {"repeat": "daily", "timeZone": "Typed"}),
        ("/connections/{connection}", {"displayName": "Typed"}),
        ("/schedule", {"repeat": "daily", "timeZone": "Typed"}),
        ("/people", {"person": "Typed"}),
        ("/runs/run-1/rejected", {"wanted": "Typed"}),
    ],
)
def test_a_form_in_another_language_has_what_was_typed_and_changes_nothing(
    path: str, typed: dict[str, str]
) -> None:
    world = World()
    connection = new_connection(world)
    export = new_export(world, connection)
    finished(world, export, 1)
    world.outcomes.kept = []
    ada = Browser(world).open(path.format(export=export, connection=connection))
    if typed.get("timeZone"):
        ada.send(ada.path.partition("?")[0], typed)  # there is no such zone
        assert "note bad" in ada.html
    address = re.findall(r'formaction="([^"]+)\?language=ko"', ada.html)[0]
    before = (dict(world.exports.kept), dict(world.connections.kept), dict(world.runs.kept))
    ada.send(address, typed, "language=ko")
    assert (ada.answer.status, ada.answer.headers["Content-Language"]) == (200, "ko")
    assert 'value="Typed"' in ada.html
    assert ada.cookies["language"] == "ko"
    assert before == (world.exports.kept, world.connections.kept, world.runs.kept)
    # The form itself leads to its action, not to the language again.
    assert 'action="' + address.split("?")[0] + '"' in ada.html
    assert "formaction" in ada.html
    assert '<html lang="ko">' in ada.open("/runs").html


@pytest.mark.parametrize("language", ["en", "ko"])
def test_every_page_uses_existing_texts(language: str) -> None:
    world = World()
    connection = new_connection(world)
    export = new_export(world, connection)
    finished(world, export, 1)
    for path in (
        "/",
        f"/exports/{export}",
        f"/exports/{export}/edit",
        f"/exports/{export}/remove",
        "/setup/export",
        "/setup/connection",
        "/connections",
        f"/connections/{connection}",
        f"/connections/{connection}/remove",
        f"/exports/{export}/detach",
        f"/exports-schedule?export={export}",
        "/run-all",
        "/runs",
        "/runs/run-1",
        "/runs/run-1/rejected",
        "/runs/run-1/undo",
        "/schedule",
        "/audit",
        "/people",
    ):
        shown = Browser(world, language).open(path)
        assert shown.answer.status == 200, path
        assert len(set(shown.ids)) == len(shown.ids), path
        assert shown.html.count('aria-current="page"') == 1, path
        assert "script-src 'self'" in shown.answer.headers["Content-Security-Policy"]
        html = shown.html.replace('<option value="">None</option>', "")
        for word in ("pages.", "Undefined", "{name}", "None<"):
            assert word not in html, (path, word)


def test_a_form_without_a_csrf_token_changes_nothing() -> None:
    world = World()
    export = new_export(world)
    ada = Browser(world).open(f"/exports/{export}")
    ada.send(f"/exports/{export}/run", {"csrf": "forged"})
    assert ada.answer.status == 403
    ada.open(f"/exports/{export}")
    ada.cookies.clear()
    ada.send(f"/exports/{export}/run")
    assert ada.answer.status == 403
    assert "The page has expired" in ada.text
    assert not world.runs.kept


def test_errors_are_shown_on_a_page() -> None:
    world = World()
    lost = Browser(world).open("/exports/none")
    assert lost.answer.status == 404
    assert "The export does not exist." in lost.text
    assert lost.answer.headers["Content-Type"].startswith("text/html")
    viewer = Browser(world.seen_by(Role.VIEWER)).open("/setup/export")
    assert viewer.answer.status == 403
    anonymous = World()
    anonymous.serve(
        replace(
            anonymous.services,
            authenticator=replace(anonymous.services.authenticator, developer=None),
        )
    )
    assert Browser(anonymous, "ko").open("/").answer.status == 401


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


@pytest.mark.parametrize("route", PAGES, ids=lambda route: f"{route.method} {route.path_format}")
def test_every_page_checks_the_caller_and_the_role(route: AccessRoute) -> None:
    path = re.sub(r"{(id|audienceId)}", "some-id", route.path_format)
    if route.access.role is None:
        assert route.path_format == "/static/{name}"
        return
    anonymous = World()
    anonymous.serve(
        replace(
            anonymous.services,
            authenticator=replace(anonymous.services.authenticator, developer=None),
        )
    )
    assert call(anonymous, route.method, path).status == 401
    for role in (None, *(role for role in Role if role < route.access.role)):
        assert call(World().seen_by(role), route.method, path).status == 403


def test_a_page_links_files_that_browsers_keep_for_a_year() -> None:
    world = World()
    html = Browser(world).open("/").html
    for name, kind in (("app", "text/css"), ("app", "text/javascript"), ("icon", "image/svg")):
        suffix = {"text/css": "css", "text/javascript": "js", "image/svg": "svg"}[kind]
        [path] = set(re.findall(rf"/static/{name}-[0-9a-f]{{16}}\.{suffix}", html))
        answer = call(world, "GET", path)
        assert (answer.status, kind in answer.headers["Content-Type"]) == (200, True)
        assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
        assert hashlib.sha256(answer.body).hexdigest()[:16] in path
        assert call(world, "GET", path.replace("-", "-0")).status == 404
    for path in ("/static/app.css", "/static/../app.py", "/static/app-css"):
        assert call(world, "GET", path).status == 404
    assert call(world, "GET", "/").headers["Cache-Control"] == "no-store"
