"""The page of a preview: what a run would do, and people before and after it."""

from __future__ import annotations

import pytest

from shared.model.figures import Counts
from shared.model.preview import SampleField, SampleKind, SamplePerson
from shared.model.run import Mode, RunStatus
from shared.previews.differences import Difference
from shared.runs.outcomes import OutcomeRow
from shared.web.authentication import Role
from tests.web.browser import Browser
from tests.web.client import call, get, new_export
from tests.web.run_states import ended
from tests.web.test_run_actions import actions
from tests.web.world import World


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
