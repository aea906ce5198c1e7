"""The page of a run: what happened in one sentence, numbers that add up, and what to do next."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

import pytest

from shared.errors import NotFound
from shared.finishing.differences import Difference
from shared.model.audience import CallCounts
from shared.model.preview import SampleField, SampleKind, SamplePerson
from shared.model.run import (
    AudienceSize,
    Counts,
    Mode,
    Planning,
    PlanningStep,
    Progress,
    Reason,
    RunSegment,
    RunStatus,
    StatusProof,
    Trigger,
)
from shared.runs.outcomes import OutcomeRow
from shared.web.authentication import Role
from tests.web.browser import Browser
from tests.web.client import call, get, new_connection, new_export, send
from tests.web.world import NOW, World

FINISHED = Counts(
    source_rows=120,
    distinct=100,
    new=60,
    changed=20,
    unchanged=10,
    created=55,
    updated=20,
    kept=5,
    rejected=12,
    not_sent=0,
    left=3,
    removed=3,
    shared_address=4,
)


def ended(world: World, status: RunStatus, mode: Mode = Mode.EXPORT, **changes: Any) -> str:
    """A run of a new export in this state; its path."""
    run = world.runs.start(new_export(world), Trigger.ON_DEMAND, mode, "Ada")
    world.runs.move(run.id, status=status, started_at=NOW, finished_at=NOW, **changes)
    return f"/runs/{run.id}"


def actions(page: Browser) -> set[str]:
    """The paths of the buttons and links for actions on a run."""
    head = page.html.partition('<div class="actions">')[2].partition("</div>")[0]
    return {path.rpartition("/")[2] for path in re.findall(r'(?:action|href)="([^"]+)"', head)}


def test_the_numbers_of_a_run_add_up_and_zeros_are_hidden() -> None:
    world = World()
    path = ended(world, RunStatus.COMPLETED_WITH_WARNINGS, counts=FINISHED)
    page = Browser(world).open(path)
    assert "55 people added, 20 people updated, 3 people lost a tag, and 12 rows" in page.text
    people = page.html.partition("People in the segments")[2].partition("</section>")[0]
    total, *parts = (int(n) for n in re.findall(r"<(?:strong|dd)>(\d+)<", people))
    assert total == sum(parts) == 100
    assert "Rows without a usable address2" in page.text
    assert "Not sent" not in page.text
    korean = Browser(world, "ko").open(path)
    assert "55명 추가, 20명 업데이트, 3명의 태그 제거 및 12행 거부." in korean.text


@pytest.mark.parametrize(
    "status", [RunStatus.AWAITING_CONFIRMATION, RunStatus.SKIPPED, RunStatus.FAILED]
)
def test_people_of_a_run_that_sent_nothing_are_not_shown_as_refused(status: RunStatus) -> None:
    world = World()
    counts = Counts(source_rows=120, distinct=100, new=60)
    page = Browser(world).open(ended(world, status, counts=counts, reason=Reason("growthGuard")))
    assert "People in the segments: 100" in page.text
    assert "New60" in page.text
    assert "Refused by Mailchimp" not in page.text


def test_a_run_that_was_canceled_before_sending_shows_what_was_planned() -> None:
    world = World()
    counts = Counts(source_rows=120, distinct=100, changed=90, kept=8, rejected=7)
    reason = Reason("canceledBeforeSending")
    path = ended(world, RunStatus.CANCELED, counts=counts, reason=reason)
    page = Browser(world).open(path)
    for shown in ("Changed90", "Kept as they are8", "Refused by Mailchimp2", "address5"):
        assert shown in page.text, shown
    # Its rows have no outcomes, so the page does not list them.
    assert "rejected rows below" not in page.text
    for language, sentence in (("en", "before anything was sent"), ("ko", "보내기 전에 실행이")):
        assert Browser(world, language).open(path).text.count(sentence) == 1


def test_an_undo_without_effect_does_not_speak_of_the_last_run() -> None:
    world = World()
    page = Browser(world).open(ended(world, RunStatus.SUCCESSFUL, undo_of="run-9"))
    assert "There was nothing to restore." in page.text
    assert "since the last run" not in page.text


def test_a_run_without_anyone_to_send_says_so_beside_its_rejected_rows() -> None:
    world = World()
    counts = Counts(source_rows=5580, distinct=3330, unchanged=3330, rejected=129)
    path = ended(world, RunStatus.SUCCESSFUL, counts=counts)
    english = Browser(world).open(path)
    assert "There was nothing to send. 129 rows were rejected." in english.text
    assert (
        "보낼 내용이 없었습니다. 129개 행이 거부되었습니다." in Browser(world, "ko").open(path).text
    )


@pytest.mark.parametrize(
    ("sent", "english", "korean"),
    [
        (
            {"created": 2100, "updated": 820},
            "Done so far: 2,100 people added and 820 people updated. Tag removals,",
            "지금까지 처리한 내용: 2,100명 추가 및 820명 업데이트. 태그 제거,",
        ),
        (
            {},
            "Tag removals, unsubscribes or archives wait for a confirmation. There was nothing",
            "태그 제거, 구독 취소 또는 보관이 확인을 기다립니다. 다른 보낼 내용은",
        ),
        (
            {"created": 7, "not_sent": 3},
            "Done so far: 7 people added. Tag removals, unsubscribes or archives wait for a confirmation. 3 people were not sent.",
            "지금까지 처리한 내용: 7명 추가. 태그 제거, 구독 취소 또는 보관이 확인을 기다립니다. 3명은 보내지 않았습니다.",
        ),
        (
            {"not_sent": 1},
            "Tag removals, unsubscribes or archives wait for a confirmation. 1 person was not sent.",
            "태그 제거, 구독 취소 또는 보관이 확인을 기다립니다. 1명은 보내지 않았습니다.",
        ),
    ],
    ids=["after sending", "nothing else", "some not sent", "none sent"],
)
def test_a_run_that_waits_distinguishes_what_was_done_from_what_waits(
    sent: dict[str, int], english: str, korean: str
) -> None:
    world = World()
    path = ended(
        world,
        RunStatus.AWAITING_CONFIRMATION,
        reason=Reason("removalGuard", {"people": "2327"}),
        counts=Counts(source_rows=5000, distinct=4000, left=2327, rejected=82, **sent),
    )
    assert english in Browser(world).open(path).text
    assert korean in Browser(world, "ko").open(path).text


@pytest.mark.parametrize(
    ("language", "what_to_do"),
    [
        ("en", "Choose another attribute in the export, or let Customer Insights export this one."),
        ("ko", "내보내기에서 다른 특성을 선택하거나 Customer Insights에서 이 특성을 내보내도록"),
    ],
)
def test_the_reason_of_a_failed_run_says_what_to_do(language: str, what_to_do: str) -> None:
    world = World()
    reason = Reason("attributeMissing", {"segment": "Gold", "attribute": "LoyaltyTier"})
    path = ended(world, RunStatus.FAILED, reason=reason)
    assert what_to_do in Browser(world, language).open(path).text


def test_a_run_whose_people_were_all_refused_shows_them_as_refused() -> None:
    world = World()
    path = ended(
        world,
        RunStatus.FAILED,
        counts=Counts(source_rows=60, distinct=60, new=60, rejected=60),
        progress=Progress(60, 60, 1, 1, 100),
        reason=Reason("allRefused", values={"people": "60", "code": "-"}),
    )
    page = Browser(world).open(path)
    assert "Refused by Mailchimp60" in page.text
    assert "New60" not in page.text


@pytest.mark.parametrize(
    ("counts", "sentence"),
    [
        (Counts(distinct=1, created=1), "1 person added."),
        (Counts(distinct=1, unchanged=1), "Nothing has changed since the last run"),
        (Counts(distinct=2, updated=1, not_sent=1), "1 person updated and 1 person not sent."),
    ],
)
def test_the_sentence_of_a_run_uses_the_right_plural(counts: Counts, sentence: str) -> None:
    world = World()
    assert sentence in Browser(world).open(ended(world, RunStatus.SUCCESSFUL, counts=counts)).text


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
    for role, told in ((Role.VIEWER, False), (Role.ADMINISTRATOR, True)):
        assert ("run the export" in Browser(world.seen_by(role)).open(path).text) is told


def test_an_undo_does_not_change_the_number_of_members_of_a_segment() -> None:
    world = World()
    export = new_export(world)
    for members, undo_of in ((48_210, None), (0, "run-1")):
        run = world.runs.start(export, Trigger.ON_DEMAND, Mode.EXPORT, "Ada")
        segments = (RunSegment("Segment_Vip", "VIP", members, members),)
        world.runs.move(run.id, status=RunStatus.SUCCESSFUL, segments=segments, undo_of=undo_of)
    assert "Segment_VipVIP48,210" in Browser(world).open(f"/exports/{export}").text
    assert "Segment_VipVIP–0" in Browser(world).open(f"/runs/{run.id}").text


def test_a_run_that_failed_while_sending_shows_how_many_changes_were_sent() -> None:
    world = World()
    path = ended(
        world,
        RunStatus.FAILED,
        counts=Counts(distinct=100, new=100),
        progress=Progress(40, 100, 1, 2, 40),
    )
    assert "failed after 40 of 100 changes were sent" in Browser(world).open(path).text
    assert "변경 내용 100개 중 40개를 보낸 후" in Browser(world, "ko").open(path).text


def test_a_failed_preview_does_not_show_what_a_run_would_do() -> None:
    world = World()
    path = ended(world, RunStatus.FAILED, Mode.PREVIEW, counts=Counts(distinct=7, new=7))
    page = Browser(world).open(path)
    assert "The preview failed. Nothing was sent." in page.text
    assert "would" not in page.text
    assert actions(page) == {"run", "edit"}
    assert 'name="mode" value="preview"' in page.html


@pytest.mark.parametrize("language", ["en", "ko"])
def test_a_preview_shows_people_before_and_after(language: str) -> None:
    world = World()
    world.outcomes.kept = [OutcomeRow("C1", "a@@x", ("VIP",), "rejected", "addressMalformed", "")]
    world.outcomes.people = [
        SamplePerson(
            SampleKind.CHANGED,
            "ada@contoso.example",
            "subscribed",
            "subscribed",
            (SampleField("FNAME", "<b>Ada", "Adah"),),
            ("VIP",),
            ("News", "VIP"),
        )
    ]
    path = ended(world, RunStatus.SUCCESSFUL, Mode.PREVIEW, counts=Counts(distinct=1, changed=1))

    page = Browser(world, language).open(path)
    answer = get(world, f"/api{path}/preview")
    world.differences.changes = [
        Difference(SampleKind.NEW, "C1", "x@y.example", ("VIP",), "", (), ("VIP",), (("", "=1"),))
    ]
    csv = call(world, "GET", f"/api{path}/differences.csv")

    for shown in ("ada@contoso.example", "&lt;b&gt;Ada", "Adah", "News, VIP"):
        assert shown in page.html
    assert "preview." not in page.text
    assert csv.body.decode("utf-8-sig").splitlines() == [
        "change,customerId,email,segments,contact,tags.sentLast,tags.afterRun,"
        "FNAME.sentLast,FNAME.afterRun",
        "new,C1,x@y.example,VIP,,,VIP,,'=1",
    ]
    assert f'href="/api{path}/differences.csv"' in page.html
    assert [one["code"] for one in answer["totals"]] == ["addressMalformed"]
    assert answer["people"][0]["fields"] == [{"tag": "FNAME", "now": "<b>Ada", "after": "Adah"}]
    viewer = world.seen_by(Role.VIEWER)
    assert "ada@contoso.example" not in Browser(viewer).open(path).html
    get(viewer, f"/api{path}/preview", 403)


def test_a_preview_shows_what_a_run_would_do() -> None:
    world = World()
    counts = Counts(distinct=8, new=7, changed=1, left=2)
    page = Browser(world).open(ended(world, RunStatus.SUCCESSFUL, Mode.PREVIEW, counts=counts))
    assert "A run would add 7 people, update 1 person, and remove a tag from 2 people." in page.text
    assert actions(page) == {"run"}


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


def test_rejected_rows_are_searched_and_read_page_by_page() -> None:
    world = World()
    world.outcomes.kept = [
        OutcomeRow(f"C{n:03}", f"p{n:03}@@x", ("VIP",), "rejected", "addressMalformed", "")
        for n in range(120)
    ] + [OutcomeRow("D1", "", ("VIP",), "rejected", "addressMissing", "")]
    path = ended(world, RunStatus.COMPLETED_WITH_WARNINGS, counts=FINISHED)
    page = Browser(world).open(path)
    assert "Show all 120 rows" in page.text
    page.open(f"{path}/rejected?code=addressMalformed")
    assert "1–50 of 120" in page.text
    assert "D1" not in page.text
    page.send(f"{path}/rejected", {"skip": "100", "code": "addressMalformed"})
    assert "101–120 of 120" in page.text
    assert "C119" in page.text
    page.send(f"{path}/rejected", {"wanted": "P007", "code": ""})
    assert "1–1 of 1" in page.text
    assert "P007" not in page.path
    page.send(f"{path}/rejected", {"wanted": "unknown@example.com"})
    assert "Nothing found" in page.text
    recorded = str([stored.value for stored in world.audit.kept.values()])
    assert "run.readRejected" in recorded
    assert "P007" not in recorded
    assert Browser(world.seen_by(Role.VIEWER)).open(f"{path}/rejected").answer.status == 403


@pytest.mark.parametrize("skip", ["-1", "x", "9" * 30, "²"])
def test_a_malformed_page_number_shows_the_first_page(skip: str) -> None:
    world = World()
    world.outcomes.kept = [OutcomeRow("C1", "x", ("VIP",), "rejected", "addressMalformed", "")]
    path = ended(world, RunStatus.COMPLETED_WITH_WARNINGS, counts=FINISHED)
    page = Browser(world).open(f"{path}/rejected")
    page.send(f"{path}/rejected", {"skip": skip})
    assert "1–1 of 1" in page.text


def test_a_run_whose_outcomes_are_deleted_offers_no_rows_and_no_download(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = World()
    path = ended(world, RunStatus.COMPLETED_WITH_WARNINGS, counts=FINISHED, cleared=True)

    def gone(*_: object) -> Any:
        raise NotFound("noOutcomes")

    monkeypatch.setattr(world.outcomes, "exist", lambda _: False)
    monkeypatch.setattr(world.outcomes, "rows", gone)
    page = Browser(world).open(path)
    assert page.answer.status == 200
    assert "outcomes.csv" not in page.html
    assert "/rejected" not in page.html
    assert Browser(world).open(f"{path}/rejected").answer.status == 404


@pytest.mark.parametrize(
    ("status", "language", "sentence"),
    [
        (
            RunStatus.FAILED,
            "en",
            "The run failed after a part was sent: 7 people added. 3 people were not sent.",
        ),
        (
            RunStatus.CANCELED,
            "ko",
            "일부를 보낸 후 실행이 취소되었습니다: 7명 추가. 3명은 보내지 않았습니다.",
        ),
    ],
)
def test_a_run_that_stopped_distinguishes_what_was_sent_from_what_was_not(
    status: RunStatus, language: str, sentence: str
) -> None:
    world = World()
    counts = Counts(source_rows=15, distinct=10, new=10, created=7, not_sent=3, rejected=5)
    path = ended(world, status, reason=Reason("canceled"), counts=counts)
    assert sentence in Browser(world, language).open(path).text


@pytest.mark.parametrize(
    ("language", "sentence", "partly", "again"),
    [
        (
            "en",
            "was canceled after everything was sent: 7 people added",
            "a part",
            "run the export again",
        ),
        ("ko", "모두 보낸 후 실행이 취소되었습니다: 7명 추가", "일부를 보낸", "다시 실행하세요"),
    ],
)
def test_a_run_canceled_after_it_had_sent_everything_does_not_speak_of_a_part(
    language: str, sentence: str, partly: str, again: str
) -> None:
    world = World()
    counts = Counts(source_rows=7, distinct=7, new=7, created=7)
    reason = Reason("canceledAfterSending")
    path = ended(world, RunStatus.CANCELED, reason=reason, counts=counts)
    shown = Browser(world, language).open(path).text
    assert sentence in shown
    assert partly not in shown
    assert again not in shown


def test_a_canceled_undo_is_continued_by_another_undo() -> None:
    world = World()
    counts = Counts(distinct=7, updated=3, not_sent=4)
    reason = Reason("canceledPartly")
    path = ended(world, RunStatus.CANCELED, reason=reason, counts=counts, undo_of="run-9")
    shown = Browser(world).open(path).text
    assert "To restore the rest, undo the earlier run again." in shown
    assert "The next run sends the rest" not in shown


@pytest.mark.parametrize(
    ("language", "role", "plan"),
    [
        ("en", "a user of the role Manager, Admin or Owner", "its contact limit is reached"),
        ("ko", "Manager, Admin 또는 Owner 역할의 사용자로", "연락처 한도에 도달하는 등 요금제가"),
    ],
)
def test_a_call_that_is_not_permitted_may_be_caused_by_the_role_or_the_plan(
    language: str, role: str, plan: str
) -> None:
    world = World()
    path = ended(world, RunStatus.FAILED, reason=Reason("forbidden", {"status": "403"}))
    page = Browser(world, language).open(path)
    assert role in page.text
    assert plan in page.text


def test_a_run_that_waits_says_why_and_until_when() -> None:
    world = World()
    run = world.runs.start(new_export(world), Trigger.ON_DEMAND, Mode.EXPORT, "Ada")
    values = {"segment": "Gold", "missing": "1", "listed": "2", "files": "in/Gold_2.csv"}
    world.runs.move(
        run.id,
        status=RunStatus.PLANNING,
        reason=Reason("refreshIncomplete", values=values),
        waiting_since=datetime(2026, 11, 1, 8, 15, tzinfo=UTC),
    )
    text = Browser(world).open(f"/runs/{run.id}/progress").text
    assert "1 of 2 files of the segment Gold have not been written yet: in/Gold_2.csv." in text
    assert "waiting since Nov 1, 2026 08:15" in text
    assert "until about Nov 1, 2026 09:15." in text


def test_the_progress_of_each_step_is_shown() -> None:
    world = World()
    run = world.runs.start(new_export(world), Trigger.ON_DEMAND, Mode.EXPORT, "Ada")
    path = f"/runs/{run.id}/progress"
    assert "The run starts in a moment" in Browser(world).open(path).text
    world.runs.move(
        run.id,
        status=RunStatus.PLANNING,
        planning=Planning(PlanningStep.READING, segments_read=1, segments=3, rows=1200),
    )
    page = Browser(world).open(path)
    assert "Segments read: 1 of 3 (1,200 rows)." in page.text
    assert 'max="3" value="1"' in page.html
    assert get(world, f"/api/runs/{run.id}")["planning"] == {
        "step": "reading",
        "segmentsRead": 1,
        "segments": 3,
        "rows": 1200,
    }
    world.runs.move(
        run.id,
        status=RunStatus.SENDING,
        calls=CallCounts(write=4, throttled=1),
        progress=Progress(
            500,
            1200,
            1,
            3,
            42,
            90,
            profiles_accepted=490,
            profiles_per_second=41.6,
        ),
    )
    page = Browser(world).open(path)
    for shown in ("500 / 1,200", "490", "2 minutes", "42 changes/s", "1 time"):
        assert shown in page.text
    korean = Browser(world, "ko").open(path)
    assert "42 개/초" in korean.text
    world.runs.move(run.id, status=RunStatus.FINISHING)
    assert "Everything is sent" in Browser(world).open(path).text
    world.runs.move(run.id, status=RunStatus.SUCCESSFUL)
    assert call(world, "GET", path).status == 204


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


@pytest.mark.parametrize(("exact", "after"), [(True, "After1,203"), (False, "Afterat most 1,203")])
def test_a_run_shows_the_contacts_that_are_billed_afterwards(exact: bool, after: str) -> None:
    world = World()
    size = AudienceSize(1_200, 4, 1, 2_000, exact)
    path = ended(
        world,
        RunStatus.SUCCESSFUL,
        Mode.PREVIEW,
        counts=Counts(distinct=4, new=4),
        audience_size=size,
    )
    page = Browser(world).open(path)
    assert after in page.text.replace("After ", "After")
    assert "2,000" in page.text


def test_a_completed_run_shows_the_billed_contacts_that_mailchimp_counted() -> None:
    world = World()
    path = ended(
        world,
        RunStatus.SUCCESSFUL,
        counts=Counts(distinct=900, created=2, updated=898),
        audience_size=AudienceSize(1_200, 900, exact=False),
        proof=(
            StatusProof("subscribed", 1_000, 1_002, 2),
            StatusProof("pending", 200, 200, 0),
            StatusProof("cleaned", 50, 50, 0),
        ),
    )
    page = Browser(world).open(path)
    assert "at most" not in page.text
    assert "Added2" in page.text
    assert "After1,202" in page.text.replace("After ", "After")
