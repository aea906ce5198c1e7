"""A retry that is not possible is refused with a reason, and never sends other rows."""

from typing import Any

import pytest

from devhost.api_client import ApiError
from sandbox.mailchimp.faults import Fault
from tests.e2e.running_app import ExportScenario, actual_audience
from tests.held_calls import held_calls


def refused(scenario: ExportScenario, run: dict[str, Any], language: str = "en") -> str:
    """Return the error of a retry, and check that no run started."""
    before = scenario.api.get(f"/api/runs?exportId={scenario.export['id']}")["value"]
    with pytest.raises(ApiError) as no:
        scenario.api.call(
            "POST", f"/api/runs/{run['id']}/retry", {}, headers={"Accept-Language": language}
        )
    assert no.value.status == 409
    after = scenario.api.get(f"/api/runs?exportId={scenario.export['id']}")["value"]
    assert [one["id"] for one in after] == [one["id"] for one in before]
    return str(no.value.problem["detail"])


def test_a_preview_cannot_be_retried(scenario: ExportScenario) -> None:
    scenario.define_sample(20)
    preview = scenario.run("preview")

    assert "preview" in refused(scenario, preview).lower()
    assert "미리 보기" in refused(scenario, preview, "ko")
    assert scenario.audience.members() == {}


def test_an_undo_cannot_be_retried(scenario: ExportScenario) -> None:
    scenario.define_sample(20)
    run = scenario.run()
    scenario.audience.forget(sorted(scenario.audience.members())[0])
    undone = scenario.wait(scenario.api.post(f"/api/runs/{run['id']}/undo"))
    there = actual_audience(scenario.audience)

    assert "an undo" in refused(scenario, undone)
    assert "되돌리" in refused(scenario, undone, "ko")
    assert actual_audience(scenario.audience) == there


def test_a_run_without_failed_rows_cannot_be_retried(scenario: ExportScenario) -> None:
    sample = scenario.define_sample(20)
    run = scenario.run()
    scenario.refresh(sample.later(arriving=5))

    assert "Nothing in this run failed" in refused(scenario, run)
    assert "실패한 항목이 없습니다" in refused(scenario, run, "ko")
    assert len(scenario.audience.members()) == 20


def test_a_run_awaiting_confirmation_must_be_answered_before_a_retry(
    scenario: ExportScenario,
) -> None:
    _, waiting = scenario.run_awaiting_removals(50, leaving=40)

    assert "Confirm or cancel it first" in refused(scenario, waiting)
    assert "확인하거나 취소" in refused(scenario, waiting, "ko")
    assert scenario.api.get(f"/api/runs/{waiting['id']}")["status"] == "awaitingConfirmation"


def test_a_retry_during_another_run_is_refused_and_is_idempotent(scenario: ExportScenario) -> None:
    sample = scenario.define_sample(20)
    scenario.run()
    scenario.running_app.sandbox.arm(Fault("503-html", "POST", r"^/lists/\w+$", times=None))
    scenario.refresh(sample.later(arriving=5))
    going = scenario.start()
    scenario.api.post(f"/api/runs/{going['id']}/cancel")
    stopped = scenario.wait(going)
    scenario.running_app.sandbox.disarm()
    assert stopped["status"] == "canceled"

    with held_calls(scenario.running_app.sandbox, "GET", r".*"):
        other = scenario.start("full")
        assert "Another run" in refused(scenario, stopped)
    scenario.wait(other)
    first = scenario.api.post(f"/api/runs/{stopped['id']}/retry")
    second = scenario.api.post(f"/api/runs/{stopped['id']}/retry")
    assert first["id"] == second["id"]
    assert first["retryOf"] == stopped["id"]
    scenario.wait(first)
