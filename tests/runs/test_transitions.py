"""Every way in which a run can end logs `run.finished` once, and a wait for a person is no end."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from sandbox.samples import Sample, Segment
from shared.errors import ConfigError, Unavailable
from shared.model.run import Mode, Run, RunStatus
from shared.people.erasures import Erasures
from tests.faults.simulated_deployment import EXPORT, Mill

NewMill = Callable[[], Mill]

SAMPLE = Sample(16, (Segment("A", 0.9),), seed=3)
FEWER = SAMPLE.later(leaving=12)
SHARED = Path(__file__).parents[2] / "shared"


def begin(mill: Mill, mode: Mode = Mode.EXPORT) -> Run:
    run: Run = mill.house.starter.start(EXPORT, mode=mode)
    return run


def is_sent(mill: Mill) -> Run:
    return mill.run()


def is_previewed(mill: Mill) -> Run:
    return mill.go_on(begin(mill, Mode.PREVIEW).id)


def is_canceled_in_the_queue(mill: Mill) -> Run:
    run = begin(mill)
    mill.house.commands.cancel(run.id)
    return mill.go_on(run.id)


def is_canceled_while_planned(mill: Mill) -> Run:
    run = begin(mill)

    def call(ask: Callable[[], object]) -> object:
        if mill.house.runs.read(run.id).value.status is RunStatus.PLANNING:
            mill.house.commands.cancel(run.id)
        return ask()

    mill.call = call
    return mill.go_on(run.id)


def is_canceled_while_sent(mill: Mill) -> Run:
    run = begin(mill)

    def call(ask: Callable[[], object]) -> object:
        if mill.house.runs.read(run.id).value.status is RunStatus.SENDING:
            mill.house.commands.cancel(run.id)
        return ask()

    mill.call = call
    return mill.go_on(run.id)


def fails_in_its_plan(mill: Mill) -> Run:
    def snapshot(_: object) -> object:
        message = "There is no such segment."
        raise ConfigError(message, code="segmentMissing")

    mill.source.snapshot = snapshot  # type: ignore[assignment,method-assign]
    return mill.run()


def is_given_up_by_the_queue(mill: Mill) -> Run:
    def snapshot(_: object) -> object:
        message = "Storage is away."
        raise Unavailable(message)

    mill.source.snapshot = snapshot  # type: ignore[assignment,method-assign]
    return mill.run()


def loses_its_connection(mill: Mill) -> Run:
    run = begin(mill)

    def call(ask: Callable[[], object]) -> object:
        if mill.house.runs.read(run.id).value.status is RunStatus.SENDING:
            mill.house.commands.disconnected([EXPORT])
        return ask()

    mill.call = call
    return mill.go_on(run.id)


def loses_its_plan(mill: Mill) -> Run:
    run = begin(mill)

    def call(ask: Callable[[], object]) -> object:
        if mill.house.runs.read(run.id).value.status is RunStatus.SENDING:
            for name in [name for name in mill.store.blobs if name.endswith("lines.jsonl")]:
                del mill.store.blobs[name]
        return ask()

    mill.call = call
    return mill.go_on(run.id)


def does_not_move(mill: Mill) -> Run:
    run = begin(mill)
    mill.house.planner.plan(run.id)
    mill.store.messages.clear()
    for _ in range(80):
        mill.clock.forward(301)
        mill.house.watchdog.resume_stalled()
        mill.store.messages.clear()
    return mill.go_on(run.id)


def waits(mill: Mill) -> Run:
    """A run that waits for a confirmation of its removals."""
    mill.run()
    mill.define(FEWER)
    run = mill.run()
    assert run.status is RunStatus.AWAITING_CONFIRMATION
    return run


def is_confirmed(mill: Mill) -> Run:
    run = waits(mill)
    mill.house.commands.confirm(run.id)
    return mill.go_on(run.id)


def is_canceled_while_it_waits(mill: Mill) -> Run:
    run: Run = mill.house.commands.cancel(waits(mill).id)
    return run


def is_superseded(mill: Mill) -> Run:
    run = waits(mill)
    mill.run()
    return mill.go_on(run.id)


def is_not_confirmed_in_time(mill: Mill) -> Run:
    run = waits(mill)
    mill.clock.forward(31 * 86_400)
    mill.house.retention.clear()
    return mill.go_on(run.id)


def waits_for_a_removed_export(mill: Mill) -> Run:
    run = waits(mill)
    mill.house.exports.delete(EXPORT)
    mill.house.leftovers.clear(EXPORT)
    return mill.go_on(run.id)


def is_queued_for_a_removed_export(mill: Mill) -> Run:
    run = begin(mill)
    mill.house.exports.delete(EXPORT)
    mill.house.leftovers.clear(EXPORT)
    return mill.go_on(run.id)


def holds_a_person_who_is_erased(mill: Mill) -> Run:
    run = waits(mill)
    mill.house.__dict__["erasures"] = Erasures(mill.house.erasures.records, lambda: bytes(32))
    mill.house.eraser.erase(next(iter(mill.audience.members())), in_mailchimp=False, by="")
    return mill.go_on(run.id)


WAYS: dict[Callable[[Mill], Run], tuple[RunStatus, str]] = {
    is_sent: (RunStatus.SUCCESSFUL, ""),
    is_previewed: (RunStatus.SUCCESSFUL, ""),
    is_canceled_in_the_queue: (RunStatus.CANCELED, "canceledBeforeSending"),
    is_canceled_while_planned: (RunStatus.CANCELED, "canceledBeforeSending"),
    is_canceled_while_sent: (RunStatus.CANCELED, "canceled"),
    fails_in_its_plan: (RunStatus.FAILED, "segmentMissing"),
    is_given_up_by_the_queue: (RunStatus.FAILED, "planFailed"),
    loses_its_connection: (RunStatus.FAILED, "disconnected"),
    loses_its_plan: (RunStatus.FAILED, "planGone"),
    does_not_move: (RunStatus.FAILED, "stalled"),
    is_confirmed: (RunStatus.SUCCESSFUL, ""),
    is_canceled_while_it_waits: (RunStatus.CANCELED, "canceledRemovals"),
    is_superseded: (RunStatus.COMPLETED_WITH_WARNINGS, "superseded"),
    is_not_confirmed_in_time: (RunStatus.CANCELED, "confirmationExpired"),
    waits_for_a_removed_export: (RunStatus.CANCELED, "exportRemoved"),
    is_queued_for_a_removed_export: (RunStatus.CANCELED, "exportRemoved"),
    holds_a_person_who_is_erased: (RunStatus.CANCELED, "erasedMeanwhile"),
}


def ends_logged(caplog: pytest.LogCaptureFixture, run: Run) -> list[str]:
    """The status in every `run.finished` of a run."""
    lines = [json.loads(record.message) for record in caplog.records]
    return [
        line["status"]
        for line in lines
        if line["event"] == "run.finished" and line["runId"] == run.id
    ]


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_an_end_is_logged_once(
    new_mill: NewMill, caplog: pytest.LogCaptureFixture, way: Callable[[Mill], Run]
) -> None:
    caplog.set_level("INFO", "shared.events")
    mill = new_mill()
    mill.define(SAMPLE)

    run = mill.house.runs.read(way(mill).id).value

    status, reason = WAYS[way]
    assert (run.status, run.reason.code if run.reason else "") == (status, reason)
    assert ends_logged(caplog, run) == [status.value]


def test_a_run_that_waits_is_logged_as_waiting_and_not_as_finished(
    new_mill: NewMill, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "shared.events")
    mill = new_mill()
    mill.define(SAMPLE)

    run = waits(mill)

    assert ends_logged(caplog, run) == []
    waiting = [json.loads(r.message) for r in caplog.records if "run.waiting" in r.message]
    assert [(one["runId"], one["reason"]) for one in waiting] == [(run.id, "removalGuard")]


def test_only_the_transitions_write_runs() -> None:
    writes = re.compile(r"runs\.(?:create|replace|delete)\(|update\(\s*self\._?runs\b")
    writing = {
        str(path.relative_to(SHARED))
        for path in SHARED.rglob("*.py")
        if writes.search(path.read_text())
    }

    assert writing == {"runs/transitions.py"}
