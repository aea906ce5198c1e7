"""Every way to end a run logs `run.finished` once, and waiting for confirmation does not."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from sandbox.samples import Sample, Segment
from shared.errors import ConfigError, Unavailable
from shared.model.chunk import ChunkState
from shared.model.run import Mode, Run, RunStatus, run_columns
from shared.people.erasures import Erasures
from shared.runs.transitions import Transitions
from tests.fakes import MemoryRecords, ProcessKilled, StoreClient
from tests.faults.simulated_deployment import EXPORT, NewDeployment, SimulatedDeployment
from tests.logged_events import logged_events
from tests.runs.canceled_runs import canceled_when, chunk_states

SAMPLE = Sample(16, (Segment("A", 0.9),), seed=3)
FEWER = SAMPLE.later(leaving=12)
SHARED = Path(__file__).parents[2] / "shared"


def begin(deployment: SimulatedDeployment) -> Run:
    run: Run = deployment.app.starter.start(EXPORT)
    return run


def send(deployment: SimulatedDeployment) -> Run:
    return deployment.run()


def preview(deployment: SimulatedDeployment) -> Run:
    return deployment.run(Mode.PREVIEW)


def cancel_in_the_queue(deployment: SimulatedDeployment) -> Run:
    run = begin(deployment)
    deployment.app.commands.cancel(run.id)
    return deployment.run_to_end(run.id)


def cancel_while_planning(deployment: SimulatedDeployment) -> Run:
    return cancel_in(RunStatus.PLANNING, deployment)


def cancel_while_sending(deployment: SimulatedDeployment) -> Run:
    return cancel_in(RunStatus.SENDING, deployment)


def cancel_in(status: RunStatus, deployment: SimulatedDeployment) -> Run:
    run = begin(deployment)
    return canceled_when(
        deployment, run, lambda: deployment.app.runs.read(run.id).value.status is status
    )


def cancel_during_the_last_call(deployment: SimulatedDeployment) -> Run:
    run = begin(deployment)

    def is_last_call() -> bool:
        states = chunk_states(deployment, run)
        return bool(states) and ChunkState.PENDING not in states

    return canceled_when(deployment, run, is_last_call)


def cancel_before_the_first_call(deployment: SimulatedDeployment) -> Run:
    run = begin(deployment)
    deployment.plan(run.id)
    deployment.app.commands.cancel(run.id)
    return deployment.run_to_end(run.id)


def fail_to_plan(deployment: SimulatedDeployment) -> Run:
    def snapshot(_: object) -> object:
        raise ConfigError("segmentMissing", segments="A")

    deployment.source.snapshot = snapshot  # type: ignore[assignment,method-assign]
    return deployment.run()


def give_up_planning(deployment: SimulatedDeployment) -> Run:
    run = begin(deployment)
    deployment.app.planner.give_up(run.id)
    return deployment.run_to_end(run.id)


def wait_too_long_for_a_service(deployment: SimulatedDeployment) -> Run:
    def snapshot(_: object) -> object:
        raise Unavailable("noAnswer")

    deployment.source.snapshot = snapshot  # type: ignore[assignment,method-assign]
    return deployment.run()


def lose_the_connection(deployment: SimulatedDeployment) -> Run:
    run = begin(deployment)

    def call(ask: Callable[[], object]) -> object:
        if deployment.app.runs.read(run.id).value.status is RunStatus.SENDING:
            deployment.app.commands.stop_sending([EXPORT])
        return ask()

    deployment.call = call
    return deployment.run_to_end(run.id)


def lose_the_plan(deployment: SimulatedDeployment) -> Run:
    run = begin(deployment)
    # Lanes read the lines of many chunks at once, so the file has to be gone before the first lane.
    deployment.plan(run.id)
    for name in [name for name in deployment.store.blobs if name.endswith("lines.jsonl")]:
        del deployment.store.blobs[name]
    return deployment.run_to_end(run.id)


def stall(deployment: SimulatedDeployment) -> Run:
    run = begin(deployment)
    deployment.plan(run.id)
    deployment.store.messages.clear()
    for _ in range(80):
        deployment.clock.forward(301)
        deployment.app.watchdog.resume_stalled()
        deployment.store.messages.clear()
    return deployment.run_to_end(run.id)


def wait_for_confirmation(deployment: SimulatedDeployment) -> Run:
    """Start a run that waits for a confirmation of its removals."""
    deployment.run()
    deployment.define(FEWER)
    run = deployment.run()
    assert run.status is RunStatus.AWAITING_CONFIRMATION
    return run


def confirm(deployment: SimulatedDeployment) -> Run:
    run = wait_for_confirmation(deployment)
    deployment.app.commands.confirm(run.id)
    return deployment.run_to_end(run.id)


def cancel_while_waiting_for_confirmation(deployment: SimulatedDeployment) -> Run:
    run: Run = deployment.app.commands.cancel(wait_for_confirmation(deployment).id)
    return run


def supersede(deployment: SimulatedDeployment) -> Run:
    run = wait_for_confirmation(deployment)
    deployment.run()
    return deployment.run_to_end(run.id)


def let_the_confirmation_expire(deployment: SimulatedDeployment) -> Run:
    run = wait_for_confirmation(deployment)
    deployment.clock.forward(31 * 86_400)
    deployment.app.retention.delete_old_data()
    return deployment.run_to_end(run.id)


def remove_the_export_while_waiting(deployment: SimulatedDeployment) -> Run:
    run = wait_for_confirmation(deployment)
    deployment.app.exports.delete(EXPORT)
    deployment.app.leftovers.delete(EXPORT)
    return deployment.run_to_end(run.id)


def remove_the_export_while_queued(deployment: SimulatedDeployment) -> Run:
    run = begin(deployment)
    deployment.app.exports.delete(EXPORT)
    deployment.app.leftovers.delete(EXPORT)
    return deployment.run_to_end(run.id)


def erase_a_person_while_waiting(deployment: SimulatedDeployment) -> Run:
    run = wait_for_confirmation(deployment)
    deployment.app.__dict__["erasures"] = Erasures(
        deployment.app.erasures.records, lambda: bytes(32)
    )
    deployment.app.eraser.erase(
        next(iter(deployment.audience.members())), in_mailchimp=False, by=""
    )
    return deployment.run_to_end(run.id)


WAYS: dict[Callable[[SimulatedDeployment], Run], tuple[RunStatus, str]] = {
    send: (RunStatus.SUCCESSFUL, ""),
    preview: (RunStatus.SUCCESSFUL, ""),
    cancel_in_the_queue: (RunStatus.CANCELED, "canceledBeforeSending"),
    cancel_while_planning: (RunStatus.CANCELED, "canceledBeforeSending"),
    cancel_while_sending: (RunStatus.CANCELED, "canceled"),
    cancel_during_the_last_call: (RunStatus.CANCELED, "canceledAfterSending"),
    cancel_before_the_first_call: (RunStatus.CANCELED, "canceledBeforeSending"),
    fail_to_plan: (RunStatus.FAILED, "segmentMissing"),
    give_up_planning: (RunStatus.FAILED, "planFailed"),
    wait_too_long_for_a_service: (RunStatus.FAILED, "noAnswer"),
    lose_the_connection: (RunStatus.FAILED, "disconnected"),
    lose_the_plan: (RunStatus.FAILED, "planGone"),
    stall: (RunStatus.FAILED, "stalled"),
    confirm: (RunStatus.SUCCESSFUL, ""),
    cancel_while_waiting_for_confirmation: (RunStatus.CANCELED, "canceledRemovals"),
    supersede: (RunStatus.COMPLETED_WITH_WARNINGS, "superseded"),
    let_the_confirmation_expire: (RunStatus.CANCELED, "confirmationExpired"),
    remove_the_export_while_waiting: (RunStatus.CANCELED, "exportRemoved"),
    remove_the_export_while_queued: (RunStatus.CANCELED, "exportRemoved"),
    erase_a_person_while_waiting: (RunStatus.CANCELED, "erasedMeanwhile"),
}


def ends_logged(caplog: pytest.LogCaptureFixture, run: Run) -> list[str]:
    """The status in every `run.finished` of a run."""
    return [
        line["status"]
        for line in logged_events(caplog)
        if line["event"] == "run.finished" and line["runId"] == run.id
    ]


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_the_end_of_a_run_is_logged_once(
    new_deployment: NewDeployment,
    caplog: pytest.LogCaptureFixture,
    way: Callable[[SimulatedDeployment], Run],
) -> None:
    caplog.set_level("INFO", "shared.events")
    deployment = new_deployment()
    deployment.define(SAMPLE)

    run = deployment.app.runs.read(way(deployment).id).value

    status, reason = WAYS[way]
    assert (run.status, run.reason.code if run.reason else "") == (status, reason)
    assert ends_logged(caplog, run) == [status.value]


@pytest.mark.parametrize("applied", [False, True], ids=["before the mark", "after the mark"])
def test_the_tick_logs_the_end_of_a_run_whose_process_was_killed(
    new_deployment: NewDeployment, caplog: pytest.LogCaptureFixture, applied: bool
) -> None:
    caplog.set_level("INFO", "shared.events")
    deployment = new_deployment()
    deployment.define(SAMPLE)
    run = begin(deployment)
    process = StoreClient(deployment.store, kill_at=2, applied=applied)  # the end, then the mark
    runs: MemoryRecords[Run] = MemoryRecords(process, "runs", run_columns)
    with pytest.raises(ProcessKilled):
        Transitions(runs, deployment.clock.now).cancel(run.id, lambda: False)
    caplog.clear()  # the killed process may have logged it to nowhere

    deployment.app.retention.delete_old_data()
    assert ends_logged(caplog, run) == []  # it may still be alive
    for _ in range(2):
        deployment.clock.forward(200)
        deployment.app.retention.delete_old_data()

    assert ends_logged(caplog, run) == ([] if applied else ["canceled"])
    ended = deployment.app.runs.read(run.id).value
    assert (ended.status, ended.end_logged) == (RunStatus.CANCELED, True)


def test_a_run_awaiting_confirmation_is_logged_as_waiting_and_not_as_finished(
    new_deployment: NewDeployment, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "shared.events")
    deployment = new_deployment()
    deployment.define(SAMPLE)

    run = wait_for_confirmation(deployment)

    assert ends_logged(caplog, run) == []
    waiting = [one for one in logged_events(caplog) if one["event"] == "run.waiting"]
    assert [(one["runId"], one["reason"]) for one in waiting] == [(run.id, "removalGuard")]


def test_only_the_transitions_write_runs() -> None:
    writes = re.compile(r"runs\.(?:create|replace|delete)\(|update\(\s*self\._?runs\b")
    writing = {
        str(path.relative_to(SHARED))
        for path in SHARED.rglob("*.py")
        if writes.search(path.read_text())
    }

    assert writing == {"runs/transitions.py"}
