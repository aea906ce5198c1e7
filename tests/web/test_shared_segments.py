"""Two exports with one segment in one audience are allowed, with a warning when saving."""

import pytest

from shared.errors import Conflict
from shared.model.run import Run
from tests.web.browser import Browser
from tests.web.client import call, export_body, get, new_connection, new_export, send
from tests.web.world import World

SHARED = [{"name": "Segment_Vip", "tag": "Another tag"}]


def findings(answer: dict) -> list[tuple[str, str]]:
    return [(finding["code"], finding["severity"]) for finding in answer["findings"]]


def test_save_and_run_says_whether_the_run_has_started(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    connection = new_connection(world)
    new_export(world, connection, displayName="First")
    second = new_export(world, connection, displayName="Second", segments=SHARED)
    page = Browser(world).open(f"/exports/{second}/edit").send("", fields={"do": "saveAndRun"})
    assert "The run has started" in page.text
    assert "also sends the segment" in page.text

    def refuse(*_: object) -> Run:
        raise Conflict("otherRunGoing")

    monkeypatch.setattr(world.runs, "start", refuse)
    page.open(f"/exports/{second}/edit").send("", fields={"do": "saveAndRun"})
    assert "no run has started" in page.text
    assert "Another run of this export is in progress" in page.send(f"/exports/{second}/run").text


def test_saving_an_export_reports_segments_of_other_exports() -> None:
    world = World()
    connection = new_connection(world)
    first = new_export(world, connection, displayName="First")
    assert findings(get(world, f"/api/exports/{first}")) == []

    body = export_body(connection, displayName="Second", segments=SHARED)
    second = send(world, "POST", "/api/exports", body, 201)

    assert findings(second) == [("segmentShared", "warning")]
    assert "First" in second["findings"][0]["message"]
    assert "Segment_Vip" in second["findings"][0]["message"]
    assert findings(get(world, f"/api/exports/{first}")) == [("segmentShared", "warning")]
    listed = get(world, "/api/exports")["value"]
    assert [findings(one) for one in listed] == [[("segmentShared", "warning")]] * 2
    changed = send(
        world, "PUT", f"/api/exports/{second['id']}", second | {"segments": [{"name": "Own"}]}
    )
    assert findings(changed) == [("segmentMissing", "warning")]
    again = send(world, "PUT", f"/api/exports/{second['id']}", changed | {"segments": SHARED})
    assert findings(again) == [("segmentShared", "warning")]
    elsewhere = send(
        world, "PUT", f"/api/exports/{second['id']}", again | {"audienceId": "elsewhere"}
    )
    assert findings(elsewhere) == []


@pytest.mark.parametrize(
    ("language", "words"), [("en", "tags and fields of both"), ("ko", "두 내보내기의 태그")]
)
def test_a_saved_page_shows_the_finding_in_the_callers_language(language: str, words: str) -> None:
    world = World()
    connection = new_connection(world)
    new_export(world, connection, displayName="First")
    body = export_body(connection, displayName="Second", segments=SHARED)
    answer = call(world, "POST", "/api/exports", body, {"Accept-Language": language})
    assert words in answer.json()["findings"][0]["message"]
    export = answer.json()["id"]
    ada = Browser(world, language).open(f"/exports/{export}/edit")

    for action in ("save", "saveAndRun"):
        ada.open(f"/exports/{export}/edit").send("", {"do": action})

        assert ada.path.partition("?")[0] == f"/exports/{export}"
        assert words in ada.text
        assert "First" in ada.text


def test_tags_that_differ_only_in_blanks_and_case_have_one_owner() -> None:
    world = World()
    connection = new_connection(world)
    new_export(world, connection, displayName="First")
    body = export_body(connection, segments=[{"name": "X", "tag": "\u2003 vIp \u00a0"}])

    assert call(world, "POST", "/api/exports", body).status == 409
