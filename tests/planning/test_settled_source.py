"""A run that no person started is planned while its files may still be written, and sends only settled ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

import pytest
from duckdb import DuckDBPyConnection

from shared.errors import InputError
from shared.model.export import AttributeMapping, FieldToCreate, Mapping, NewContacts
from shared.model.names import run_folder
from shared.model.run import Run, RunStatus, Trigger
from shared.model.source import LoadedSegment, SegmentSnapshot, Snapshot
from shared.planning.checking.guards import FEW_PEOPLE
from tests.faults.simulated_deployment import EXPORT, NewDeployment
from tests.inserted_rows import ONE_FILE
from tests.planning.row_deployment import Row, RowDeployment, RowSource, person


@dataclass
class FileSource(RowSource):
    """Every segment is one file. `while_read` is called when it is read, and `snapshots` has their times."""

    clock: Callable[[], datetime] = field(default=lambda: datetime.now(UTC))
    while_read: Callable[[], None] = lambda: None
    snapshots: list[datetime] = field(default_factory=list)
    written_at: datetime | None = None
    described_at: datetime | None = None
    _etags: count[int] = field(default_factory=count)
    _etag: int = 0

    def write(self, *rows: Row) -> None:
        self.segments = {"People": list(rows)}
        self.written_at, self._etag = self.clock(), next(self._etags)

    def snapshot(self, segments: Sequence[str]) -> Snapshot:
        self.snapshots.append(self.clock())
        file = replace(ONE_FILE, etag=str(self._etag), modified_at=self.written_at)
        found = super().snapshot(segments).segments
        changes = {"partitions": (file,), "described_at": self.described_at}
        return Snapshot(tuple(replace(segment, **changes) for segment in found))

    def load(
        self,
        connection: DuckDBPyConnection,
        segment: SegmentSnapshot,
        columns: Sequence[str],
        table: str,
        scratch: Path,
        *,
        consent: bool = False,
    ) -> LoadedSegment:
        loaded = super().load(connection, segment, columns, table, scratch, consent=consent)
        self.while_read()
        return loaded


@dataclass
class Refreshed:
    """A deployment with one export, and the file that it reads."""

    rows: RowDeployment
    source: FileSource

    def run(self, trigger: Trigger = Trigger.REFRESH) -> Run:
        deployment = self.rows.deployment
        run = deployment.started(lambda: deployment.app.starter.start(EXPORT, trigger))
        return deployment.run_to_end(run.id)

    def once(self, change: Callable[[], None]) -> None:
        """Make this change while the file is read for the first time."""
        changes = iter([change])
        self.source.while_read = lambda: next(changes, lambda: None)()


@pytest.fixture
def refreshed(new_deployment: NewDeployment) -> Refreshed:
    rows = RowDeployment(new_deployment())
    source = FileSource(columns=rows.columns, clock=rows.deployment.clock.now)
    rows.deployment.source = source  # type: ignore[assignment]
    rows.deployment.start_process()
    rows.define(new_contacts=NewContacts())
    return Refreshed(rows, source)


def people(number: int) -> list[Row]:
    return [person(each) for each in range(number)]


@pytest.mark.parametrize("trigger", [Trigger.REFRESH, Trigger.SCHEDULE])
def test_nothing_is_sent_before_the_files_have_not_changed_for_ten_seconds(
    refreshed: Refreshed, trigger: Trigger
) -> None:
    refreshed.source.write(*people(3))
    refreshed.rows.deployment.clock.forward(4)
    started = refreshed.rows.deployment.clock.now()

    run = refreshed.run(trigger)

    assert run.status is RunStatus.SUCCESSFUL
    pinned, checked = refreshed.source.snapshots
    assert pinned - started < timedelta(seconds=5)
    assert refreshed.source.written_at is not None
    waited = checked - refreshed.source.written_at
    assert timedelta(seconds=10) <= waited < timedelta(seconds=11)


def test_files_may_follow_for_ten_seconds_after_model_json(refreshed: Refreshed) -> None:
    clock = refreshed.rows.deployment.clock
    refreshed.source.write(*people(3))
    clock.forward(12)
    refreshed.source.described_at = clock.now()

    run = refreshed.run()

    assert run.status is RunStatus.SUCCESSFUL
    assert refreshed.source.snapshots[-1] - refreshed.source.described_at >= timedelta(seconds=10)


def test_a_model_json_that_is_written_again_is_waited_for_again(refreshed: Refreshed) -> None:
    clock = refreshed.rows.deployment.clock
    refreshed.source.write(*people(3))
    refreshed.source.described_at = clock.now()

    def describe_again() -> None:
        clock.forward(9)
        refreshed.source.described_at = clock.now()

    refreshed.once(describe_again)
    run = refreshed.run()

    assert run.status is RunStatus.SUCCESSFUL
    assert refreshed.source.snapshots[-1] - refreshed.source.described_at >= timedelta(seconds=10)


def test_a_file_that_is_written_while_it_is_read_is_read_again(refreshed: Refreshed) -> None:
    refreshed.source.write(*people(3))
    refreshed.once(lambda: refreshed.source.write(*people(5)))

    run = refreshed.run()

    assert run.status is RunStatus.SUCCESSFUL
    assert run.counts.created == 5
    assert len(refreshed.rows.deployment.audience.members()) == 5


def test_the_files_of_a_plan_that_is_made_again_are_deleted(refreshed: Refreshed) -> None:
    refreshed.source.write(*people(3))
    refreshed.run()
    refreshed.source.write(*people(4))
    refreshed.once(lambda: refreshed.source.write(*people(5)))

    run = refreshed.run()

    assert (run.status, run.counts.created) == (RunStatus.SUCCESSFUL, 2)
    names = refreshed.rows.deployment.app.files.names(f"{run_folder(run.id)}plan-")
    assert len({name.rpartition("/")[0] for name in names}) == 1


def test_no_merge_field_is_created_for_files_that_are_still_written(refreshed: Refreshed) -> None:
    sandbox, source = refreshed.rows.deployment.sandbox, refreshed.source
    answer = AttributeMapping("Consent", "ANSWER", FieldToCreate("Answer"))
    refreshed.rows.change(mapping=Mapping("EMail", attributes=(answer,)))
    source.write(*people(2))
    writes: list[int] = []

    def read() -> None:
        writes.append(sum(call.method == "POST" for call in sandbox.calls.last))
        if len(writes) == 1:
            source.write(*people(2))

    source.while_read = read
    sandbox.calls.clear()
    assert refreshed.run().status is RunStatus.SUCCESSFUL
    assert writes == [0, 0]


def test_half_a_refresh_does_not_ask_for_a_confirmation(refreshed: Refreshed) -> None:
    everyone = people(FEW_PEOPLE + 10)
    refreshed.rows.change(max_removal_share=0.1)
    refreshed.source.write(*everyone)
    assert refreshed.run().status is RunStatus.SUCCESSFUL
    refreshed.source.write(*everyone[:5])
    refreshed.once(lambda: refreshed.source.write(*everyone))

    run = refreshed.run()

    assert (run.status, run.counts.removed) == (RunStatus.SUCCESSFUL, 0)


def test_a_file_that_cannot_be_read_while_it_is_written_is_no_fault(refreshed: Refreshed) -> None:
    refreshed.source.write(*people(2))

    def half_written() -> None:
        refreshed.source.write(*people(2))
        raise InputError("fileNotLoaded", where="people.csv")

    refreshed.once(half_written)
    assert refreshed.run().counts.created == 2


def test_a_clock_that_is_behind_delays_a_run_by_ten_seconds_only(refreshed: Refreshed) -> None:
    refreshed.source.write(*people(2))
    refreshed.source.written_at += timedelta(hours=2)
    started = refreshed.rows.deployment.clock.now()
    run = refreshed.run()
    assert run.status is RunStatus.SUCCESSFUL
    assert refreshed.source.snapshots[-1] - started < timedelta(seconds=15)


def test_a_run_on_demand_does_not_wait(refreshed: Refreshed) -> None:
    refreshed.source.write(*people(2))
    assert refreshed.run(Trigger.ON_DEMAND).status is RunStatus.SUCCESSFUL
    assert len(refreshed.source.snapshots) == 1


def test_a_run_on_demand_does_not_combine_new_members_with_old_exclusions(
    refreshed: Refreshed,
) -> None:
    rows, source = refreshed.rows, refreshed.source
    rows.change(exclusion_segments=("Complaints",))
    source.write(*people(3))
    source.segments["Complaints"] = [person(0)]

    def write_exclusions() -> None:
        source.write(*people(3))
        source.segments["Complaints"] = [person(0), person(2)]

    refreshed.once(write_exclusions)

    run = refreshed.run(Trigger.ON_DEMAND)

    assert (run.status, run.counts.created) == (RunStatus.SUCCESSFUL, 1)
    assert list(rows.deployment.audience.members()) == ["p1@example.com"]
