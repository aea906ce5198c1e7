"""The reads of the timer and of an erasure do not grow with the number of past runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sandbox.samples import Sample, Segment
from shared.model.export import Repeat, Schedule
from shared.model.ids import run_id_at
from shared.model.run import REMOVAL_GUARD, RunStatus, Trigger, run_columns
from shared.runs.history import RunFilter
from tests.fakes import MemoryFiles, MemoryRecords
from tests.faults.simulated_deployment import EXPORT, NewDeployment, SimulatedDeployment

SAMPLE = Sample(16, (Segment("A", 1.0),), seed=5)
PAST = 10_000
EXPORTS = 20


@pytest.fixture
def deployment(new_deployment: NewDeployment) -> SimulatedDeployment:
    deployment = new_deployment()
    deployment.define(SAMPLE)
    return deployment


class Reads:
    """Counts the reads of records, and the calls for files."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.records = self.files = 0
        query, read, download, names = (
            MemoryRecords.all,
            MemoryFiles.read,
            MemoryFiles.download,
            MemoryFiles.names,
        )

        def all_(records: Any, *given: Any, **more: Any) -> Iterator[Any]:
            for stored in query(records, *given, **more):
                self.records += 1
                yield stored

        def file(do: Callable[..., Any]) -> Callable[..., Any]:
            def counted(*given: Any, **more: Any) -> Any:
                self.files += 1
                return do(*given, **more)

            return counted

        monkeypatch.setattr(MemoryRecords, "all", all_)
        monkeypatch.setattr(MemoryFiles, "read", file(read))
        monkeypatch.setattr(MemoryFiles, "download", file(download))
        monkeypatch.setattr(MemoryFiles, "names", file(names))

    def during(self, work: Callable[[], object]) -> tuple[int, int]:
        before = self.records, self.files
        work()
        return self.records - before[0], self.files - before[1]


def add_history(deployment: SimulatedDeployment) -> None:
    """Runs of years, whose files are deleted."""
    template = next(iter(deployment.app.runs.all())).value
    long_ago = deployment.clock.now() - timedelta(days=400)
    table = deployment.store.tables["runs"]
    for number in range(PAST):
        past = replace(
            template, id=f"f{number:019x}", finished_at=long_ago, cleared=True, queued_at=long_ago
        )
        table[past.id] = (past, "1")


