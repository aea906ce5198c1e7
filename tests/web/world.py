"""The services of the web interface in memory: records with ETags, an account behind each key, runs."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from shared.connections.connections import Connections
from shared.connections.sign_in import SignIns
from shared.connections.sign_in_state import SignedStates
from shared.errors import ConfigError, Conflict, Disconnected, Fault, NotFound, Refused
from shared.exports.definitions import Definitions
from shared.model.audience import Account, Audience, CallCounts, MergeField
from shared.model.connection import CheckedGrant, Connection, ExportUser
from shared.model.consent import ConsentState
from shared.model.export import Export, Schedule
from shared.model.figures import Progress
from shared.model.finding import Reason
from shared.model.one_person import ChosenPerson, SentPerson
from shared.model.ports import Records
from shared.model.preview import SamplePerson
from shared.model.run import Mode, Run, RunStatus, Trigger
from shared.people.erasures import Erasure
from shared.people.exclusion_lists import ExclusionLists
from shared.people.search import PersonInExport
from shared.planning.archiving.contact_use import ContactUse, UnusedOfExport
from shared.previews.differences import Difference
from shared.runs.history import RunFilter
from shared.runs.outcomes import OutcomePage, OutcomeReason, OutcomeRow
from shared.runs.start import RunOptions
from shared.segments.choosing.catalogue import (
    AttributeInfo,
    ListedSegments,
    SegmentInfo,
    SegmentSample,
)
from shared.web.app import create_app
from shared.web.audit_entry import AuditEntry
from shared.web.authentication import Authenticator, Principal, Role
from shared.web.services import Services
from tests.fakes import Clock, MemoryFiles, MemoryStore, StoreClient, VisibleRecords

T = TypeVar("T")

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
KEY = "0123456789abcdef0123456789abcdef-us21"
PUBLIC_URL = "http://localhost:7071"
OTHER_KEY = "fedcba9876543210fedcba9876543210-us7"


class VisibleSecrets:
    """Secrets whose names and values a test can see."""

    def __init__(self) -> None:
        self.kept: dict[str, str] = {}

    def put(self, name: str, value: str) -> None:
        self.kept[name] = value

    def delete(self, name: str) -> None:
        self.kept.pop(name, None)


@dataclass
class FakeAccount:
    """A Mailchimp account: its audiences, and whether its grant still holds."""

    account: Account
    audiences: list[Audience]
    fields: dict[str, list[MergeField]]
    revoked: bool = False
    saved_segments: list[str] = field(default_factory=list)
    deleted: set[str] = field(default_factory=set)


def fake_accounts() -> dict[str, FakeAccount]:
    newsletter = Audience("a1b2c3d4e5", "Newsletter", 1200, True)
    fields = [MergeField(1, "FNAME", "First Name", "text", False, {"size": 25})]
    return {
        KEY: FakeAccount(Account("acc-1", "Contoso"), [newsletter], {"a1b2c3d4e5": fields}),
        OTHER_KEY: FakeAccount(Account("acc-2", "Fabrikam"), [], {}),
    }


class FakeSignIns:
    """Mailchimp's sign-in: a key or a code is valid when it belongs to an account."""

    def __init__(self, known: dict[str, FakeAccount]) -> None:
        self._known = known
        self.codes: dict[str, str] = {}

    def check(self, api_key: str) -> CheckedGrant:
        if api_key not in self._known:
            code = "apiKeyRefused" if "-" in api_key else "apiKeyForm"
            raise ConfigError(code, faults=[Fault("apiKey", code=code)])
        return CheckedGrant("us21", self._known[api_key].account, api_key)

    def authorize_url(self, state: str, redirect_uri: str) -> str:
        return f"https://login.example.com/authorize?state={state}&redirect_uri={redirect_uri}"

    def redeem(self, code: str, redirect_uri: str) -> CheckedGrant:
        if code not in self.codes:
            raise Refused("signInRefused", field="invalid_grant", status=400)
        key = self.codes.pop(code)
        return CheckedGrant("us21", self._known[key].account, key)


