"""The page of a run: what happened in one sentence, numbers that add up, and what to do next."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shared.errors import NotFound
from shared.model.audience import CallCounts
from shared.model.figures import (
    AudienceSize,
    ConsentProof,
    Counts,
    Planning,
    PlanningStep,
    Progress,
    RunSegment,
    StatusProof,
)
from shared.model.finding import Finding, Reason, Severity
from shared.model.run import Mode, RunStatus, Trigger
from shared.runs.outcomes import OutcomeRow
from shared.web.authentication import Role
from tests.web.browser import Browser
from tests.web.client import call, get, new_export
from tests.web.run_states import FINISHED, ended, finished
from tests.web.world import World


def test_the_numbers_of_a_run_add_up_and_zeros_are_hidden() -> None:
    world = World()
    path = ended(world, RunStatus.COMPLETED_WITH_WARNINGS, counts=FINISHED)
    page = Browser(world).open(path)
    assert "55 people added, 20 people updated, 3 people lost a tag, and 12 rows" in page.text
    people = page.between("People in the segments", "</section>")
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
    assert "Not compared40" in page.text
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


def test_an_undo_is_called_an_undo_and_counts_people_of_no_segment() -> None:
    world = World()
    counts = Counts(distinct=201, updated=201)
    page = Browser(world).open(ended(world, RunStatus.SUCCESSFUL, counts=counts, undo_of="run-9"))
    assert "KindUndo" in page.text.replace("\n", "")
    assert "People: 201" in page.text
    assert "People in the segments" not in page.text


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
            "태그 제거, 구독 취소 또는 보관이 확인 대기 중입니다. 다른 보낼 내용은",
        ),
        (
            {"created": 7, "not_sent": 3},
            "Done so far: 7 people added. Tag removals, unsubscribes or archives wait for a confirmation. 3 people were not sent.",
            "지금까지 처리한 내용: 7명 추가. 태그 제거, 구독 취소 또는 보관이 확인 대기 중입니다. 3명은 보내지 않았습니다.",
        ),
        (
            {"not_sent": 1},
            "Tag removals, unsubscribes or archives wait for a confirmation. 1 person was not sent.",
            "태그 제거, 구독 취소 또는 보관이 확인 대기 중입니다. 1명은 보내지 않았습니다.",
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
        reason=Reason("allRefused", values={"people": "60", "cause": "-"}),
    )
    page = Browser(world).open(path)
    assert "Refused by Mailchimp60" in page.text
    assert "New60" not in page.text


@pytest.mark.parametrize(
    ("counts", "sentence"),
    [
        (Counts(distinct=1, created=1), "1 person added."),
        (Counts(distinct=1, unchanged=1), "Nothing has changed since the last run"),
        (Counts(distinct=2, unchanged=1, kept=1), "Nothing has changed since the last run"),
        (Counts(distinct=1, kept=1), "There was nothing to send. 1 person is kept as they are"),
        (Counts(), "The segments have no members, so nothing was sent."),
        (Counts(distinct=2, updated=1, not_sent=1), "1 person updated and 1 person not sent."),
    ],
)
def test_the_sentence_of_a_run_uses_the_right_plural(counts: Counts, sentence: str) -> None:
    world = World()
    assert sentence in Browser(world).open(ended(world, RunStatus.SUCCESSFUL, counts=counts)).text


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
    assert "1 of 2 files of the segment Gold has not been written yet: in/Gold_2.csv." in text
    assert "waiting since Nov 1, 2026 08:15" in text
    assert "until about Nov 1, 2026 09:15." in text


def test_a_guard_asks_once_and_no_longer_after_it_was_confirmed() -> None:
    world = World()
    run = world.runs.start(new_export(world), Trigger.ON_DEMAND, Mode.EXPORT, "Ada").id
    values = {"people": "30457", "allowed": "12865"}
    world.runs.move(
        run,
        status=RunStatus.AWAITING_CONFIRMATION,
        reason=Reason("growthGuard", values),
        findings=(
            Finding(Severity.WARNING, "growthGuard", values),
            Finding(
                Severity.WARNING,
                "fewAddresses",
                {"usable": "3", "rows": "9", "attribute": "City"},
            ),
        ),
    )
    asks, other = "30,457 people would be new", "values of the attribute “City”"
    waiting = Browser(world).open(f"/runs/{run}").text
    assert waiting.count(asks) == 1
    assert other in waiting
    codes = ("growthGuard", "fewAddresses")
    world.runs.move(run, status=RunStatus.SENDING, reason=None, confirmed=codes)
    confirmed = Browser(world).open(f"/runs/{run}").text
    assert asks not in confirmed
    assert other not in confirmed
    # What was asked stays in the record of the run.
    assert [f["code"] for f in get(world, f"/api/runs/{run}")["findings"]] == list(codes)


def test_a_run_that_misses_objections_says_so_on_its_page_and_over_http() -> None:
    world = World()
    run = world.runs.start(new_export(world), Trigger.ON_DEMAND, Mode.EXPORT, "Ada").id
    values = {"attribute": "DoNotEmail", "before": "1200", "people": "1"}
    reason = Reason("fewerObjections", values)
    world.runs.move(run, status=RunStatus.AWAITING_CONFIRMATION, reason=reason)
    asks = (
        "In an earlier run, 1,200 people who are still in the segments objected to email. "
        "According to the consent attribute “DoNotEmail”, 1 of them does not object any more"
    )

    assert asks in Browser(world).open(f"/runs/{run}").text
    assert (
        "1,200명이 이전 실행에서는 이메일을 거부" in Browser(world, "ko").open(f"/runs/{run}").text
    )
    told = get(world, f"/api/runs/{run}")["reason"]
    assert told["code"] == "fewerObjections"
    assert told["message"].startswith(asks)


def test_a_run_says_how_long_it_has_read_segments_and_how_long_that_took_before() -> None:
    world = World()
    export = new_export(world)
    first = world.runs.start(export, Trigger.ON_DEMAND, Mode.PREVIEW, "Ada")
    world.runs.move(first.id, status=RunStatus.PLANNING, started_at=world.now)
    ada = Browser(world).open(f"/runs/{first.id}")
    assert "has taken" not in ada.text
    assert "Last time" not in ada.text
    world.pass_time(40)
    assert "has taken 40 seconds so far." in ada.open(f"/runs/{first.id}/progress").text
    world.pass_time(80)
    world.runs.move(first.id, status=RunStatus.SUCCESSFUL, sending_at=world.now)
    second = world.runs.start(export, Trigger.ON_DEMAND, Mode.EXPORT, "Ada")
    path = f"/runs/{second.id}"
    assert "Last time, reading and comparing took 2 minutes." in ada.open(path).text
    assert "읽기 및 비교에 2분 걸렸습니다." in Browser(world, "ko").open(path).text
    # While it waited for the confirmation, it did not read.
    asked, confirmed = world.now, world.now + timedelta(hours=9)
    world.runs.move(second.id, status=RunStatus.PLANNING, started_at=asked, confirmed_at=confirmed)
    world.now = confirmed + timedelta(seconds=30)
    assert "has taken 30 seconds so far." in ada.open(path).text
    world.runs.move(second.id, status=RunStatus.SENDING, sending_at=world.now)
    assert "Last time" not in ada.open(path).text
    world.runs.move(second.id, status=RunStatus.SUCCESSFUL)
    third = world.runs.start(export, Trigger.ON_DEMAND, Mode.EXPORT, "Ada")
    assert "Last time, reading and comparing took 2 minutes." in ada.open(f"/runs/{third.id}").text


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
    assert after in page.text
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
    assert "After1,202" in page.text


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
    assert (
        "1 person who is not subscribed was left unchanged. Other statuses changed: 0." in ada.text
    )
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


def test_a_run_that_ended_before_it_sent_anything_shows_no_speed() -> None:
    world = World()
    counts = Counts(source_rows=120, distinct=100, new=60)
    path = ended(world, RunStatus.CANCELED, counts=counts)
    world.runs.move("run-1", started_at=world.runs.read("run-1").finished_at - timedelta(seconds=4))
    assert "rows per second" not in Browser(world).open(path).text
    assert "30/s" not in Browser(world).open("/runs").text

    world.runs.move("run-1", counts=replace(counts, created=60))
    assert "rows per second" in Browser(world).open(path).text
    assert "30/s" in Browser(world).open("/runs").text


def test_an_undo_shows_when_the_run_that_it_undoes_was_started() -> None:
    world = World()
    first = ended(world, RunStatus.SUCCESSFUL, counts=FINISHED)
    world.runs.move("run-1", queued_at=datetime(2026, 3, 5, 9, 30, tzinfo=UTC))
    undo = world.runs.start(
        world.runs.read("run-1").export_id, Trigger.ON_DEMAND, Mode.EXPORT, "Ada"
    )
    world.runs.move(undo.id, undo_of="run-1")
    page = Browser(world).open(f"/runs/{undo.id}")
    link = re.search(rf'<a href="{first}">(.*?)</a>', page.html)
    assert link is not None
    assert link[1] == "Mar 5, 2026 09:30"


def test_the_page_of_an_undo_says_what_happens_to_tags_that_the_run_took_over() -> None:
    world = World()
    path = ended(world, RunStatus.SUCCESSFUL, counts=FINISHED)
    returned = "Subscribers who had this tag before that have it again afterwards"
    lost = "Contacts that had this tag before the run do not get it back"

    def shown() -> list[bool]:
        text = Browser(world).open(f"{path}/undo").text
        return [sentence in text for sentence in (returned, lost)]

    assert shown() == [False, False]
    finding = Finding(Severity.WARNING, "tagTakenOver", values={"tag": "VIP"})
    world.runs.move("run-1", findings=(finding,))
    assert shown() == [False, True]
    # The findings of an attempt at planning that was repeated are gone.
    world.runs.move("run-1", findings=(), confirmed=("tagExists",))
    assert shown() == [False, True]
    world.services.undo.recorded.add("run-1")
    assert shown() == [True, False]


@pytest.mark.parametrize("status", [RunStatus.FAILED, RunStatus.CANCELED])
def test_a_stopped_run_shows_the_contacts_that_it_added_and_not_those_that_it_planned(
    status: RunStatus,
) -> None:
    world = World()
    counts = Counts(distinct=900, new=900, created=7, not_sent=893)
    size = AudienceSize(1_200, 900, archived=3)
    page = Browser(world).open(ended(world, status, counts=counts, audience_size=size))
    billed = page.text.partition("that Mailchimp bills")[2]
    assert "Before1,200" in billed
    assert "Added7" in billed
    assert "After" not in billed.partition("Progress details")[0]
    assert "Archived" not in billed


def test_a_run_that_failed_without_counting_its_people_shows_no_added_contacts() -> None:
    world = World()
    path = ended(
        world,
        RunStatus.FAILED,
        progress=Progress(500, 900),
        counts=Counts(distinct=900, new=900),
        audience_size=AudienceSize(1_200, 900),
    )
    page = Browser(world).open(path)
    assert "that Mailchimp bills" in page.text
    assert "Added" not in page.text


def test_a_run_that_waits_shows_the_contacts_that_it_would_add() -> None:
    world = World()
    path = ended(
        world,
        RunStatus.AWAITING_CONFIRMATION,
        counts=Counts(distinct=900, new=900),
        reason=Reason("growthGuard", {"people": "900", "allowed": "100"}),
        audience_size=AudienceSize(1_200, 900),
    )
    page = Browser(world).open(path)
    assert "Would be added900" in page.text
    assert "After2,100" in page.text


@pytest.mark.parametrize(
    ("language", "stopped", "everything"),
    [
        ("en", "Sending has stopped", "Everything is sent"),
        ("ko", "보내기를 중지했습니다", "모두 보냈"),
    ],
)
def test_a_canceled_run_that_is_being_finished_does_not_claim_that_everything_is_sent(
    language: str, stopped: str, everything: str
) -> None:
    world = World()
    run = world.runs.start(new_export(world), Trigger.ON_DEMAND, Mode.EXPORT, "Ada")
    world.runs.move(run.id, status=RunStatus.FINISHING, cancel_requested=True)
    for path in (f"/runs/{run.id}", f"/runs/{run.id}/progress"):
        page = Browser(world, language).open(path)
        assert stopped in page.text
        assert everything not in page.text


@pytest.mark.parametrize(
    ("language", "sentence", "line"),
    [
        ("en", "9 people lost a tag and 7 contacts archived.", "had added: 7."),
        ("ko", "9명의 태그 제거 및 연락처 7개 보관.", "보관한 연락처: 7개."),
    ],
)
def test_an_undo_says_how_many_contacts_it_archived(
    language: str, sentence: str, line: str
) -> None:
    world = World()
    path = ended(
        world,
        RunStatus.SUCCESSFUL,
        counts=Counts(left=9, removed=9),
        consent_proof=ConsentProof(archived=7),
        undo_of="run-9",
    )
    world.outcomes.kept = [OutcomeRow("C1", "x@example.com", (), "removed", "", "")]
    page = Browser(world, language).open(path)
    assert sentence in page.text
    assert line in page.text


@pytest.mark.parametrize(
    ("language", "undone", "retried"),
    [
        ("en", "Undo of this run:", "Retry of this run:"),
        ("ko", "이 실행에 대한 되돌리기:", "이 실행에 대한 다시 시도:"),
    ],
)
def test_a_run_names_the_runs_that_undo_and_retry_it(
    language: str, undone: str, retried: str
) -> None:
    world = World()
    path = ended(world, RunStatus.FAILED, counts=Counts(distinct=2, created=1, not_sent=1))
    run = world.runs.read(path.rpartition("/")[2])
    before = Browser(world, language).open(path)
    assert undone not in before.text
    assert retried not in before.text
    later = {}
    for field in ("retry_of", "undo_of"):
        later[field] = world.runs.start(run.export_id, Trigger.RETRY, Mode.EXPORT, "Ada").id
        world.runs.move(later[field], status=RunStatus.SUCCESSFUL, **{field: run.id})
    page = Browser(world, language).open(path)
    card = page.between('class="card outcome', "</section>")
    assert undone in card
    assert retried in card
    for one in later.values():
        assert f'href="/runs/{one}"' in card
        assert undone not in Browser(world, language).open(f"/runs/{one}").text


def test_a_run_names_its_audience() -> None:
    world = World()
    page = Browser(world).open(ended(world, RunStatus.SUCCESSFUL, audience_name="뉴스레터"))
    assert "뉴스레터" in page.text.partition("Progress details")[2]


@pytest.mark.parametrize(
    ("language", "before", "after", "why"),
    [
        (
            "en",
            "Nothing was sent.",
            "A part was sent: 3 people added.",
            "A newer run took the place of",
        ),
        (
            "ko",
            "아무것도 보내지 않았습니다.",
            "일부를 보냈습니다: 3명 추가.",
            "이 실행을 새 실행이 대신합니다.",
        ),
    ],
)
def test_a_run_whose_place_a_newer_run_took_does_not_claim_that_it_compared_everyone(
    language: str, before: str, after: str, why: str
) -> None:
    world = World()
    # It waited because many people would be new.
    waited = Counts(source_rows=300, distinct=297, new=297)
    page = Browser(world, language).open(superseded(world, waited))
    assert before in page.text
    assert page.text.count(why) == 1
    assert re.search(r"(New|신규)297", page.text)
    assert not re.search("Refused by Mailchimp|Mailchimp에서 거부|Nothing has changed", page.text)
    assert not re.search("rows per second|초당", page.text)
    # It waited to remove tags, after everything else was sent.
    world = World()
    guarded = Counts(source_rows=3, distinct=3, new=3, created=3, left=295)
    world.outcomes.kept = [OutcomeRow("C1", "x@example.com", (), "created", "", "")]
    page = Browser(world, language).open(superseded(world, guarded))
    assert after in page.text
    assert page.text.count(why) == 1
    # The newer run plans these changes.
    assert not re.search("Retry what failed|실패한 항목 다시 시도", page.text)


def superseded(world: World, counts: Counts) -> str:
    """A run with these counts whose place a newer run took while it waited."""
    reason = Reason("superseded")
    return ended(world, RunStatus.COMPLETED_WITH_WARNINGS, reason=reason, counts=counts)


@pytest.mark.parametrize(
    ("language", "not_subscribed", "others"),
    [
        (
            "en",
            "3 people who are not subscribed",
            "2 other people were left unchanged, for example without consent",
        ),
        (
            "ko",
            "구독하지 않은 3명을",
            "그 밖에 2명을 그대로 두었습니다(예: 동의하지 않은 사람, 제외된 사람",
        ),
    ],
)
def test_a_run_says_why_people_were_kept_who_are_not_unsubscribed(
    language: str, not_subscribed: str, others: str
) -> None:
    world = World()
    world.outcomes.kept = [OutcomeRow("C1", "x@example.com", (), "kept", "noConsent", "")]
    counts = Counts(source_rows=9, distinct=9, created=4, kept=5)
    path = ended(world, RunStatus.SUCCESSFUL, counts=counts, consent_proof=ConsentProof(kept=3))
    page = Browser(world, language).open(path)
    assert not_subscribed in page.text
    assert others in page.text
    world.runs.move(path.rpartition("/")[2], consent_proof=ConsentProof(kept=5))
    assert others not in page.open(path).text


@pytest.mark.parametrize(
    ("language", "left", "counted", "changed"),
    [
        (
            "en",
            "60 people are not subscribed and stay unchanged.",
            "0 people",
            "Statuses changed: 0.",
        ),
        ("ko", "60명은 구독자가 아니므로 그대로 둡니다.", "0명을", "상태가 변경된 연락처: 0개."),
    ],
)
def test_an_undo_counts_the_people_who_are_not_subscribed_once(
    language: str, left: str, counted: str, changed: str
) -> None:
    """They may not have been subscribed before the run either."""
    world = World()
    world.outcomes.kept = [OutcomeRow("C1", "x@example.com", (), "updated", "", "")]
    finding = Finding(Severity.WARNING, "undoNotSubscribed", values={"people": "60"})
    path = ended(
        world,
        RunStatus.COMPLETED_WITH_WARNINGS,
        counts=Counts(distinct=40, changed=40, updated=40),
        findings=(finding,),
        undo_of="run-0",
    )
    shown = Browser(world, language).open(path).text
    assert left in shown
    assert changed in shown
    assert not re.search(rf"\b{counted}", shown)
