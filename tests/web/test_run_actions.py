"""The page of a run offers the actions that can work, to people who may take them."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest

from shared.model.figures import Counts
from shared.model.finding import Reason
from shared.model.run import Mode, RunStatus, Trigger
from shared.runs.outcomes import OutcomeRow
from shared.web.authentication import Role
from tests.web.browser import Browser
from tests.web.client import new_connection, new_export, send
from tests.web.run_states import ended, finished
from tests.web.world import NOW, World


def actions(page: Browser) -> set[str]:
    """The paths of the buttons and links for actions on a run."""
    head = page.between('<div class="actions">', "</div>")
    return {path.rpartition("/")[2] for path in re.findall(r'(?:action|href)="([^"]+)"', head)}


def test_a_run_that_failed_before_sending_offers_only_what_can_work() -> None:
    world = World()
    path = ended(world, RunStatus.FAILED, reason=Reason("segmentMissing", {"segments": "VIP"}))
    page = Browser(world).open(path)
    assert "failed before anything was sent" in page.text
    assert "Correct the cause" in page.text
    assert actions(page) == {"run", "edit"}
    assert "Statuses changed" not in page.text
    viewer = Browser(world.seen_by(Role.VIEWER)).open(path)
    assert "Run again" not in viewer.text


@pytest.mark.parametrize(
    ("connected", "role", "offered"),
    [
        (False, Role.ADMINISTRATOR, True),
        (False, Role.CONTRIBUTOR, False),
        (True, Role.ADMINISTRATOR, False),
    ],
)
def test_a_failed_run_leads_administrators_to_a_connection_that_is_not_connected(
    connected: bool, role: Role, offered: bool
) -> None:
    world = World()
    connection = new_connection(world, sharedWith=["Contributor"])
    run = world.runs.start(new_export(world, connection), Trigger.ON_DEMAND, Mode.EXPORT, "Ada")
    world.runs.move(run.id, status=RunStatus.FAILED, reason=Reason("notConnected"))
    if not connected:
        send(world, "DELETE", f"/api/connections/{connection}/mailchimp")
    page = Browser(world.seen_by(role)).open(f"/runs/{run.id}")
    assert (connection in actions(page)) is offered


def test_people_who_may_not_act_are_not_asked_to_act() -> None:
    world = World()
    path = ended(world, RunStatus.AWAITING_CONFIRMATION, reason=Reason("growthGuard"))
    # The connection is not shared with contributors.
    for role in (Role.VIEWER, Role.CONTRIBUTOR):
        page = Browser(world.seen_by(role)).open(path)
        assert "Someone who may use the connection can confirm the run" in page.text
        assert "Check the numbers" not in page.text
        assert "confirm" not in actions(page)
    world = World()
    path = ended(world, RunStatus.SUCCESSFUL, Mode.PREVIEW)
    for role, says_so in ((Role.VIEWER, False), (Role.ADMINISTRATOR, True)):
        assert ("run the export" in Browser(world.seen_by(role)).open(path).text) is says_so


def test_actions_that_are_refused_while_another_run_waits_are_not_offered() -> None:
    world = World()
    counts = Counts(source_rows=2, distinct=2, created=1, not_sent=1)
    path = ended(world, RunStatus.COMPLETED_WITH_WARNINGS, counts=counts)
    export = world.runs.read(path.rpartition("/")[2]).export_id
    offered = actions(Browser(world).open(path))
    unchanged = world.runs.start(export, Trigger.ON_DEMAND, Mode.EXPORT, "Ada")
    world.runs.move(unchanged.id, status=RunStatus.SUCCESSFUL)
    waiting = world.runs.start(export, Trigger.ON_DEMAND, Mode.EXPORT, "Ada")
    world.runs.move(waiting.id, status=RunStatus.AWAITING_CONFIRMATION, reason=Reason("tagExists"))

    page = Browser(world).open(path)

    assert offered - actions(page) == {"retry", "undo"}
    link = f'<a href="/runs/{waiting.id}">Open the run that waits</a>'
    assert link in page.html
    assert "“Retry what failed” sends again" not in page.text
    of_export = Browser(world).open(f"/exports/{export}")
    assert link in of_export.html
    assert 'value="preview"' not in of_export.html
    assert f"/exports/{export}/person" not in of_export.html
    assert 'value="preview"' not in Browser(world).open("/").html
    assert link not in Browser(world).open(f"/runs/{unchanged.id}").html
    # The waiting run itself, and its export, offer what is possible.
    assert "confirm" in actions(Browser(world).open(f"/runs/{waiting.id}"))
    assert f'action="/exports/{export}/run"' in of_export.html


def test_a_retry_of_the_same_run_is_offered_while_one_waits() -> None:
    world = World()
    counts = Counts(source_rows=2, distinct=2, created=1, not_sent=1)
    path = ended(world, RunStatus.COMPLETED_WITH_WARNINGS, counts=counts)
    run = world.runs.read(path.rpartition("/")[2])
    waiting = world.runs.start(run.export_id, Trigger.RETRY, Mode.EXPORT, "Ada").id
    reason = Reason("growthGuard", {"people": "200", "allowed": "100"})
    world.runs.move(waiting, status=RunStatus.AWAITING_CONFIRMATION, reason=reason, retry_of=run.id)

    page = Browser(world).open(path)

    assert "retry" in actions(page)
    assert "undo" not in actions(page)
    assert "Another retry replaces it." in page.text
    assert f'<a href="/runs/{waiting}">Open the run that waits</a>' in page.html


@pytest.mark.parametrize(
    ("code", "offered"),
    [("addressMalformed", False), ("complianceState", False), ("refused", True)],
)
def test_a_retry_is_offered_only_when_it_can_change_something(code: str, offered: bool) -> None:
    world = World()
    world.outcomes.kept = [OutcomeRow("C1", "x", ("VIP",), "rejected", code, "")]
    counts = Counts(source_rows=2, distinct=2, created=1, rejected=1)
    page = Browser(world).open(ended(world, RunStatus.COMPLETED_WITH_WARNINGS, counts=counts))
    assert ("retry" in actions(page)) is offered
    assert ("“Retry what failed” sends again" in page.text) is offered


def test_a_retry_is_offered_when_people_were_not_sent() -> None:
    world = World()
    counts = Counts(source_rows=2, distinct=2, created=1, not_sent=1)
    page = Browser(world).open(ended(world, RunStatus.COMPLETED_WITH_WARNINGS, counts=counts))
    assert "retry" in actions(page)
    assert "“Retry what failed” sends again" in page.text


def test_a_canceled_undo_is_continued_by_another_undo() -> None:
    world = World()
    counts = Counts(distinct=7, updated=3, not_sent=4)
    reason = Reason("canceledPartly")
    path = ended(world, RunStatus.CANCELED, reason=reason, counts=counts, undo_of="run-9")
    shown = Browser(world).open(path).text
    assert "To restore the rest, undo the earlier run again." in shown
    assert "The next run sends the rest" not in shown


@pytest.mark.parametrize(
    "path",
    ["/runs/{run}/retry", "/runs/{run}/confirm", "/runs/{run}/cancel", "/exports/{export}/run"],
)
def test_a_refused_action_can_be_reloaded_and_read_in_the_other_language(path: str) -> None:
    world = World()
    run_path = ended(world, RunStatus.SUCCESSFUL, counts=Counts(distinct=1, created=1))
    [export] = world.exports.kept
    page = Browser(world).open(path.format(run=run_path.rpartition("/")[2], export=export))
    assert page.answer.status == 200
    assert page.path in (run_path, f"/exports/{export}")


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


@pytest.mark.parametrize(
    ("language", "says", "asks"),
    [
        ("en", "What the run asks has changed", "300 people would be new"),
        ("ko", "실행이 지금 묻는 내용이", "300"),
    ],
)
def test_a_page_that_shows_an_earlier_reason_confirms_nothing(
    language: str, says: str, asks: str
) -> None:
    world = World()
    run = world.runs.start(new_export(world), Trigger.ON_DEMAND, Mode.EXPORT, "Ada").id

    def waits(people: str) -> None:
        reason = Reason("growthGuard", {"people": people, "allowed": "100"})
        world.runs.move(run, status=RunStatus.AWAITING_CONFIRMATION, reason=reason)

    waits("200")
    ada = Browser(world, language).open(f"/runs/{run}")
    waits("300")  # someone else has confirmed it, and it asks again

    ada.send(f"/runs/{run}/confirm")

    assert ada.answer.status == 412
    assert says in ada.text
    assert asks in ada.text
    assert world.runs.kept[run].status is RunStatus.AWAITING_CONFIRMATION
    ada.send(f"/runs/{run}/confirm")
    assert world.runs.kept[run].status is RunStatus.SENDING


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


@pytest.mark.parametrize(
    ("language", "sentence", "vague"),
    [
        (
            "en",
            "“Retry what failed” sends only what is missing. “Run again” also",
            "what can succeed",
        ),
        ("ko", "빠진 내용만 보냅니다. “다시 실행”을 선택하면", "지금 성공할 수 있는"),
    ],
)
def test_a_stopped_run_says_how_a_retry_differs_from_a_run(
    language: str, sentence: str, vague: str
) -> None:
    world = World()
    counts = Counts(source_rows=10, distinct=10, created=7, not_sent=3)
    path = ended(world, RunStatus.CANCELED, reason=Reason("canceled"), counts=counts)
    page = Browser(world, language).open(path)
    assert {"retry", "run"} <= actions(page)
    assert page.text.count(sentence) == 1
    assert vague not in page.text


def test_an_export_can_be_changed_while_its_run_waits_before_sending() -> None:
    world = World()
    run = world.runs.start(new_export(world), Trigger.ON_DEMAND, Mode.EXPORT, "Ada")
    tags = Reason("tagExists", {"tags": "“VIP” (20)"})
    world.runs.move(run.id, status=RunStatus.AWAITING_CONFIRMATION, reason=tags)
    page = Browser(world).open(f"/runs/{run.id}")
    assert "Choose other tags, or confirm" in page.text
    assert "edit" in actions(page)
    # The rest is sent already.
    world.runs.move(run.id, reason=Reason("removalGuard", {"people": "9"}))
    assert "edit" not in actions(Browser(world).open(f"/runs/{run.id}"))


@pytest.mark.parametrize(
    ("language", "sentence"),
    [
        ("en", "The run was confirmed on Nov 23, 2026 08:00. It asks again"),
        ("ko", "2026. 11. 23. 08:00에 실행을 확인했습니다. 그 확인에 이 내용이 포함되지 않아"),
    ],
)
def test_a_run_that_asks_again_after_a_confirmation_says_so(language: str, sentence: str) -> None:
    world = World()
    run = world.runs.start(new_export(world), Trigger.ON_DEMAND, Mode.EXPORT, "Ada")
    reason = Reason("growthGuard", {"people": "319", "allowed": "10"})
    world.runs.move(run.id, status=RunStatus.AWAITING_CONFIRMATION, reason=reason)
    assert sentence not in Browser(world, language).open(f"/runs/{run.id}").text
    world.runs.move(run.id, confirmed_at=NOW - timedelta(hours=1))
    assert sentence in Browser(world, language).open(f"/runs/{run.id}").text
    world.runs.move(run.id, status=RunStatus.SUCCESSFUL, reason=None)
    assert sentence not in Browser(world, language).open(f"/runs/{run.id}").text


@pytest.mark.parametrize("mode", [Mode.ONE_PERSON, Mode.ARCHIVE, Mode.PREVIEW])
@pytest.mark.parametrize(
    ("language", "again", "run_again"),
    [
        ("en", "then try again.", "run the export again"),
        ("ko", "해결한 후 다시 시도하세요.", "내보내기를 다시 실행"),
    ],
)
def test_a_run_that_was_no_export_does_not_advise_to_run_the_export(
    mode: Mode, language: str, again: str, run_again: str
) -> None:
    world = World()
    reason = Reason("disconnected")
    page = Browser(world, language).open(ended(world, RunStatus.FAILED, mode, reason=reason))
    assert again in page.text
    assert run_again not in page.text
    world = World()
    page = Browser(world, language).open(ended(world, RunStatus.CANCELED, mode))
    assert run_again not in page.text