@dataclass(frozen=True)
class FakeJob:
    id: str
    operation: str
    kind: str
    status: str
    ended_at: datetime | None


class FakeEntra:
    def authorize_url(self, state: str, redirect_uri: str) -> str:
        return f"https://entra.example.com/authorize?state={state}"

    def redeem(self, state: str, code: str, redirect_uri: str) -> tuple[ExportUser, str]:
        return ExportUser("export.user@contoso.example", "oid-9", "tenant-1", NOW), f"token-{code}"


class FakeSession:
    def __init__(self, account: FakeAccount) -> None:
        self._account = account
        self.calls = CallCounts()
        self.closed = False

    def _check(self) -> None:
        if self._account.revoked:
            raise Disconnected("keyInvalid", status=401)

    def audiences(self) -> list[Audience]:
        self._check()
        return self._account.audiences

    def merge_fields(self, audience_id: str) -> list[MergeField]:
        self._check()
        if audience_id not in self._account.fields:
            raise Refused("refused", status=404)
        return self._account.fields[audience_id]

    def saved_segments(self, audience_id: str) -> list[str]:
        self._check()
        if audience_id in self._account.deleted:
            raise NotFound("audienceNotFound", audience=audience_id)
        return self._account.saved_segments

    def close(self) -> None:
        self.closed = True


class FakeMailchimp:
    def __init__(
        self,
        known: dict[str, FakeAccount],
        secrets: VisibleSecrets,
        connections: Records[Connection],
    ) -> None:
        self._known, self._secrets, self._connections = known, secrets, connections
        self.sessions: list[FakeSession] = []

    @contextmanager
    def for_request(self, connection_id: str) -> Iterator[FakeSession]:
        stored = self._connections.read(connection_id)
        if stored is None or stored.value.secret_name not in self._secrets.kept:
            raise Disconnected("notConnected")
        session = FakeSession(self._known[self._secrets.kept[stored.value.secret_name]])
        self.sessions.append(session)
        try:
            yield session
        finally:
            session.close()


class FakeCatalogue:
    broken: Exception | None = None
    samples: SegmentSample | None = None

    def sample(self, segments: Sequence[str]) -> SegmentSample | None:
        return self.samples

    faults: Sequence[Reason] = ()

    def segments(self) -> list[SegmentInfo]:
        if self.broken:
            raise self.broken
        return [SegmentInfo("Segment_Vip", "VIP", 1200, NOW), SegmentInfo("New", "New", None, None)]

    def listing(self) -> ListedSegments:
        return ListedSegments(tuple(self.segments()), tuple(self.faults))

    def overview(self) -> tuple[ListedSegments, list[AttributeInfo]]:
        return self.listing(), self.attributes(None)

    def plain(self) -> list[str]:
        return [each.name for each in self.segments() if each.name == "New"]

    def attributes(self, segment: str | None) -> list[AttributeInfo]:
        if segment not in (None, "Segment_Vip", "New"):
            raise NotFound("segmentNotFound", segment=segment)
        return [
            AttributeInfo("Email", "string", "IdentityServiceEmail", "email"),
            AttributeInfo("FirstName", "string", None, None),
            AttributeInfo("MailingAgreed", "boolean", None, None),
            AttributeInfo("DoNotBulkEmail", "boolean", None, None),
        ]


