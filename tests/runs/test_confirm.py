"""Confirming a run whose export was detached, whose files changed, or that someone cancels or replaces at the same moment."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from shared.errors import Changed, Conflict, Unavailable
from shared.model.exclusions import ExclusionList
from shared.model.export import GrowthGuard
from shared.model.finding import Reason
from shared.model.run import Mode, Run, RunStatus, Trigger
from shared.runs.confirmation import question_of
from shared.runs.plan_store import PlanStore
from tests.faults.simulated_deployment import CONNECTION, EXPORT, NewDeployment
from tests.logged_events import logged_events
from tests.planning.row_deployment import RowDeployment, person


@pytest.fixture
def rows(new_deployment: NewDeployment) -> RowDeployment:
    made = RowDeployment(new_deployment())
    made.define(max_removal_share=0.1)
    made.run(*(person(n) for n in range(3)))
    return made


def test_a_waiting_run_of_a_detached_export_is_not_continued(rows: RowDeployment) -> None:
    commands = rows.deployment.app.commands
    waiting = rows.run(person(0))
    rows.change(connection_id=None)

    with pytest.raises(Conflict) as refused:
        commands.confirm(waiting.id)

    assert refused.value.code == "noConnection"
    assert commands.read(waiting.id).status is RunStatus.AWAITING_CONFIRMATION
    rows.change(connection_id=CONNECTION)
    commands.confirm(waiting.id)
    assert rows.deployment.run_to_end(waiting.id).counts.removed == 2


def test_a_confirmation_does_not_change_when_a_run_was_started(
    rows: RowDeployment, caplog: pytest.LogCaptureFixture
) -> None:
    commands, clock = rows.deployment.app.commands, rows.deployment.clock
    waiting = rows.run(person(0))
    clock.forward(86_400)
    confirmed = commands.confirm(waiting.id)
    caplog.clear()

    with caplog.at_level(logging.INFO, "shared.events"):
        ended = rows.deployment.run_to_end(waiting.id)

    assert (confirmed.queued_at, ended.queued_at) == (waiting.queued_at, waiting.queued_at)
    assert ended.confirmed_at is not None
    assert clock.now() - ended.confirmed_at < timedelta(hours=1)
    [event] = [one for one in logged_events(caplog) if one["event"] == "run.finished"]
    # How long the person took does not count.
    assert event["seconds"] < 3_600
    assert event["planSeconds"] is None
    assert event["sendSeconds"] is None
    assert (ended.seconds or 0) < 3_600


def test_a_run_that_is_left_unconfirmed_did_not_take_longer_because_it_waited(
    rows: RowDeployment,
) -> None:
    waiting = rows.run(person(0))
    took = waiting.seconds
    rows.deployment.clock.forward(86_400)

    canceled = rows.deployment.app.commands.cancel(waiting.id)

    assert canceled.seconds == pytest.approx(took, abs=1)


def test_a_late_confirmation_is_no_sign_of_a_slow_account(
    rows: RowDeployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.finishing.finish_steps._LEAST_MEASURED", 1)
    pace = rows.deployment.app.pace
    rows.while_sending(lambda _: rows.deployment.clock.forward(5))
    waiting = rows.run(person(0), *(person(n) for n in range(3, 50)))
    account = rows.deployment.app.plans.get(waiting.id).account_id
    measured = pace.people_per_second(account)
    assert measured is not None
    rows.deployment.clock.forward(60)
    rows.deployment.app.commands.confirm(waiting.id)

    assert rows.deployment.run_to_end(waiting.id).counts.removed == 2

    assert pace.people_per_second(account) == measured


def test_a_run_that_asks_something_else_while_it_is_confirmed_waits_again(
    rows: RowDeployment,
) -> None:
    commands = rows.deployment.app.commands
    rows.change(growth_guard=GrowthGuard(max_contacts=5))
    waiting = rows.run(*(person(n) for n in range(10)))
    shown = question_of(waiting)

    def check(run: Run) -> None:
        if question_of(run) != shown:
            raise Changed("questionChanged")
        # Another person confirms it first, and more people are new by now.
        rows.source.segments["People"] = [person(n) for n in range(20)]
        commands.confirm(waiting.id)
        rows.deployment.run_to_end(waiting.id)

    with pytest.raises(Changed):
        commands.confirm(waiting.id, check)

    again = commands.read(waiting.id)
    assert again.status is RunStatus.AWAITING_CONFIRMATION
    assert again.reason == Reason("growthGuard", {"people": "17", "allowed": "5"})
    commands.confirm(waiting.id)
    assert rows.deployment.run_to_end(waiting.id).counts.created == 17


def test_removals_are_planned_again_if_the_files_changed_before_the_confirmation(
    rows: RowDeployment,
) -> None:
    commands = rows.deployment.app.commands
    waiting = rows.run(person(0))
    rows.source.segments["People"] = [person(n) for n in range(3)]
    rows.source.etag = "2"

    started = commands.confirm(waiting.id)

    assert started.id != waiting.id
    assert commands.read(waiting.id).reason == Reason("superseded")
    assert rows.deployment.run_to_end(started.id).status is RunStatus.SUCCESSFUL
    assert [rows.tags(n) for n in range(3)] == [frozenset({"People"})] * 3


def test_removals_of_a_retry_are_planned_again_if_the_files_changed(rows: RowDeployment) -> None:
    commands = rows.deployment.app.commands
    canceled = commands.cancel(rows.run(person(0)).id)
    waiting = rows.deployment.run_to_end(commands.retry(canceled.id, "Dev").id)
    assert waiting.reason is not None
    assert waiting.reason.code == "removalGuard"
    rows.source.segments["People"] = [person(n) for n in range(3)]
    rows.source.etag = "2"

    started = commands.confirm(waiting.id)

    assert (started.id != waiting.id, started.retry_of) == (True, canceled.id)
    assert rows.deployment.run_to_end(started.id).counts.removed == 0
    assert [rows.tags(n) for n in range(3)] == [frozenset({"People"})] * 3


def test_removals_are_planned_again_if_the_list_of_excluded_people_changed(
    rows: RowDeployment,
) -> None:
    app = rows.deployment.app
    waiting = rows.run(person(0))
    app.exclusion_lists.write(EXPORT, ExclusionList(("p0@example.com",), ()))

    assert app.commands.confirm(waiting.id).id != waiting.id


@pytest.mark.parametrize("left", [None, b"{]"])
def test_removals_are_planned_again_if_the_plan_is_missing_or_damaged(
    rows: RowDeployment, left: bytes | None
) -> None:
    app, blobs = rows.deployment.app, rows.deployment.store.blobs
    waiting = rows.run(person(0))
    # Another process, which has no plans in memory.
    commands = replace(app.commands, plan_of=PlanStore(app.files).get)
    for name in [name for name in blobs if waiting.id in name and name.endswith("plan.json")]:
        del blobs[name]
        if left is not None:
            blobs[name] = left

    started = commands.confirm(waiting.id)

    assert started.id != waiting.id
    assert commands.read(waiting.id).reason == Reason("superseded")
    again = rows.deployment.run_to_end(started.id)
    assert again.status is RunStatus.AWAITING_CONFIRMATION
    commands.confirm(again.id)
    assert rows.deployment.run_to_end(again.id).counts.removed == 2


def test_removals_of_a_segment_that_is_gone_are_not_carried_out(rows: RowDeployment) -> None:
    commands = rows.deployment.app.commands
    waiting = rows.run(person(0))
    del rows.source.segments["People"]

    ended = rows.deployment.run_to_end(commands.confirm(waiting.id).id)

    assert (ended.status, ended.counts.removed) == (RunStatus.FAILED, 0)
    assert ended.reason == Reason("segmentNotFound", {"segment": "People"})


def test_a_confirmation_while_files_cannot_be_read_changes_nothing(rows: RowDeployment) -> None:
    commands = rows.deployment.app.commands
    waiting = rows.run(person(0))

    def fail(_: str) -> str:
        raise Unavailable("storageNoAnswer", resource="fake", error="Lost")

    with pytest.raises(Unavailable):
        replace(commands, source_of=fail).confirm(waiting.id)

    assert commands.read(waiting.id).status is RunStatus.AWAITING_CONFIRMATION


def test_a_run_that_is_canceled_during_its_confirmation_leaves_its_slots_to_others(
    rows: RowDeployment,
) -> None:
    app = rows.deployment.app
    waiting = rows.run(person(0))

    class CanceledAfterJoining:
        leave = app.pace.leave

        def join(self, *run: Any) -> None:
            app.pace.join(*run)
            app.commands.cancel(waiting.id)

    run = replace(app.commands, pace=CanceledAfterJoining()).confirm(waiting.id)

    assert run.status is RunStatus.CANCELED
    [(pace, _)] = rows.deployment.store.tables["paces"].values()
    assert pace.runs == ()


def test_a_run_that_is_confirmed_while_another_one_starts_is_not_replaced(
    rows: RowDeployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = rows.deployment.app
    waiting = rows.run(person(0))
    transitions = app.transitions

    class ConfirmedBefore:
        create = transitions.create
        now = transitions.now

        def close_waiting(self, run_id: str, *more: Any) -> Any:
            app.commands.confirm(run_id)
            return transitions.close_waiting(run_id, *more)

    monkeypatch.setattr(app.starter, "_transitions", ConfirmedBefore())

    started = app.starter.start(EXPORT, Trigger.ON_DEMAND)

    assert started.id == waiting.id
    assert len(list(app.runs.all())) == 2
    assert rows.deployment.run_to_end(waiting.id).counts.removed == 2


def test_a_preview_does_not_replace_a_run_that_waits(rows: RowDeployment) -> None:
    app = rows.deployment.app
    waiting = rows.run(person(0))

    with pytest.raises(Conflict) as refused:
        app.starter.start(EXPORT, Trigger.ON_DEMAND, Mode.PREVIEW)

    assert refused.value.code == "otherRunWaits"
    app.commands.confirm(waiting.id)
    assert rows.deployment.run_to_end(waiting.id).counts.removed == 2


def test_a_retry_and_an_undo_of_another_run_do_not_replace_a_run_that_waits(
    rows: RowDeployment,
) -> None:
    app, sandbox = rows.deployment.app, rows.deployment.sandbox
    sandbox.set(refused_domains=frozenset({"refused.example"}))
    refused_row = person(3, EMail="p3@refused.example")
    sent = rows.run(*(person(n, FirstName="New") for n in range(3)), refused_row)
    sandbox.set(refused_domains=frozenset())
    rows.change(growth_guard=GrowthGuard(max_contacts=1))
    waiting = rows.run(*(person(n, FirstName="New") for n in range(9)))
    assert waiting.status is RunStatus.AWAITING_CONFIRMATION

    for start in (
        lambda: app.commands.retry(sent.id, "Dev"),
        lambda: app.undo.start(sent.id, "Dev", archive_created=False),
    ):
        with pytest.raises(Conflict) as refused:
            start()
        assert refused.value.code == "otherRunWaits"

    assert app.commands.read(waiting.id).status is RunStatus.AWAITING_CONFIRMATION
    app.commands.cancel(waiting.id)
    assert app.commands.retry(sent.id, "Dev").retry_of == sent.id
