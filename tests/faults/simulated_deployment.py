"""A deployment simulated in one thread: the real app, a sandbox Mailchimp over HTTP, in-memory storage.

Messages are delivered one after the other, and the clock advances when no message is due. A killed
process is replaced by a new one on the same storage, and its leases expire. Everything goes by the
simulated clock, so no result depends on the speed of the machine.
"""

from __future__ import annotations

import tempfile
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import pytest
from duckdb import DuckDBPyConnection

from sandbox import samples
from sandbox.mailchimp.sandbox import AudienceView, Sandbox
from sandbox.persons import COLUMNS
from sandbox.samples import Sample
from shared import workspace
from shared.app import build
from shared.capacity import renewed_lease
from shared.errors import ConnectorError
from shared.mailchimp.gateway import MailchimpGateway
from shared.mailchimp.transport import RetryPolicy
from shared.messaging.messages import lane_message, lane_of, number_of, run_of
from shared.model.connection import Connection, ConnectionStatus, Consent, Grant, GrantKind
from shared.model.export import (
    AttributeMapping,
    Export,
    FieldToCreate,
    Mapping,
    Schedule,
    SegmentChoice,
)
from shared.model.names import PLAN_RUNS, SEND_LANES, outcomes_table
from shared.model.run import Mode, Run, RunStatus
from shared.model.source import Attribute, LoadedSegment, SegmentSnapshot, Snapshot, UnreadableRow
from shared.planning.writing import chunking as cut
from shared.runs.outcome_file import OutcomeFile
from shared.runtime import Runtime
from shared.sending import chunk_payload
from shared.settings import load
from tests import reused_databases
from tests.e2e.running_app import ContactState, actual_audience
from tests.fakes import (
    Clock,
    MemoryFiles,
    MemoryLeases,
    MemoryQueue,
    MemoryRecords,
    MemorySecrets,
    MemoryStore,
    Message,
    ProcessKilled,
    StoreClient,
)
from tests.inserted_rows import ONE_FILE, insert_rows

CONNECTION = "c1"
EXPORT = "e1"
CHUNK = 7
_MOST_DELIVERIES = 5
_LEASE_EXPIRY = 61.0
_WATCHDOG_INTERVAL = 301.0

MAPPING = Mapping(
    "EMail",
    "FirstName",
    "LastName",
    (AttributeMapping("RewardPoints", "POINTS", FieldToCreate("Points", "number")),),
)