@dataclass
class FakeRuns:
    """Runs that start once while active and follow the states of run.py: `starter`, `runs` and `history`."""

    exports: Records[Export]
    clock: Callable[[], datetime]
    kept: dict[str, Run] = field(default_factory=dict)

    def start(
        self,
        export_id: str,
        trigger: Trigger,
        mode: Mode,
        requested_by: str,
        options: RunOptions | None = None,
    ) -> Run:
        stored = self.exports.read(export_id)
        if stored is None:
            raise NotFound("exportNotFound")
        if stored.value.connection_id is None:
            raise Conflict("noConnection")
        for run in self.kept.values():
            if run.export_id == export_id and run.is_active:
                return run
        run = Run(
            id=f"run-{len(self.kept) + 1}",
            export_id=export_id,
            trigger=trigger,
            mode=mode,
            requested_by=requested_by,
            queued_at=self.clock(),
            progress=Progress(profiles_total=10),
            confirmed=options.confirmed if options else (),
        )
        self.kept[run.id] = run
        return run

    def read(self, run_id: str) -> Run:
        if run_id not in self.kept:
            raise NotFound("runNotFound")
        return self.kept[run_id]

    def newest(self, wanted: RunFilter, top: int, after: str = "") -> list[Run]:
        found = [
            run
            for run in reversed(self.kept.values())
            if wanted.export_id in (None, run.export_id)
            and wanted.status in (None, run.status)
            and wanted.trigger in (None, run.trigger)
            and (run.queued_at is None or wanted.since is None or run.queued_at >= wanted.since)
            and (run.queued_at is None or wanted.until is None or run.queued_at < wanted.until)
        ]
        ids = [run.id for run in found]
        begin = ids.index(after) + 1 if after in ids else 0
        return found[begin : begin + top]

    def last_run(self, export_id: str) -> Run | None:
        found = (run for run in reversed(self.kept.values()) if run.export_id == export_id)
        return next(found, None)

    def waiting_run(self, export_id: str) -> Run | None:
        run = self.last_run(export_id)
        return run if run and run.status is RunStatus.AWAITING_CONFIRMATION else None

    def last_runs(self, export_ids: Iterable[str]) -> dict[str, Run]:
        found = {export_id: self.last_run(export_id) for export_id in export_ids}
        return {export_id: run for export_id, run in found.items() if run is not None}

    def with_ids(self, run_ids: Sequence[str]) -> list[Run]:
        return [self.kept[run_id] for run_id in run_ids if run_id in self.kept]

    def is_busy(self, export_id: str) -> bool:
        run = self.last_run(export_id)
        return run is not None and run.is_active

    def move(self, run_id: str, **changes: object) -> Run:
        self.kept[run_id] = replace(self.read(run_id), **changes)
        return self.kept[run_id]

    def cancel(self, run_id: str) -> Run:
        if self.read(run_id).is_over:
            raise Conflict("runOver")
        return self.move(run_id, cancel_requested=True)

    def confirm(self, run_id: str, check: Callable[[Run], None] = lambda _: None) -> Run:
        run = self.read(run_id)
        if run.status is not RunStatus.AWAITING_CONFIRMATION:
            raise Conflict("notWaiting")
        check(run)
        return self.move(run_id, status=RunStatus.SENDING)

    def retry(self, run_id: str, by: str) -> Run:
        return self.start(self.read(run_id).export_id, Trigger.RETRY, Mode.EXPORT, by)

    def stop_sending(self, export_ids: Collection[str]) -> int:
        return 0


@dataclass
class FakeUndo:
    """`recorded` are the runs that recorded who had the tags that they took over."""

    runs: FakeRuns
    recorded: set[str] = field(default_factory=set)

    def is_possible(self, run: Run) -> bool:
        return run.is_over and run.undo_of is None and run.counts.created + run.counts.updated > 0

    def gives_tags_back(self, run_id: str) -> bool:
        return run_id in self.recorded

    def start(self, run_id: str, by: str, archive_created: bool) -> Run:
        export_id = self.runs.read(run_id).export_id
        run = self.runs.start(export_id, Trigger.ON_DEMAND, Mode.EXPORT, by)
        return self.runs.move(run.id, undo_of=run_id, archive_created=archive_created)


