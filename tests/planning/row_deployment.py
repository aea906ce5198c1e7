"""A simulated deployment whose segments are lists of rows that a test writes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from duckdb import DuckDBPyConnection

from shared.errors import ConfigError
from shared.model.export import Export, Mapping, NewContacts, Schedule, SegmentChoice
from shared.model.names import outcomes_table
from shared.model.run import Mode, Run, RunStatus
from shared.model.source import (
    Attribute,
    LoadedSegment,
    SegmentSnapshot,
    Snapshot,
    UnreadableRow,
)
from tests.faults.simulated_deployment import CONNECTION, EXPORT, SimulatedDeployment
from tests.inserted_rows import ONE_FILE, insert_rows

Row = dict[str, str]


@dataclass
class RowSource:
    """Reads segments from dictionaries; a column that a row does not have is empty. A new `etag` is that of new files."""

    segments: dict[str, list[Row]] = field(default_factory=dict)
    columns: tuple[str, ...] = ()
    unreadable: tuple[UnreadableRow, ...] = ()
    etag: str = ONE_FILE.etag

    def snapshot(self, segments: Sequence[str]) -> Snapshot:
        attributes = tuple(Attribute(name, "string") for name in self.columns)
        files = (replace(ONE_FILE, etag=self.etag),)
        for name in segments:
            if name not in self.segments:
                raise ConfigError("segmentNotFound", segment=name)
        return Snapshot(
            tuple(SegmentSnapshot(s, s, attributes, files, "CustomerId") for s in segments)
        )

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
        rows = [
            (ONE_FILE.blob, line, *(row.get(column) or None for column in columns))
            for line, row in enumerate(self.segments[segment.name], start=2)
        ]
        insert_rows(connection, table, rows)
        return LoadedSegment(tuple(row for row in self.unreadable if row.segment == segment.name))


def person(number: int, consent: str = "yes", **values: str) -> Row:
    """A row of person `number`."""
    return {
        "CustomerId": str(number),
        "EMail": f"p{number}@example.com",
        "FirstName": f"P{number}",
        "Consent": consent,
        **values,
    }


@dataclass
class RowDeployment:
    """A deployment with one export of the segment `People`, with a consent attribute."""

    deployment: SimulatedDeployment
    columns: tuple[str, ...] = ("CustomerId", "EMail", "FirstName", "Consent")

    def __post_init__(self) -> None:
        self.source = RowSource(columns=self.columns)
        self.deployment.source = self.source  # type: ignore[assignment]
        self.deployment.start_process()

    def define(self, **more: Any) -> None:
        """Create the export, or change it."""
        base: dict[str, Any] = {
            "mapping": Mapping("EMail", "FirstName"),
            "segments": (SegmentChoice("People"),),
            "new_contacts": NewContacts(consent_attribute="Consent"),
            "max_removal_share": 1.0,
        }
        export = Export(
            id=EXPORT,
            display_name="Simulated export",
            connection_id=CONNECTION,
            audience_id=self.deployment.audience.id,
            schedule=Schedule(enabled=False),
            **{**base, **more},
        )
        exports = self.deployment.app.exports
        stored = exports.read(EXPORT)
        if stored is None:
            exports.create(EXPORT, export)
        else:
            exports.replace(EXPORT, export, stored.etag)

    def change(self, **more: Any) -> None:
        """Change some fields of the export."""
        exports = self.deployment.app.exports
        stored = exports.read(EXPORT)
        exports.replace(EXPORT, replace(stored.value, **more), stored.etag)

    def run(self, *rows: Row, **segments: list[Row]) -> Run:
        """Customer Insights writes the segment People and others, and the export runs."""
        self.source.segments = {"People": list(rows), **segments}
        return self.deployment.run()

    def preview(self, *rows: Row, **segments: list[Row]) -> Run:
        """Customer Insights writes the segment People and others, and a preview of the export runs."""
        self.source.segments = {"People": list(rows), **segments}
        return self.deployment.run(Mode.PREVIEW)

    def confirm(self, run: Run) -> Run:
        """Confirm a run, and process messages until it ends or waits again."""
        commands = self.deployment.app.commands
        confirmed = self.deployment.started(lambda: commands.confirm(run.id))
        return self.deployment.run_to_end(confirmed.id)

    def while_sending(self, change: Callable[[Run], object]) -> list[bool]:
        """Make a change before the first call while the newest run sends; returns a list that is empty until then."""
        changed: list[bool] = []

        def call(ask: Callable[[], Any]) -> Any:
            run = next(stored.value for stored in self.deployment.app.runs.all())
            if run.status is RunStatus.SENDING and not changed:
                changed.append(True)
                change(run)
            return ask()

        self.deployment.call = call
        return changed

    def after_first_batch(self, change: Callable[[], object]) -> list[bool]:
        """Make a change after the next response to a batch call; returns a list that is empty until then."""
        calls = self.deployment.sandbox.calls
        changed: list[bool] = []

        def call(ask: Callable[[], Any]) -> Any:
            before = calls.count("POST", "/lists/{list_id}")
            answer = ask()
            if calls.count("POST", "/lists/{list_id}") > before and not changed:
                changed.append(True)
                change()
            return answer

        self.deployment.call = call
        return changed

    def outcomes(self, run: Run) -> dict[str, tuple[str, str | None]]:
        """Outcome and code of each address."""
        rows = self.deployment._table(
            self.deployment.store.blobs[outcomes_table(run.id)], "email, outcome, code"
        )
        return {address: (outcome, code) for address, outcome, code in rows}

    def status(self, number: int) -> str:
        """The status of a person in the audience."""
        return self.deployment.audience.members()[f"p{number}@example.com"].status

    def tags(self, number: int) -> frozenset[str]:
        return self.deployment.audience.members()[f"p{number}@example.com"].tags

    def values(self, number: int) -> dict[str, Any]:
        """The values of the merge fields of a person in the audience."""
        return dict(self.deployment.audience.members()[f"p{number}@example.com"].merge_fields)


def codes(run: Run) -> dict[str, dict[str, str]]:
    """The findings of a run: code and values."""
    return {finding.code: finding.values for finding in run.findings}


def proof(run: Run) -> dict[str, tuple[int, int, int, int]]:
    """Before, after, by the run and by others, for each status with a contact."""
    return {
        one.status: (one.before, one.after, one.by_run, one.by_others)
        for one in run.proof
        if one.before or one.after
    }