def test_the_timer_and_an_erasure_read_no_runs_of_the_past(
    deployment: SimulatedDeployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    deployment.run()
    deployment.run()
    app = deployment.app
    app.__dict__["erasures"] = type(app.erasures)(app.erasures.records, lambda: bytes(32))
    first, second = list(deployment.audience.members())[:2]
    reads = Reads(monkeypatch)

    def tick() -> None:
        app.watchdog.resume_stalled()
        app.retention.delete_old_data()
        app.leftovers.sweep()
        app.scheduled_starts.start_due()
        app.eraser.complete()

    ticked = reads.during(tick)
    erased = reads.during(lambda: app.eraser.erase(first, in_mailchimp=False, by=""))
    add_history(deployment)

    assert reads.during(tick) <= (ticked[0] + 5, ticked[1])
    after = reads.during(lambda: app.eraser.erase(second, in_mailchimp=False, by=""))
    assert after[0] <= erased[0] + 5
    assert after[1] <= erased[1] + 5


def test_the_timer_reads_no_runs_whose_files_are_still_kept(
    deployment: SimulatedDeployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Many exports with many runs a day have tens of thousands of them."""
    run = deployment.run()
    app, clock = deployment.app, deployment.clock
    recent = clock.now() - timedelta(days=20)
    table = deployment.store.tables["runs"]
    for number in range(PAST):
        past = replace(
            run, id=run_id_at(recent, f"{number:09x}"), export_id=f"other{number % EXPORTS}"
        )
        table[past.id] = (replace(past, finished_at=recent), "1")
    export = app.exports.read(run.export_id)
    daily = Schedule(repeat=Repeat.DAILY, times=("06:00",))
    for number in range(EXPORTS):
        app.exports.create(
            f"other{number}", replace(export.value, id=f"other{number}", schedule=daily)
        )
    reads = Reads(monkeypatch)

    # Every export is started once, and is found overdue two days later.
    started = reads.during(app.scheduled_starts.start_due)
    clock.forward(3 * 86_400)
    overdue = reads.during(app.scheduled_starts.start_due)
    kept = reads.during(app.retention.delete_old_data)

    assert started[0] < 2 * EXPORTS
    assert overdue[0] < 5 * EXPORTS
    assert kept[0] < EXPORTS + 10


def test_a_confirmation_reads_and_writes_no_chunks(
    deployment: SimulatedDeployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    deployment.run()
    deployment.define(SAMPLE.later(leaving=14))
    waiting = deployment.run()
    assert waiting.status is RunStatus.AWAITING_CONFIRMATION
    chunks = deployment.store.tables["chunks"]
    before = dict(chunks)
    reads = Reads(monkeypatch)

    records, _ = reads.during(lambda: deployment.app.commands.confirm(waiting.id))

    assert records == 0
    assert chunks == before
    ended = deployment.run_to_end(waiting.id)
    assert ended.status is RunStatus.SUCCESSFUL
    assert ended.counts.removed == 14
    assert REMOVAL_GUARD in ended.confirmed
    assert run_columns(ended)["stage"] == "stored"


def test_lists_of_exports_and_runs_read_no_runs_of_the_past(
    deployment: SimulatedDeployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    newest = deployment.run()
    app, export_id = deployment.app, newest.export_id
    for number in range(2):
        copy = replace(app.exports.read(export_id).value, id=f"copy-{number}")
        app.exports.create(copy.id, copy)
    add_history(deployment)
    reads = Reads(monkeypatch)

    def list_exports() -> None:
        last = app.history.last_runs(stored.value.id for stored in app.exports.all())
        assert {export: run.id for export, run in last.items()} == {export_id: newest.id}

    exports_and_newest_runs = len(list(app.exports.all())) + 1
    assert reads.during(list_exports)[0] == exports_and_newest_runs
    assert reads.during(lambda: app.history.last_run(export_id))[0] == 0


def test_chunks_are_not_read_to_find_out_whether_a_run_is_active(
    deployment: SimulatedDeployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    history, reads = deployment.app.history, Reads(monkeypatch)
    active: list[bool] = []
    records: list[int] = []

    def call(ask: Callable[[], Any]) -> Any:
        records.append(reads.during(lambda: active.append(history.has_active_run(EXPORT)))[0])
        return ask()

    deployment.call = call
    deployment.run()

    assert set(active) == {True}
    assert set(records) == {0}


def test_runs_since_a_time_are_found_without_reading_earlier_ones(
    deployment: SimulatedDeployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    deployment.run()
    add_history(deployment)
    deployment.clock.forward(3600)
    run = deployment.run()
    history, reads = deployment.app.history, Reads(monkeypatch)
    found: list[Any] = []

    records, _ = reads.during(
        lambda: found.extend(history.newest(RunFilter(EXPORT, since=run.queued_at), 40))
    )

    assert ([one.id for one in found], records) == ([run.id], 1)


def test_runs_are_read_page_by_page_with_filters(deployment: SimulatedDeployment) -> None:
    started = []
    for trigger in (Trigger.SCHEDULE, Trigger.ON_DEMAND, Trigger.SCHEDULE, Trigger.REFRESH):
        deployment.clock.forward(3600)
        run = deployment.app.starter.start(EXPORT, trigger)
        started.append(deployment.run_to_end(run.id))
    newest_first = [run.id for run in reversed(started)]
    newest = deployment.app.history.newest

    def ids(wanted: RunFilter, top: int = 10, after: str = "") -> list[str]:
        return [run.id for run in newest(wanted, top, after)]

    assert ids(RunFilter()) == newest_first
    assert ids(RunFilter(), 2) == newest_first[:2]
    assert ids(RunFilter(), 2, newest_first[1]) == newest_first[2:]
    assert ids(RunFilter(trigger=Trigger.SCHEDULE)) == [newest_first[1], newest_first[3]]
    assert ids(RunFilter(export_id="other")) == []
    assert ids(RunFilter(status=started[3].status, trigger=Trigger.REFRESH)) == newest_first[:1]
    second = started[1].queued_at
    assert ids(RunFilter(since=second)) == newest_first[:3]
    assert ids(RunFilter(until=second)) == newest_first[3:]
    early, late = (datetime(year, 1, 1, tzinfo=UTC) for year in (1, 9999))
    assert ids(RunFilter(since=early, until=late)) == newest_first
    assert ids(RunFilter(since=late)) == ids(RunFilter(until=early)) == []
