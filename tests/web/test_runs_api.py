"""Runs over HTTP."""

import csv
import io
from typing import Any

import pytest

from shared.model.figures import ConsentProof, Counts, RunSegment, StatusProof
from shared.model.finding import Finding, Reason, Severity
from shared.model.run import Mode, RunStatus, Trigger
from shared.runs.outcomes import OutcomeRow
from shared.web.authentication import Role
from tests.web.client import call, faults, get, new_connection, new_export, send
from tests.web.world import World


@pytest.mark.parametrize("body", [None, {}, {"mode": "export"}])
def test_starting_a_run_returns_its_location(body: object) -> None:
    world = World()
    export = new_export(world)
    answer = call(world, "POST", f"/api/exports/{export}/runs", body)
    run: Any = answer.json()
    assert answer.status == 202
    assert answer.headers["Location"] == f"/api/runs/{run['id']}"
    assert (run["mode"], run["trigger"], run["requestedBy"]) == ("export", "onDemand", "Ada")
    assert get(world, answer.headers["Location"]) == run


def test_a_second_start_returns_the_active_run() -> None:
    world = World()
    export = new_export(world)
    first = send(world, "POST", f"/api/exports/{export}/runs", {"mode": "preview"}, 202)
    second = send(world, "POST", f"/api/exports/{export}/runs", {"mode": "full"}, 202)
    assert first == second
    assert len(world.runs.kept) == 1


def test_a_start_that_adds_archived_contacts_is_refused_while_another_run_is_active() -> None:
    world = World()
    path = f"/api/exports/{new_export(world)}/runs"
    other = send(world, "POST", path, {}, 202)
    refused = send(world, "POST", path, {"addArchived": True}, 409)
    assert refused["code"] == "otherRunGoing"
    world.runs.move(other["id"], status=RunStatus.SUCCESSFUL)
    first = send(world, "POST", path, {"addArchived": True}, 202)
    assert send(world, "POST", path, {"addArchived": True}, 202) == first


def test_an_unknown_mode_returns_the_known_ones() -> None:
    world = World()
    answer = call(world, "POST", f"/api/exports/{new_export(world)}/runs", {"mode": "dry"})
    assert faults(answer) == {"mode": "Must be one of: export, preview, full."}


def test_starting_an_unknown_export_is_not_found() -> None:
    assert send(World(), "POST", "/api/exports/none/runs", status=404)["code"] == "exportNotFound"


def test_running_all_starts_exports_with_an_active_schedule() -> None:
    world = World()
    connection = new_connection(world)
    on = new_export(world, connection, displayName="On")
    new_export(world, connection, displayName="Off", audienceId="b2", schedule={"enabled": False})
    answer = send(world, "POST", "/api/runs", status=202)
    assert [run["exportId"] for run in answer["value"]] == [on]


def test_the_run_page_shows_all_details() -> None:
    world = World()
    run = world.runs.start(new_export(world), Trigger.REFRESH, Mode.EXPORT, "")
    world.runs.move(
        run.id,
        status=RunStatus.COMPLETED_WITH_WARNINGS,
        reason=Reason("tooManyProfiles", values={"people": "12", "limit": "10"}),
        counts=Counts(source_rows=12, distinct=10, shared_address=2),
        consent_proof=ConsentProof(kept=3),
        proof=(StatusProof("subscribed", 7, 5, 1),),
        segments=(RunSegment("Segment_Vip", "VIP", 10, 9),),
        findings=(Finding(Severity.WARNING, "tagGone", values={"tag": "VIP"}),),
    )
    shown = get(world, f"/api/runs/{run.id}")
    assert shown["status"] == "completedWithWarnings"
    assert shown["counts"]["sharedAddress"] == 2
    assert shown["consentProof"] == {
        "kept": 3,
        "statusesChanged": 0,
        "unsubscribed": 0,
        "archived": 0,
    }
    assert shown["proof"] == [
        {"status": "subscribed", "before": 7, "after": 5, "byRun": 1, "byOthers": -3}
    ]
    assert shown["segments"] == [
        {"name": "Segment_Vip", "tag": "VIP", "members": 10, "inMailchimp": 9}
    ]
    assert shown["findings"][0]["severity"] == "warning"
    assert shown["reason"]["code"] == "tooManyProfiles"
    assert set(shown["progress"]) == {
        "profilesDone",
        "profilesTotal",
        "chunksDone",
        "chunksTotal",
        "percent",
        "secondsLeft",
        "profilesAccepted",
        "profilesPerSecond",
    }
    assert set(shown["calls"]) == {"write", "read", "throttled", "retried"}


