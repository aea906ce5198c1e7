"""The page of an active run in a browser: it follows the run, and shows when it cannot."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from playwright.sync_api import expect

from shared.model.audience import CallCounts
from shared.model.figures import Counts, Planning, PlanningStep, Progress
from shared.model.run import Mode, RunStatus, Trigger
from tests.browser.conftest import Open, Place
from tests.browser.test_admin_pages import violations
from tests.web.client import new_export
from tests.web.world import NOW, World

pytestmark = pytest.mark.browser


def queued(world: World) -> str:
    return world.runs.start(new_export(world), Trigger.ON_DEMAND, Mode.EXPORT, "Ada").id


def test_a_page_opened_before_sending_shows_each_step_until_the_end(
    place: Place, open_page: Open, complaints: list[str]
) -> None:
    runs, page = place.world.runs, open_page()
    run = queued(place.world)
    page.goto(f"/runs/{run}")
    expect(page.locator("#progress")).to_contain_text("The run starts in a moment")
    runs.move(
        run,
        status=RunStatus.PLANNING,
        planning=Planning(PlanningStep.READING, segments_read=2, segments=3, rows=128_400),
    )
    expect(page.locator("#progress")).to_contain_text("Segments read: 2 of 3 (128,400 rows).")
    expect(page.locator("#bar")).to_have_js_property("value", 2)
    runs.move(
        run,
        status=RunStatus.SENDING,
        calls=CallCounts(throttled=3),
        progress=Progress(500, 1200, 1, 3, 42, 90, 490, 41.6),
    )
    expect(page.locator("#announce")).to_have_text("Processing: sending")
    expect(page).to_have_title(re.compile("^Processing: sending – Run: "))
    for shown in ("2 minutes", "42", "3 times", "490"):
        expect(page.locator("#progress")).to_contain_text(shown)
    runs.move(run, progress=Progress(1000, 1200, 2, 3, 83, 20, 985, 40.0))
    expect(page.locator("#done")).to_have_text("1,000")
    expect(page.locator("#percent")).to_have_text("83")
    assert violations(page) == []
    runs.move(
        run,
        status=RunStatus.SUCCESSFUL,
        started_at=NOW,
        finished_at=NOW,
        counts=Counts(source_rows=1200, distinct=1200, created=1200),
    )
    expect(page.locator("#progress")).to_contain_text("1,200 people added")
    expect(page.locator("#progress")).to_be_focused()
    expect(page).to_have_title(re.compile("^Successful – Run: "))
    assert complaints == []


def test_the_end_of_a_run_does_not_send_a_refused_action_again(
    place: Place, open_page: Open
) -> None:
    page, runs = open_page(), place.world.runs
    run = queued(place.world)
    runs.move(run, status=RunStatus.AWAITING_CONFIRMATION)
    page.goto(f"/runs/{run}")
    runs.confirm(run)  # in another tab
    sent: list[str] = []
    page.on("request", lambda one: sent.append(one.method) if one.method == "POST" else None)
    page.get_by_role("button", name="Confirm and continue").click()
    expect(page.locator("#errors")).to_have_text("The run is not waiting for confirmation.")
    runs.move(run, status=RunStatus.SUCCESSFUL, started_at=NOW, finished_at=NOW)
    page.wait_for_url(f"**/runs/{run}#progress")
    expect(page.locator("#progress")).to_contain_text("Successful")
    expect(page.locator("#errors")).to_have_count(0)
    assert sent == ["POST"]


def test_a_page_shows_that_the_session_has_ended(place: Place, open_page: Open) -> None:
    world, page = place.world, open_page("ko")
    run = queued(world)
    page.goto(f"/runs/{run}")
    expect(page.locator("#progress-session-ended")).to_be_hidden()
    signed_out = replace(world.services.authenticator, developer=None)
    world.serve(replace(world.services, authenticator=signed_out))
    expect(page.locator("#progress-session-ended")).to_be_visible()
    expect(page.locator("#progress-session-ended")).to_contain_text("세션이 끝나")
    assert violations(page) == []


def test_a_page_shows_that_the_person_may_no_longer_see_the_run(
    place: Place, open_page: Open
) -> None:
    page = open_page()
    page.goto(f"/runs/{queued(place.world)}")
    place.world = place.world.seen_by(None)
    note = page.locator("#progress-not-allowed")
    expect(note).to_contain_text("requires the role Viewer")
    expect(note).to_contain_text("Runs continue.")
    expect(page.locator("#progress-session-ended")).to_be_hidden()


def test_a_page_shows_that_the_app_does_not_answer_and_recovers(
    place: Place, open_page: Open
) -> None:
    page = open_page()
    run = queued(place.world)
    page.goto(f"/runs/{run}")
    page.route("**/progress", lambda route: route.abort())
    expect(page.locator("#progress-no-answer")).to_be_visible()
    page.unroute("**/progress")
    expect(page.locator("#progress-no-answer")).to_be_hidden()
