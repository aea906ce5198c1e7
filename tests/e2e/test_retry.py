"""A retry that cannot be, is refused with words; it never sends what nobody asked for."""

from typing import Any

import pytest

from devhost.api_client import PortalError
from sandbox.mailchimp.faults import Fault
from tests.e2e.running_app import Place, audience_as_is


def refused(place: Place, run: dict[str, Any], language: str = "en") -> str:
    """What the app says to a retry, and that it starts nothing."""
    before = place.portal.get(f"/api/runs?exportId={place.export['id']}")["value"]
    with pytest.raises(PortalError) as no:
        place.portal.call(
            "POST", f"/api/runs/{run['id']}/retry", {}, headers={"Accept-Language": language}
        )
    assert no.value.status == 409
    after = place.portal.get(f"/api/runs?exportId={place.export['id']}")["value"]
    assert [one["id"] for one in after] == [one["id"] for one in before]
    return str(no.value.problem["detail"])


def test_a_preview_is_not_tried_again_as_a_run(place: Place) -> None:
    sample = place.sample(20)
    place.refresh(sample)
    place.define(sample)
    preview = place.run("preview")

    assert "preview" in refused(place, preview).lower()
    assert "미리 보기" in refused(place, preview, "ko")
    assert place.audience.members() == {}


def test_an_undo_is_not_tried_again_as_a_run_of_everything(place: Place) -> None:
    sample = place.sample(20)
    place.refresh(sample)
    place.define(sample)
    run = place.run()
    place.audience.forget(sorted(place.audience.members())[0])
    undone = place.wait(place.portal.post(f"/api/runs/{run['id']}/undo"))
    there = audience_as_is(place.audience)

    assert "Undo" in refused(place, undone)
    assert "되돌리" in refused(place, undone, "ko")
    assert audience_as_is(place.audience) == there


def test_a_run_without_failed_rows_is_not_tried_again(place: Place) -> None:
    sample = place.sample(20)
    place.refresh(sample)
    place.define(sample)
    run = place.run()
    place.refresh(sample.later(arriving=5))

    assert "Nothing of the run failed" in refused(place, run)
    assert "실패한 항목이 없습니다" in refused(place, run, "ko")
    assert len(place.audience.members()) == 20


def test_a_run_that_waits_is_answered_before_it_is_tried_again(place: Place) -> None:
    sample = place.sample(50)
    place.refresh(sample)
    place.define(sample)
    place.run()
    place.refresh(sample.later(leaving=40))
    waiting = place.run()
    assert waiting["status"] == "awaitingConfirmation"

    assert "confirm it or cancel it" in refused(place, waiting)
    assert "확인하거나 취소" in refused(place, waiting, "ko")
    assert place.portal.get(f"/api/runs/{waiting['id']}")["status"] == "awaitingConfirmation"


def test_a_retry_during_another_run_is_refused_and_asked_twice_it_is_one(place: Place) -> None:
    sample = place.sample(20)
    place.refresh(sample)
    place.define(sample)
    place.run()
    place.house.box.arm(Fault("503-html", "POST", r"^/lists/\w+$", times=None))
    place.refresh(sample.later(arriving=5))
    going = place.start()
    place.portal.post(f"/api/runs/{going['id']}/cancel")
    stopped = place.wait(going)
    place.house.box.disarm()
    assert stopped["status"] == "canceled"

    place.house.box.arm(Fault("hang", "GET", r".*", times=None, seconds=0.5))
    other = place.start("full")
    assert "Another run" in refused(place, stopped)
    place.house.box.disarm()
    place.wait(other)
    first = place.portal.post(f"/api/runs/{stopped['id']}/retry")
    second = place.portal.post(f"/api/runs/{stopped['id']}/retry")
    assert first["id"] == second["id"]
    assert first["retryOf"] == stopped["id"]
    place.wait(first)