@dataclass
class FakeOutcomes:
    """The same outcomes and sample people for every run that is over."""

    runs: FakeRuns
    kept: list[OutcomeRow] = field(default_factory=list)
    people: list[SamplePerson] = field(default_factory=list)

    def rows(self, run_id: str, only: str | None) -> Iterator[OutcomeRow]:
        self.runs.read(run_id)
        return (row for row in self.kept if only in (None, row.outcome))

    def exist(self, run_id: str) -> bool:
        run = self.runs.read(run_id)
        if run.mode is Mode.PREVIEW:
            return bool(self.people)
        counts = run.counts
        changed = counts.created + counts.updated + counts.removed
        return run.is_over and bool(changed + counts.rejected + counts.not_sent)

    def totals(self, run_id: str) -> list[tuple[str, str, str, int]]:
        found = Counter((r.outcome, r.code, r.field) for r in self.rows(run_id, None))
        return [(*key, count) for key, count in found.items()]

    def reasons(self, run_id: str, outcome: str, samples: int) -> list[OutcomeReason]:
        rows = list(self.rows(run_id, outcome))
        codes = Counter(row.code for row in rows)
        return [
            OutcomeReason(code, count, tuple(r for r in rows if r.code == code)[:samples])
            for code, count in sorted(codes.items(), key=lambda one: (-one[1], one[0]))
        ]

    def totals_and_reasons(
        self, run_id: str, outcome: str, samples: int
    ) -> tuple[list[tuple[str, str, str, int]], list[OutcomeReason]]:
        return self.totals(run_id), self.reasons(run_id, outcome, samples)

    def page(
        self, run_id: str, outcome: str, code: str, wanted: str, skip: int, top: int
    ) -> OutcomePage:
        rows = tuple(
            row
            for row in self.rows(run_id, outcome)
            if code in ("", row.code)
            and wanted.lower() in f"{row.email} {row.customer_id} {row.file}".lower()
        )
        return OutcomePage(rows[skip : skip + top], len(rows))

    def samples(self, run_id: str) -> list[SamplePerson]:
        return self.people


@dataclass
class FakeDifferences:
    changes: list[Difference] = field(default_factory=list)

    def read(self, run_id: str) -> tuple[list[str], Iterator[Difference]]:
        return ["FNAME"], iter(self.changes)


@dataclass
class FakeUnusedContacts:
    runs: FakeRuns
    incomplete: tuple[str, ...] = ()

    def read(self, connection_id: str, audience_id: str) -> ContactUse:
        contacts = {"subscribed": 900, "unsubscribed": 100, "cleaned": 7}
        unused = tuple(
            UnusedOfExport(stored.key, stored.value.display_name, 120)
            for stored in self.runs.exports.all()
            if stored.value.audience_id == audience_id
        )
        now = self.runs.clock()
        return ContactUse(audience_id, "Newsletter", contacts, unused, self.incomplete, 40, 7, now)

    def archive(self, export_id: str, by: str, agreed: int) -> Run:
        run = self.runs.start(export_id, Trigger.ON_DEMAND, Mode.ARCHIVE, by)
        return self.runs.move(run.id, agreed=agreed)


@dataclass
class FakeOnePerson:
    """Remembers who was chosen, by run; `results` is what a run sent."""

    runs: FakeRuns
    chosen: dict[str, ChosenPerson] = field(default_factory=dict)
    results: dict[str, list[SentPerson]] = field(default_factory=dict)

    def start(self, export_id: str, by: str, person: ChosenPerson) -> Run:
        run = self.runs.start(export_id, Trigger.ON_DEMAND, Mode.ONE_PERSON, by)
        if run.mode is not Mode.ONE_PERSON:
            raise Conflict("otherRunGoing")
        self.chosen[run.id] = person
        return run

    def sent(self, run_id: str) -> list[SentPerson]:
        if run_id not in self.results:
            raise NotFound("sentPersonGone")
        return self.results[run_id]


@dataclass
class FakePeople:
    """What exports have stored, by address: `search` and `eraser`."""

    clock: Callable[[], datetime]
    known: dict[str, list[PersonInExport]] = field(default_factory=dict)

    def find(self, email: str, customer_id: str) -> list[PersonInExport]:
        if not customer_id:
            return self.known.get(email.lower(), [])
        return [
            person
            for found in self.known.values()
            if any(one.customer_id == customer_id for one in found)
            for person in found
        ]

    def erase(self, email: str, in_mailchimp: bool, by: str) -> Erasure:
        gone = self.known.pop(email.lower(), [])
        return Erasure("receipt-1", self.clock(), by, len(gone), len(gone), int(in_mailchimp))