def test_runs_are_listed_newest_first_in_pages() -> None:
    world = World()
    export = new_export(world)
    for _ in range(5):
        run = world.runs.start(export, Trigger.ON_DEMAND, Mode.EXPORT, "Ada")
        world.runs.move(run.id, status=RunStatus.FAILED)
    path: str | None = f"/api/runs?exportId={export}&status=failed&top=2"
    seen = []
    while path:
        page = get(world, path)
        assert len(page["value"]) <= 2
        seen += [run["id"] for run in page["value"]]
        path = page.get("nextLink")
    assert seen == ["run-5", "run-4", "run-3", "run-2", "run-1"]
    assert get(world, "/api/runs?status=successful") == {"value": []}


def test_the_link_to_the_next_page_of_runs_neither_repeats_runs_nor_reaches_a_limit() -> None:
    world = World()
    export = new_export(world)
    for _ in range(5):
        run = world.runs.start(export, Trigger.ON_DEMAND, Mode.EXPORT, "Ada")
        world.runs.move(run.id, status=RunStatus.FAILED)
    first = get(world, "/api/runs?skip=1&top=2")
    world.runs.start(export, Trigger.ON_DEMAND, Mode.EXPORT, "Ada")
    second = get(world, first["nextLink"])
    shown = [run["id"] for page in (first, second) for run in page["value"]]
    assert shown == ["run-4", "run-3", "run-2", "run-1"]
    assert "nextLink" not in second
    # `skip` is limited, the number of runs is not.
    assert "skip" not in first["nextLink"]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("top=0", "top"),
        ("top=201", "top"),
        ("top=x", "top"),
        ("top=%D9%A1", "top"),
        ("top=1e9", "top"),
        ("skip=-1", "skip"),
        ("after=%27%20or", "after"),
        ("status=done", "status"),
    ],
)
def test_an_invalid_query_parameter_is_named(query: str, field: str) -> None:
    answer = call(World(), "GET", f"/api/runs?{query}")
    assert (answer.status, list(faults(answer))) == (400, [field])


def test_a_run_can_be_canceled_confirmed_and_retried() -> None:
    world = World()
    run = send(world, "POST", f"/api/exports/{new_export(world)}/runs", status=202)
    path = f"/api/runs/{run['id']}"
    send(world, "POST", f"{path}/cancel", status=202)
    assert world.runs.kept[run["id"]].cancel_requested
    assert send(world, "POST", f"{path}/confirm", status=409)["detail"]
    world.runs.move(run["id"], status=RunStatus.AWAITING_CONFIRMATION)
    assert send(world, "POST", f"{path}/confirm", status=202)["status"] == "sending"
    world.runs.move(run["id"], status=RunStatus.FAILED)
    answer = call(world, "POST", f"{path}/retry")
    assert answer.headers["Location"] != path
    assert answer.json()["trigger"] == "retry"
    send(world, "POST", "/api/runs/none/cancel", status=404)


def test_a_confirmation_with_if_match_covers_only_what_was_shown() -> None:
    world = World()
    run = send(world, "POST", f"/api/exports/{new_export(world)}/runs", status=202)["id"]
    path = f"/api/runs/{run}"
    assert "ETag" not in call(world, "GET", path).headers

    def waits(people: str, **changes: Any) -> str:
        reason = Reason("growthGuard", {"people": people, "allowed": "100"})
        world.runs.move(run, status=RunStatus.AWAITING_CONFIRMATION, reason=reason, **changes)
        return call(world, "GET", path).headers["ETag"]

    grew = [
        Finding(Severity.WARNING, "segmentGrew", {"segment": name, "before": "1", "people": "200"})
        for name in ("VIP", "New")
    ]
    shown = waits("101")
    others = [
        waits("102"),
        waits("101", counts=Counts(new=200)),
        waits("101", counts=Counts(), findings=tuple(grew[:1])),
        waits("101", findings=tuple(grew)),
    ]
    assert len({shown, *others}) == 5
    stale = call(world, "POST", f"{path}/confirm", headers={"If-Match": shown})
    assert (stale.status, stale.json()["code"]) == (412, "questionChanged")
    assert world.runs.kept[run].status is RunStatus.AWAITING_CONFIRMATION
    answer = call(world, "POST", f"{path}/confirm", headers={"If-Match": others[-1]})
    assert answer.json()["status"] == "sending"
    over = call(world, "POST", f"{path}/confirm", headers={"If-Match": others[-1]})
    assert (over.status, over.json()["code"]) == (409, "notWaiting")
    waits("300")
    assert call(world, "POST", f"{path}/confirm", headers={"If-Match": "*"}).status == 202


