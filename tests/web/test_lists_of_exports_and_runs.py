"""The lists of exports and runs: filters, reasons, paging, and actions on several exports."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from shared.errors import Conflict
from shared.exports.definitions import Definitions
from shared.model.finding import Reason
from shared.model.run import Mode, Run, RunStatus, Trigger
from shared.web.authentication import Role
from tests.web.browser import Browser
from tests.web.client import call, get, new_connection, new_export
from tests.web.realistic_data import NAMES, fill
from tests.web.world import NOW, World


def names_in(page: Browser) -> list[str]:
    return re.findall(r'class="name"[^>]*><a href="/exports/[^"]+"[^>]*>([^<]+)<', page.html)


def test_exports_are_filtered_by_the_status_of_their_newest_run() -> None:
    world = World()
    fill(world)
    page = Browser(world).open("/")
    assert len(names_in(page)) == len(NAMES)
    assert "14 of 14 exports" in page.text
    assert names_in(Browser(world).open("/?status=awaitingConfirmation")) == ["Birthday voucher"]
    assert names_in(Browser(world).open("/?status=never")) == ["Press and analysts"]
    assert len(names_in(Browser(world).open("/?status=active"))) == 4
    assert len(names_in(Browser(world).open("/?status=%3Cscript%3E"))) == len(NAMES)


def test_the_list_offers_a_preview_before_the_first_run_and_the_run_while_it_is_active() -> None:
    world = World()
    export = new_export(world)

    def first_button() -> str:
        page = Browser(world).open("/")
        actions = page.html.partition('class="row-actions"')[2]
        return re.findall(r"<(?:button|a)[^>]*>([^<]+)<", actions)[0]

    assert first_button() == "Preview"
    run = world.runs.start(export, Trigger.ON_DEMAND, Mode.PREVIEW, "Ada")
    assert first_button() == "View run"
    world.runs.move(run.id, status=RunStatus.SUCCESSFUL)
    assert first_button() == "Run"
    world.runs.move(run.id, status=RunStatus.AWAITING_CONFIRMATION)
    assert first_button() == "View run"


def test_the_list_of_exports_shows_that_the_newest_run_was_a_preview() -> None:
    world = World()
    run = world.runs.start(new_export(world), Trigger.ON_DEMAND, Mode.PREVIEW, "Ada")
    world.runs.move(run.id, status=RunStatus.SUCCESSFUL)
    assert "Successful Preview" in Browser(world).open("/").text


@pytest.mark.parametrize("role", [Role.ADMINISTRATOR, Role.CONTRIBUTOR])
def test_an_export_whose_connection_is_not_connected_shows_it(role: Role) -> None:
    world = World()
    connection = new_connection(world, connected=False)
    export = new_export(world, connection)
    for path in ("/", f"/exports/{export}"):
        page = Browser(world.seen_by(role)).open(path)
        assert "Not connected" in page.text
        assert (f'href="/connections/{connection}"' in page.html) == (role is Role.ADMINISTRATOR)


def test_the_reason_of_a_status_is_in_the_list() -> None:
    world = World()
    fill(world)
    page = Browser(world, "ko").open("/?status=awaitingConfirmation")
    described = re.findall(r'aria-describedby="(why-[^"]+)"', page.html)
    [text] = re.findall(rf'id="{described[0]}">([^<]+)<', page.html)
    assert "18,402명" in text


def test_run_all_does_not_ask_whether_to_run_no_export() -> None:
    world = World()
    new_export(world, displayName="Off", schedule={"enabled": False})
    page = Browser(world).open("/run-all")
    assert "There is no export to start" in page.text
    assert "Run 0 exports" not in page.text
    assert "Off The schedule is off." in page.text
    assert "시작할 내보내기가 없습니다" in Browser(world, "ko").open("/run-all").text


def test_run_all_asks_first_and_lists_what_was_started_and_what_was_not() -> None:
    world = World()
    connection = new_connection(world)
    new_export(world, connection, displayName="Starts", audienceId="a1")
    new_export(world, connection, displayName="Off", audienceId="a2", schedule={"enabled": False})
    busy = new_export(world, connection, displayName="Busy", audienceId="a3")
    gone = new_export(world, connection, displayName="Vanishing", audienceId="a4")
    active = world.runs.start(busy, Trigger.SCHEDULE, Mode.EXPORT, "")
    page = Browser(world).open("/run-all")
    assert "Run 2 exports?" in page.text
    assert "Off The schedule is off." in page.text
    assert list(world.runs.kept) == [active.id]
    start = world.runs.start

    def start_unless_gone(export_id: str, *given: object) -> Run:
        if export_id == gone:
            raise Conflict("noConnection")
        return start(export_id, *given)

    world.runs.start = start_unless_gone
    page.send("/run-all")
    assert "1 export was started." in page.text
    assert "Busy was already running" in page.text
    assert "Vanishing The export was removed or detached" in page.text
    assert len(world.runs.kept) == 2
    korean = Browser(world, "ko").open("/run-all").text
    assert "일정이 꺼져 있습니다." in korean
    viewer = Browser(world.seen_by(Role.VIEWER)).open("/run-all")
    assert viewer.answer.status == 403


def test_a_schedule_is_set_for_the_chosen_exports() -> None:
    world = World()
    connection = new_connection(world, sharedWith=["Contributor"])
    hidden = new_connection(world, "Hidden")
    first = new_export(world, connection, displayName="First", audienceId="a1")
    second = new_export(world, connection, displayName="Second", audienceId="a2")
    other = new_export(world, hidden, displayName="Other", audienceId="a3")
    page = Browser(world.seen_by(Role.CONTRIBUTOR))
    page.open(f"/exports-schedule?export={first}&export={second}&export={other}&export=none")
    assert "Schedule of 3 exports" in page.text
    new = {"scheduleOn": "on", "repeat": "daily", "time-0": "05:30", "timeZone": "Asia/Seoul"}
    page.send("/exports-schedule", {**new, "time-0": "", "timeZone": "Mars/Olympus"})
    assert page.answer.status in (200, 400)
    assert get(world, f"/api/exports/{first}")["schedule"]["repeat"] == "everyRefresh"
    page.open(f"/exports-schedule?export={first}&export={second}&export={other}")
    page.send("/exports-schedule", new)
    assert "Other: This connection is not shared with you." in page.text
    for export_id, times in ((first, ["05:30"]), (second, ["05:30"]), (other, [])):
        assert get(world, f"/api/exports/{export_id}")["schedule"]["times"] == times
    page.open(f"/exports-schedule?export={first}").send(
        "/exports-schedule", {**new, "time-0": "06:00"}
    )
    assert "The schedule of the selected exports is saved." in page.text
    assert "Select exports in the list first." in page.open("/exports-schedule").text
    assert '<p class="note warn" role="status">Select' in page.html


def test_a_schedule_is_set_for_more_exports_than_a_url_can_name() -> None:
    world = World()
    first = world.exports.read(new_export(world)).value
    ids = [first.id, *(f"export-{number}" for number in range(500))]
    for one in ids[1:]:
        world.exports.create(one, replace(first, id=one, audience_id=one))
    page = Browser(world).open("/")
    page.send("/exports-schedule", {"export": []})
    assert "Select exports in the list first." in page.text

    removed = [f"removed-{number}" for number in range(2000)]
    page.open("/").send("/exports-schedule", {"export": [*ids, *removed]})

    assert "Schedule of 501 exports" in page.text
    assert "2,000 selected exports have been removed" in page.text
    assert 'data-unsaved=""' in page.html
    # The page in another language has unsaved input only if something was typed.
    page.send("/exports-schedule", query="language=ko&unchanged=")
    assert '<html lang="ko"' in page.html
    assert 'data-unsaved=""' in page.html
    page.send("/exports-schedule", {"repeat": "weekly"}, query="language=en")
    assert 'data-unsaved="yes"' in page.html
    new = {"scheduleOn": "on", "repeat": "daily", "time-0": "05:30", "timeZone": "Asia/Seoul"}
    page.send("/exports-schedule", {**new, "export": ids[-2:]})
    assert "The schedule of the selected exports is saved." in page.text
    assert get(world, f"/api/exports/{ids[-1]}")["schedule"]["times"] == ["05:30"]


def test_setting_schedules_says_that_chosen_exports_were_removed() -> None:
    world = World()
    connection = new_connection(world)
    ids = [new_export(world, connection, displayName=n, audienceId=n) for n in ("A", "B", "C")]
    page = Browser(world)
    world.exports.delete(ids[0])
    page.open("/exports-schedule?" + "&".join(f"export={one}" for one in ids))
    assert "1 selected export has been removed and is left out." in page.text
    assert "Schedule of 2 exports" in page.text
    world.exports.delete(ids[1])
    new = {"scheduleOn": "on", "repeat": "daily", "time-0": "05:30", "timeZone": "Asia/Seoul"}
    page.send("/exports-schedule", new)
    saved = "The schedule is saved, except for selected exports that have been removed."
    assert f'<p class="note warn" role="status">{saved}' in page.html
    assert get(world, f"/api/exports/{ids[2]}")["schedule"]["times"] == ["05:30"]
    for query in (f"?export={ids[0]}", f"?export={ids[0]}&export={ids[1]}"):
        page.open(f"/exports-schedule{query}")
        assert "The selected exports have been removed, so no schedule was saved." in page.text


def test_an_export_deleted_while_schedules_are_set_is_named_and_the_others_change(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = World()
    connection = new_connection(world)
    names = ("First", "Second", "Third")
    ids = [new_export(world, connection, displayName=n, audienceId=n) for n in names]
    page = Browser(world).open("/exports-schedule?" + "&".join(f"export={one}" for one in ids))
    change = Definitions.change

    def change_and_delete(self: Definitions, export_id: str, *given: Any, **more: Any) -> Any:
        if export_id == ids[0]:
            world.exports.delete(ids[1])
        return change(self, export_id, *given, **more)

    monkeypatch.setattr(Definitions, "change", change_and_delete)
    new = {"scheduleOn": "on", "repeat": "daily", "time-0": "05:30", "timeZone": "Asia/Seoul"}
    page.send("/exports-schedule", new)

    assert "Second: " in page.text
    assert "First: " not in page.text
    for one in (ids[0], ids[2]):
        assert get(world, f"/api/exports/{one}")["schedule"]["times"] == ["05:30"]


def test_runs_are_filtered_and_read_page_by_page() -> None:
    world = World()
    ids = fill(world)

    def runs(query: str) -> list[str]:
        return re.findall(r'class="when"><a href="/runs/([^"]+)"', Browser(world).open(query).html)

    every = runs("/runs")
    assert len(every) == 40 == len(set(every))
    assert runs("/runs?status=failed") == [
        run.id for run in reversed(world.runs.kept.values()) if run.status is RunStatus.FAILED
    ]
    assert set(runs(f"/runs?export={ids['Trial users, day 10']}")) < set(every)
    assert all(
        world.runs.kept[one].trigger is Trigger.REFRESH for one in runs("/runs?trigger=refresh")
    )
    day = (NOW - timedelta(days=3)).date().isoformat()
    on_that_day = runs(f"/runs?since={day}&until={day}")
    assert on_that_day
    for one in on_that_day:
        queued = world.runs.kept[one].queued_at
        assert queued is not None
        assert queued.date().isoformat() == day
    assert runs("/runs?since=x&until=9999-12-31&status=odd&after=") == every
    for number in range(45):
        run = world.runs.start(ids["Press and analysts"], Trigger.RETRY, Mode.EXPORT, "")
        world.runs.move(run.id, status=RunStatus.SKIPPED, reason=Reason("noNewData"))
        assert number < 45
    page = Browser(world).open("/runs?trigger=retry")
    [older] = re.findall(r'href="(/runs\?[^"]*after=[^"]*)"', page.html)
    rest = runs(older.replace("&amp;", "&"))
    assert len(rest) == 5
    assert not set(rest) & set(runs("/runs?trigger=retry"))
    assert runs("/runs?export=none") == []


@pytest.mark.parametrize(("language", "rate"), [("en", "3,369/s"), ("ko", "3,369/초")])
def test_a_run_shows_its_rows_per_second(language: str, rate: str) -> None:
    world = World()
    fill(world)
    assert rate in Browser(world, language).open("/runs").text


def test_lists_of_exports_read_no_runs_of_the_past() -> None:
    world = World()
    fill(world)

    def unexpected(*_: object) -> list[Run]:
        raise AssertionError

    world.runs.newest = unexpected
    assert len(names_in(Browser(world).open("/"))) == len(NAMES)
    assert len(get(world, "/api/exports")["value"]) == len(NAMES)
    assert Browser(world).open("/run-all").answer.status == 200


def test_the_progress_of_runs_leaves_out_runs_that_no_longer_exist() -> None:
    world = World()
    run = world.runs.start(new_export(world), Trigger.ON_DEMAND, Mode.EXPORT, "Ada")
    page = Browser(world).open(f"/runs-progress?run={run.id}&run=removed")
    assert re.findall(r'data-active="([^"]+)"', page.html) == [f"run={run.id}"]
    assert "data-active" not in Browser(world).open("/runs-progress").html


@pytest.mark.parametrize("path", ["/runs-progress?run", "/exports-progress?export"])
def test_the_progress_of_malformed_or_too_many_ids_is_refused(path: str) -> None:
    world = World()
    name = path.partition("?")[2]
    assert call(world, "GET", f"{path}=a/b").status == 400
    assert call(world, "GET", f"{path}=1" + f"&{name}=1" * 100).status == 400
    assert call(world, "GET", f"{path}=1" + f"&{name}=1" * 99).status == 200