class SampleSource:
    """Reads segments from a sample instead of files."""

    sample: Sample

    def snapshot(self, segments: Sequence[str]) -> Snapshot:
        attributes = tuple(Attribute(name, kind) for name, kind in COLUMNS)
        return Snapshot(
            tuple(SegmentSnapshot(s, s, attributes, (ONE_FILE,), "CustomerId") for s in segments)
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
        places = [[name for name, _ in COLUMNS].index(column) for column in columns]
        rows, unreadable = [], []
        for number in self.sample.numbers:
            if segment.name not in self.sample.member_of(number):
                continue
            flaw, who = self.sample.row(number)
            if flaw in (samples.SHORT, samples.LONG):
                code = "rowTooFewColumns" if flaw == samples.SHORT else "rowTooManyColumns"
                unreadable.append(UnreadableRow(segment.name, ONE_FILE.blob, number, code))
            else:
                rows.append((ONE_FILE.blob, number, *(who[place] or None for place in places)))
        insert_rows(connection, table, rows)
        return LoadedSegment(tuple(unreadable))


@dataclass(frozen=True)
class RunResult:
    """The result of a run; equal with and without injected faults."""

    audience: dict[str, ContactState]
    status: RunStatus
    counts: Any
    proof: Any
    segments: tuple[Any, ...]
    outcomes: Counter[tuple[Any, ...]]
    ledger: list[tuple[Any, ...]]


@dataclass(frozen=True)
class SavedDeployment:
    """The storage and the audience of a deployment at one moment."""

    tables: dict[str, dict[str, tuple[Any, str]]]
    containers: dict[str, dict[str, bytes]]
    messages: list[Message]
    leases: dict[str, tuple[object, float]]
    audience: AudienceView
    audience_state: dict[str, Any]


@dataclass
class SimulatedDeployment:
    """An app with one export. `process_count` counts the processes started so far.

    `read_timeout` is in seconds of real time: a test shortens it only if Mailchimp hangs in it, because
    a timeout moves the simulated clock.
    """

    sandbox: Sandbox
    monkeypatch: pytest.MonkeyPatch
    clock: Clock
    store: MemoryStore = field(init=False)
    audience: AudienceView = field(init=False)
    source: SampleSource = field(default_factory=SampleSource)
    deliver_twice: bool = False
    process_count: int = 0
    read_timeout: float = 60.0
    call: Callable[[Callable[[], Any]], Any] | None = None
    client: StoreClient = field(init=False)
    app: Any = field(init=False)

    def __post_init__(self) -> None:
        self.store = MemoryStore(self.clock)
        self.audience = self.sandbox.audience("Simulated deployment")
        # A second thread has nothing to do with so few rows, and takes a seventh of the time.
        self.monkeypatch.setattr(workspace, "_THREADS", 1)
        # Chunks of a few people, so that a small sample has many.
        self.monkeypatch.setattr(cut, "CHUNK_SIZE", CHUNK)
        # Threads would renew leases in real time, which a slow machine reaches and a fast one does not.
        self.monkeypatch.setattr(renewed_lease, "_RENEW_SECONDS", threading.TIMEOUT_MAX)
        # The outcomes of some chunks are in their records, those of others in blobs.
        self.monkeypatch.setattr(chunk_payload, "_LONGEST_RESULTS", 60)
        self.start_process()
        account = self.sandbox.account
        grant = Grant(GrantKind.API_KEY, "us1", account.id, "Sandbox", self.clock.now(), "Dev")
        consent = Consent("Dev", self.clock.now(), "en", "1")
        connection = Connection(
            CONNECTION, "Mailchimp", consent, status=ConnectionStatus.CONNECTED, grant=grant
        )
        self.app.connections.create(CONNECTION, connection)

    def start_process(self, kill_at: int | None = None, *, applied: bool = False) -> None:
        """Start a new process in place of the current one."""
        self.process_count += 1
        if self.process_count > 1:
            self.client.renews_leases = False  # killed, or it does nothing for a long time
        self.client = StoreClient(self.store, kill_at, applied=applied)
        self.client.renews_leases = True
        self.app = self.build(self.client, self.runtime())

    def saved(self) -> SavedDeployment:
        """Save the state of storage and of the audience, so that further tests can begin with it."""
        state = self.audience.state
        names = [one.name for one in fields(state) if one.name != "lock"]
        return SavedDeployment(
            {name: dict(rows) for name, rows in self.store.tables.items()},
            {name: dict(blobs) for name, blobs in self.store.containers.items()},
            [replace(message) for message in self.store.messages],
            dict(self.store.leases),
            self.audience,
            {name: deepcopy(getattr(state, name)) for name in names},
        )

    def restore(self, saved: SavedDeployment) -> None:
        """Begin with a saved state, in a first process."""
        self.store.tables = {name: dict(rows) for name, rows in saved.tables.items()}
        self.store.containers = {name: dict(blobs) for name, blobs in saved.containers.items()}
        self.store.messages = [replace(message) for message in saved.messages]
        self.store.leases = dict(saved.leases)
        self.audience = saved.audience
        for name, value in saved.audience_state.items():
            setattr(self.audience.state, name, deepcopy(value))
        self.process_count = 0
        self.start_process()

    def runtime(self) -> Runtime:
        """The runtime of a process: its clock is the simulated one, and waiting advances it."""
        clock = self.clock
        return Runtime(now=clock.now, monotonic=clock.seconds, sleep=clock.forward)

    def build(self, client: StoreClient, runtime: Runtime) -> Any:
        """Build an app on the storage and Mailchimp of this deployment."""
        settings = load(
            {
                "AzureWebJobsStorage": "UseDevelopmentStorage=true",
                "MAILCHIMP_API_URL": self.sandbox.api_url,
                "DEVELOPER_IDENTITY": "Dev <dev@localhost>; Administrator",
            }
        )
        outcomes = MemoryFiles(client, "outcomes")
        return build(
            settings,
            runtime,
            table=lambda name, _type, *columns: MemoryRecords(client, name, *columns),
            files=MemoryFiles(client),
            outcome_file=OutcomeFile(outcomes, "http://localhost", runtime.now),
            outcome_files=outcomes,
            queue=MemoryQueue(client),
            leases=MemoryLeases(client),
            secrets=MemorySecrets(client),
            mailchimp=self._mailchimp(client),
            source=self.source,
        )

    def _mailchimp(self, client: StoreClient) -> MailchimpGateway:
        deployment = self
        connections: MemoryRecords[Connection] = MemoryRecords(client, "connections")

        def connection(key: str) -> Connection | None:
            stored = connections.read(key)
            return stored.value if stored else None

        class ObservedGateway(MailchimpGateway):
            def open(self, *args: Any) -> Any:
                session = super().open(*args)
                http = session._transport._http
                request = http.request

                def called(*given: Any, **more: Any) -> Any:
                    if client.dead:
                        raise ProcessKilled
                    return deployment.called(client, lambda: request(*given, **more))

                http.request = called
                return session

        return ObservedGateway(
            connection,
            lambda _: self.sandbox.api_key,
            clock=self.clock.seconds,
            sleep=self.clock.forward,
            random=lambda: 0.5,
            api_url=self.sandbox.api_url,
            retry_policy=RetryPolicy(read=self.read_timeout),
        )

    def called(self, client: StoreClient, ask: Callable[[], Any]) -> Any:
        """Make a call to Mailchimp for the process of a client; subclasses inject faults."""
        return ask() if self.call is None else self.call(ask)

    def define(self, sample: Sample, **more: Any) -> None:
        """Set the sample that Customer Insights exports; the first call creates the export."""
        self.source.sample = sample
        export = Export(
            id=EXPORT,
            display_name="Simulated export",
            connection_id=CONNECTION,
            audience_id=self.audience.id,
            mapping=MAPPING,
            segments=tuple(SegmentChoice(segment.name) for segment in sample.segments),
            schedule=Schedule(enabled=False),
            **more,
        )
        if self.app.exports.read(EXPORT) is None:
            self.app.exports.create(EXPORT, export)

    def run(self, mode: Mode = Mode.EXPORT) -> Run:
        """Start a run and process messages until it ends."""
        return self.run_to_end(self.started(lambda: self.app.starter.start(EXPORT, mode=mode)).id)

    def undo(self, run: Run, *, archive_created: bool = False) -> Run:
        """Undo a run, and process messages until the undo ends."""
        started = self.started(lambda: self.app.undo.start(run.id, "Kim", archive_created))
        return self.run_to_end(started.id)

    def started(self, start: Callable[[], Run]) -> Run:
        """Call `start` until the process is not killed during the call."""
        while True:
            try:
                return start()
            except ProcessKilled:
                self._restart()

    def plan(self, run_id: str) -> None:
        """Plan a run. Its lanes wait in their queue, also if one lane is enough."""
        queue = self.app.queue
        replace(
            self.app.planner,
            run_lane=lambda run, lane: queue.send(SEND_LANES, lane_message(run, lane)),
        ).plan(run_id)

    def run_to_end(self, run_id: str, most_looks: int = 5) -> Run:
        """Deliver messages until the run ends; call the watchdog when no message is left."""
        looks = 0
        for _ in range(5000):
            try:
                run = self.app.runs.read(run_id)
                if run is None:  # killed between two writes of the start
                    self.app.starter.start(EXPORT)
                elif not run.value.is_active and not self._due():
                    return run.value
                if not self._deliver():
                    if run is not None and not run.value.is_active:
                        return run.value
                    looks += 1
                    assert looks < most_looks, f"the run hangs: {run.value if run else None}"
                    self.clock.forward(_WATCHDOG_INTERVAL)
                    self.app.watchdog.resume_stalled()
            except ProcessKilled:
                self._restart()
        message = "the run does not come to an end"
        raise AssertionError(message)

    def _restart(self) -> None:
        self.start_process()
        self.clock.forward(_LEASE_EXPIRY)

    def _due(self) -> list[Message]:
        return [m for m in self.store.messages if m.visible_at <= self.clock.seconds()]

    def _deliver(self) -> bool:
        """Advance the clock to the next message and deliver it; False without a message."""
        if not self.store.messages:
            return False
        message = min(self.store.messages, key=lambda m: m.visible_at)
        self.clock.forward(message.visible_at - self.clock.seconds())
        message.tries += 1
        message.visible_at = self.clock.seconds() + 60
        for _ in range(1 + self.deliver_twice):
            try:
                self._handle(self.app, message)
            except ConnectorError:
                message.visible_at = self.clock.seconds() + 1
                if message.tries < _MOST_DELIVERIES:
                    return True
                self._poison(self.app, message)
                break
        # The host deletes a message after it was processed, unless the process was killed.
        self.client.read(
            lambda: message in self.store.messages and self.store.messages.remove(message)
        )
        return True

    @staticmethod
    def _handle(app: Any, message: Message) -> None:
        if message.queue == PLAN_RUNS:
            app.planner.plan(run_of(message.body), number_of(message.body))
        else:
            app.lanes.run(*lane_of(message.body), number_of(message.body))

    @staticmethod
    def _poison(app: Any, message: Message) -> None:
        if message.queue == PLAN_RUNS:
            app.planner.give_up(run_of(message.body))
        else:
            app.watchdog.log_lane_given_up(lane_of(message.body)[0])

    def result_of(self, run: Run) -> RunResult:
        """Return the result of a run."""
        return RunResult(
            audience=actual_audience(self.audience),
            status=run.status,
            counts=run.counts,
            proof=run.consent_proof,
            segments=run.segments,
            outcomes=self._outcomes(run),
            ledger=self._ledger(),
        )

    def _outcomes(self, run: Run) -> Counter[tuple[Any, ...]]:
        rows = self._table(
            self.store.blobs[outcomes_table(run.id)],
            "customer_id, email, segments, outcome, code, field, file, line",
        )
        return Counter((*row[:2], tuple(row[2] or ()), *row[3:]) for row in rows)

    def _ledger(self) -> list[tuple[Any, ...]]:
        pointer = self.app.ledgers.read(EXPORT)
        rows = self._table(
            self.store.blobs[pointer.value.blob],
            "address, tags, customer_id, fingerprint, fields, refused, refused_code, tries",
        )
        names = {s.id: s.name for s in self.audience.state.segments.values()}
        return sorted(
            ((row[0], tuple(sorted(names[tag] for tag in row[1])), *row[2:]) for row in rows),
            key=repr,
        )

    @staticmethod
    def _table(parquet: bytes, columns: str) -> list[tuple[Any, ...]]:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "table.parquet"
            path.write_bytes(parquet)
            with reused_databases.connect() as db:
                return db.execute(f"SELECT {columns} FROM read_parquet(?)", [str(path)]).fetchall()


NewDeployment = Callable[[], SimulatedDeployment]
"""The type of the fixture `new_deployment`."""