@dataclass
class FakeConsentUpdates:
    """No audience was read. `knows_webhooks` accepts or refuses every call of a webhook."""

    knows_webhooks: bool = False

    def states(self, connection_id: str) -> list[ConsentState]:
        return []

    def accept_call(self, token: str, body: bytes, signature: str) -> bool:
        return self.knows_webhooks

    def delete_webhooks(self, connection_id: str) -> None:
        pass


class FakeCustomerInsights:
    def jobs(self) -> list[FakeJob]:
        return [FakeJob("job-1", "all", "scheduled", "successful", NOW)]


class World:
    """The services behind the site, which tests read and break."""

    def __init__(self, role: Role | None = Role.ADMINISTRATOR, **changes: object) -> None:
        self.now = NOW
        self.connections: VisibleRecords[Connection] = VisibleRecords()
        self.exports: VisibleRecords[Export] = VisibleRecords()
        self.audit: VisibleRecords[AuditEntry] = VisibleRecords()
        self.schedule: VisibleRecords[Schedule] = VisibleRecords()
        self.secrets = VisibleSecrets()
        self.accounts = fake_accounts()
        self.sign_in = FakeSignIns(self.accounts)
        self.mailchimp = FakeMailchimp(self.accounts, self.secrets, self.connections)
        self.catalogue = FakeCatalogue()
        self.runs = FakeRuns(self.exports, self.clock)
        self.outcomes = FakeOutcomes(self.runs)
        self.differences = FakeDifferences()
        self.unused_contacts = FakeUnusedContacts(self.runs)
        self.one_person = FakeOnePerson(self.runs)
        self.people = FakePeople(self.clock)
        self.used_nonces: set[str] = set()
        ids = (f"id{number}" for number in itertools.count(1))
        random_texts = (f"random{number}" for number in itertools.count(1))

        def new_id() -> str:
            return next(ids)

        definitions = Definitions(
            self.exports, self.runs.is_busy, self.clock, new_id, lambda _: None, lambda _: None
        )
        connections = Connections(self.connections, self.secrets, definitions, self.clock, new_id)
        states = SignedStates(
            lambda: b"k" * 32,
            self._use_once,
            now=lambda: self.now.timestamp(),
            random_text=lambda: next(random_texts),
        )
        services = Services(
            authenticator=Authenticator(False, False, Principal("dev-1", "Ada", role)),
            audit_records=self.audit,
            clock=self.clock,
            monotonic=lambda: self.now.timestamp(),
            new_id=new_id,
            public_url=PUBLIC_URL,
            max_profiles=1_000_000,
            connections=connections,
            api_keys=self.sign_in,
            sign_ins=SignIns(connections, states, PUBLIC_URL, self.sign_in, FakeEntra()),
            sessions=self.mailchimp,
            consent_updates=FakeConsentUpdates(),
            unused_contacts=self.unused_contacts,
            definitions=definitions,
            exclusions=ExclusionLists(MemoryFiles(StoreClient(MemoryStore(Clock())))),
            schedule_records=self.schedule,
            catalogue=self.catalogue,
            customer_insights=FakeCustomerInsights(),
            starter=self.runs,
            runs=self.runs,
            history=self.runs,
            undo=FakeUndo(self.runs),
            one_person=self.one_person,
            outcomes=self.outcomes,
            differences=self.differences,
            search=self.people,
            eraser=self.people,
        )
        self.serve(replace(services, **changes))

    def serve(self, services: Services) -> None:
        self.services = services
        self.web = create_app(services)

    def seen_by(self, role: Role | None) -> World:
        """The same world as another caller sees it."""
        other = object.__new__(World)
        other.__dict__.update(self.__dict__)
        authenticator = Authenticator(False, False, Principal("dev-2", "Bob", role))
        other.serve(replace(self.services, authenticator=authenticator))
        return other

    def clock(self) -> datetime:
        return self.now

    def pass_time(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    def _use_once(self, nonce: str) -> bool:
        is_new = nonce not in self.used_nonces
        self.used_nonces.add(nonce)
        return is_new
