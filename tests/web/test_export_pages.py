"""The pages of exports: the list, the definition, the history, and what can be done with an export."""

import re

from shared.model.finding import Reason
from shared.model.run import Mode, RunStatus, Trigger
from shared.web.authentication import Role
from tests.web.browser import Browser
from tests.web.client import new_connection, new_export
from tests.web.run_states import finished
from tests.web.world import World


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


def test_an_export_shows_whom_it_leaves_out_and_what_stops_it() -> None:
    world = World()
    connection = new_connection(world)
    export = new_export(
        world,
        connection,
        mapping={"email": "EMail", "evidence": {"ipOpt": "OptInIp"}},
        newContacts={"status": "pending", "consentAttribute": "OptIn"},
        onWithdrawal="unsubscribe",
        onAddressChange="archive",
        exclusionSegments=["Segment_New"],
        growthGuard={"maxShare": 0.5, "maxContacts": 2000},
        exclusionGuard={"maxShare": 0.25},
        contactBudget=50_000,
    )
    ada = Browser(world).open(f"/exports/{export}")
    assert "Excluded peopleNo one" in ada.text
    ada.open(f"/exports/{export}/exclusions").send(fields={"entries": "a@b.example\nC-1"})
    viewer = Browser(world.seen_by(Role.VIEWER)).open(f"/exports/{export}")
    for shown in (
        "Excluded people 2 entries",
        "Exclusion segments Segment_New",
        "Asks if more than 25% of the members of an exclusion segment are missing",
        "When a person withdraws consent Also unsubscribe the contact in Mailchimp",
        "When a person has another address Archive the contact with the former address",
        "Asks before adding more new people than 50% of the people sent before",
        "Asks before adding more than 2,000 contacts",
        "Contact budget 50,000",
        "OptInIp IP address of opt-in Evidence of consent",
    ):
        for page in (ada, viewer):
            assert shown.replace(" ", "") in page.text.replace(" ", ""), shown
    link = f'href="/exports/{export}/exclusions" aria-label="Excluded people: 2 entries"'
    assert link in ada.html
    assert link not in viewer.html


def test_an_export_that_never_ran_names_its_audience_and_offers_a_preview_first() -> None:
    world = World()
    page = Browser(world).open(f"/exports/{new_export(world)}")
    assert "Newsletter a1b2c3d4e5" in page.text
    assert "Segment_Vip VIP 1,200".replace(" ", "") in page.text.replace(" ", "")
    assert '<button class="primary">Preview</button>' in page.html
    assert '<button class="primary">Run</button>' not in page.html


def test_an_export_leads_to_its_run_while_it_is_active_or_waits() -> None:
    world = World()
    export = new_export(world)
    run = world.runs.start(export, Trigger.ON_DEMAND, Mode.EXPORT, "Ada")

    def buttons() -> list[str]:
        page = Browser(world).open(f"/exports/{export}").html.partition('class="actions"')[2]
        return re.findall(r"<(?:button|a)[^>]*>([^<]+)<", page)[:3]

    assert buttons() == ["View run", "Preview", "Send one person"]
    # A new run takes the place of one that waits.
    world.runs.move(run.id, status=RunStatus.AWAITING_CONFIRMATION)
    assert buttons() == ["View run", "Run", "Edit"]
    world.runs.move(run.id, status=RunStatus.SUCCESSFUL)
    assert buttons() == ["Run", "Preview", "Send one person"]


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
    ada.open(f"/exports/{export}/remove")
    assert "stay as they are" in ada.text
    ada.send()
    assert "Removed." in ada.text
    assert export not in world.exports.kept


def test_an_export_without_a_connection_offers_to_choose_one_instead_of_a_run() -> None:
    world = World()
    export = new_export(world)
    run = world.runs.start(export, Trigger.ON_DEMAND, Mode.EXPORT, "Ada")
    world.runs.move(run.id, status=RunStatus.SUCCESSFUL)
    other = Browser(world).open(f"/exports/{export}")
    page = Browser(world).open(f"/exports/{export}/detach").send()
    for status in (RunStatus.SUCCESSFUL, RunStatus.FAILED, RunStatus.AWAITING_CONFIRMATION):
        world.runs.move(run.id, status=status)
        for path in ("/", f"/exports/{export}", f"/runs/{run.id}"):
            page.open(path)
            for action in ("/run", "/retry", "/confirm", "/undo", "/person"):
                assert f'{action}"' not in page.html, (status, path)
            assert f'href="/exports/{export}/edit"' in page.html
        assert "The export has no connection, so it cannot run." in page.text
    # A page that was opened before still has the button.
    other.send(f"/exports/{export}/run", {"mode": "export"})
    assert other.answer.status == 409
    assert "The export has no connection. Choose one." in other.text