ROWS = [
    OutcomeRow("C1", "ada@contoso.example", ("VIP", "New"), "created", "", ""),
    OutcomeRow("=cmd", '+1,"x"\r\n', ("@tag",), "rejected", "fieldRefused", "BIRTHDAY"),
    OutcomeRow("C3", "", (), "rejected", "addressMissing", ""),
    OutcomeRow("", "", (), "rejected", "rowBadQuoting", "", "vip/part-0.csv", 12),
    OutcomeRow("C4", "김@contoso.example", ("-1",), "kept", "unsubscribed", ""),
]


def table(body: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(body.decode("utf-8-sig"), newline="")))


def with_rows() -> tuple[World, str]:
    world = World()
    run = world.runs.start(new_export(world), Trigger.ON_DEMAND, Mode.EXPORT, "Ada")
    world.outcomes.kept = ROWS
    return world, f"/api/runs/{run.id}/outcomes.csv"


def test_the_outcomes_csv_contains_no_formulas() -> None:
    world, path = with_rows()
    answer = call(world, "GET", path)
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert answer.headers["Content-Disposition"].startswith("attachment;")
    assert b"\r\n" in answer.body
    header, *rows = table(answer.body)
    assert (
        ",".join(header)
        == "customerId,email,segments,outcome,code,field,reason,action,mailchimpAnswer"
    )
    assert rows[0][:6] == ["C1", "ada@contoso.example", "VIP; New", "created", "", ""]
    assert rows[1][:3] == ["'=cmd", '\'+1,"x"\r\n', "'@tag"]
    assert rows[4][2] == "'-1"
    for row in rows:
        assert not any(cell.startswith(("=", "+", "-", "@", "\t", "\r")) for cell in row)


def test_the_outcomes_are_in_the_callers_language() -> None:
    world, path = with_rows()
    english = table(call(world, "GET", path).body)
    korean = table(call(world, "GET", path, headers={"Accept-Language": "ko"}).body)
    assert english[3][6] == "The row has no email address."
    assert korean[3][6] == "행에 이메일 주소가 없습니다."
    assert english[1][6] == english[1][7] == ""
    assert english[4][6].endswith("(file vip/part-0.csv, line 12)")
    assert korean[5][1] == "김@contoso.example"


def test_one_outcome_can_be_selected() -> None:
    world, path = with_rows()
    assert len(table(call(world, "GET", f"{path}?only=rejected").body)) == 4
    assert list(faults(call(world, "GET", f"{path}?only=broken"))) == ["only"]


def test_a_viewer_gets_no_personal_data() -> None:
    world, path = with_rows()
    assert call(world.seen_by(Role.VIEWER), "GET", path).status == 403


@pytest.mark.parametrize(
    ("body", "archives"), [(None, False), ({}, False), ({"archiveCreated": True}, True)]
)
def test_an_undo_archives_contacts_only_if_requested(body: object, archives: bool) -> None:
    world = World()
    run_id = send(world, "POST", f"/api/exports/{new_export(world)}/runs", status=202)["id"]
    world.runs.move(run_id, status=RunStatus.SUCCESSFUL)

    undo = send(world, "POST", f"/api/runs/{run_id}/undo", body, 202)

    assert undo["undoOf"] == run_id
    assert world.runs.kept[undo["id"]].archive_created is archives


def test_an_undo_accepts_a_boolean_only() -> None:
    world = World()
    run_id = send(world, "POST", f"/api/exports/{new_export(world)}/runs", status=202)["id"]
    answer = call(world, "POST", f"/api/runs/{run_id}/undo", {"archiveCreated": "perhaps"})
    assert answer.status == 400
    assert set(faults(answer)) == {"archiveCreated"}
