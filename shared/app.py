"""The one place where everything is put together.

`app()` builds the house once per process from the settings, at first use: nothing happens at
import, because the platform allows 30 seconds for indexing. Every edge is made here and handed to
those who name what they need; time, chance and sleeping come from here as well.
"""

from __future__ import annotations

import random
import secrets
import time
import uuid
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property, lru_cache
from urllib.parse import urlsplit

from shared.connections.connection import Connection
from shared.connections.connections import Connections
from shared.connections.entra import (
    CUSTOMER_INSIGHTS,
    AppRegistration,
    Entra,
    PendingSignIn,
)
from shared.connections.export_users import ExportUsers
from shared.connections.sign_in_state import SignedStates
from shared.errors import ConfigError, Conflict, ConnectorError, NotFound, Unavailable
from shared.exports.chunk import Chunk
from shared.exports.control import Control
from shared.exports.definition import Export, Schedule
from shared.exports.definitions import Definitions
from shared.exports.events import connection_lost
from shared.exports.finish.step import Finisher
from shared.exports.handback import CONTAINER, Handback
from shared.exports.ledger import LedgerPointer
from shared.exports.messages import stamps_of
from shared.exports.needs import MailchimpSession, Records
from shared.exports.person.erase import Eraser
from shared.exports.person.erased import Erased, Erasure
from shared.exports.person.purge import Purge
from shared.exports.person.search import Search
from shared.exports.places import plan_blob
from shared.exports.plan.held import HeldPointer
from shared.exports.plan.plan import Plan, plan_from_json
from shared.exports.plan.step import Planner
from shared.exports.refresh import Announcement, Refreshes
from shared.exports.refresh_watch import Patience, RefreshWatch
from shared.exports.removed import Remains
from shared.exports.report import Report
from shared.exports.retention import Retention
from shared.exports.run import Mode, Run, Trigger
from shared.exports.send.guest import Guests
from shared.exports.send.lane import Lanes
from shared.exports.send.pace import AccountPace, Pace
from shared.exports.send.slots import SlotHolder, Slots
from shared.exports.stamped import StampedQueue
from shared.exports.start import ActiveRun, Starter
from shared.exports.tags import TagOwner
from shared.exports.timetable import Due, Tick, Timetable
from shared.exports.undo import Undo
from shared.exports.watch import Watch
from shared.mailchimp.connect import ApiKeyDoor, MailchimpSignIn
from shared.mailchimp.gateway import MailchimpGateway
from shared.segments.catalogue import Catalogue
from shared.segments.container import LandingContainer
from shared.segments.described import DescribedCatalogue
from shared.segments.events import read_event
from shared.segments.remembered import Remembered
from shared.segments.rest import CustomerInsightsApi
from shared.segments.source import BlobSegments
from shared.settings import Settings, load
from shared.storage.clients import (
    StorageClients,
    container_client,
    credential_for,
    secret_client,
    token_for,
)
from shared.storage.files import BlobFiles
from shared.storage.leases import BlobLeases
from shared.storage.local_secrets import LocalSecrets
from shared.storage.queues import StorageQueue
from shared.storage.records import TableRecords
from shared.storage.secrets import Secrets
from shared.storage.vault import VaultSecrets
from shared.telemetry import Telemetry
from shared.web.api import routes_for
from shared.web.api.refresh_schedule import KEY as REFRESH_SCHEDULE
from shared.web.audit import AuditEntry
from shared.web.needs import Desk
from shared.web.pages import pages_for
from shared.web.principal import Doorkeeper, Principal, highest
from shared.web.site import Site

__all__ = ["App", "app"]


def _now() -> datetime:
    return datetime.now(UTC)


def _token() -> str:
    return secrets.token_hex(8)


def _new_id() -> str:
    return uuid.uuid4().hex[:16]


@dataclass
class App:
    """The house, room by room; each part is made when it is first asked for."""

    settings: Settings
    _plans: dict[str, Plan] = field(default_factory=dict)

    # --- storage ---------------------------------------------------------------------------

    @cached_property
    def clients(self) -> StorageClients:
        """The SDK clients of the state account."""
        return StorageClients(self.settings.storage)

    @cached_property
    def files(self) -> BlobFiles:
        """Blobs of the state container."""
        return BlobFiles(self.clients)

    @cached_property
    def queue(self) -> StampedQueue:
        """Queues of the state account; every message says its trace and when it was due."""
        return StampedQueue(StorageQueue(self.clients), _now)

    @cached_property
    def telemetry(self) -> Telemetry:
        """Metrics and spans."""
        return Telemetry(secrets.token_hex, _now)

    @cached_property
    def leases(self) -> BlobLeases:
        """Leases of the state account."""
        return BlobLeases(self.clients)

    @cached_property
    def secrets(self) -> Secrets:
        """Key Vault where there is one, else the encrypted store of this machine."""
        if self.settings.key_vault_url:
            credential = credential_for(self.settings.storage)
            return VaultSecrets(secret_client(self.settings.key_vault_url, credential))
        return LocalSecrets(self.clients, in_azure=self.settings.in_azure)

    @cached_property
    def connections(self) -> Records[Connection]:
        """Connections."""
        return TableRecords(self.clients, "connections", Connection)

    @cached_property
    def exports(self) -> Records[Export]:
        """Export definitions."""
        return TableRecords(self.clients, "exports", Export)

    @cached_property
    def runs(self) -> Records[Run]:
        """Runs, newest first."""
        return TableRecords(
            self.clients, "runs", Run, lambda run: {"export": run.export_id, "status": run.status}
        )

    @cached_property
    def active(self) -> Records[ActiveRun]:
        """The newest run of every export."""
        return TableRecords(self.clients, "activeruns", ActiveRun)

    @cached_property
    def chunks(self) -> Records[Chunk]:
        """Chunks, by run."""
        return TableRecords(self.clients, "chunks", Chunk)

    @cached_property
    def ledgers(self) -> Records[LedgerPointer]:
        """Which blob is the ledger of an export."""
        return TableRecords(self.clients, "ledgers", LedgerPointer)

    @cached_property
    def held(self) -> Records[HeldPointer]:
        """Whom audiences hold without a subscription."""
        return TableRecords(self.clients, "held", HeldPointer)

    @cached_property
    def tag_owners(self) -> Records[TagOwner]:
        """Which export owns which tag."""
        return TableRecords(self.clients, "tagowners", TagOwner)

    @cached_property
    def schedules(self) -> Records[Schedule]:
        """The refresh schedule."""
        return TableRecords(self.clients, "schedules", Schedule)

    # --- Customer Insights -----------------------------------------------------------------

    @cached_property
    def landing(self) -> LandingContainer:
        """The container in which Customer Insights leaves segments."""
        where = self.settings.segments
        return LandingContainer(container_client(where.storage, where.container))

    @cached_property
    def source(self) -> BlobSegments:
        """Segments, frozen and read."""
        return BlobSegments(self.landing, self.settings.segments.root)

    @cached_property
    def catalogue(self) -> Catalogue | DescribedCatalogue:
        """What can be exported; with names and sizes from the REST API where it is configured."""
        counts = _Counts(TableRecords(self.clients, "rowcounts", RowCount))
        exported = Catalogue(self.landing, self.settings.segments.root, counts)
        api = self.customer_insights
        return DescribedCatalogue(exported, Remembered(api, time.monotonic)) if api else exported

    @cached_property
    def customer_insights(self) -> CustomerInsightsApi | None:
        """The REST API of Customer Insights, where it is configured."""
        where = self.settings.customer_insights
        if not where.instance_id:
            return None
        return CustomerInsightsApi(
            where.api_url,
            where.instance_id,
            where.subscription_key,
            self.export_users.token,
            time.sleep,
            refused=self.export_users.refused,
        )

    @cached_property
    def entra(self) -> Entra | None:
        """Entra's sign-in page for export users, where the app is registered with Entra."""
        where = self.settings.entra
        if not (where.client_id and where.client_secret):
            return None
        # Without the API there is nothing to ask for but who it is.
        scopes = (CUSTOMER_INSIGHTS,) if self.settings.customer_insights.instance_id else ()
        registration = AppRegistration(
            where.tenant_id, where.client_id, where.client_secret, where.authority, scopes
        )
        pending = TableRecords(self.clients, "signins", PendingSignIn)
        return Entra(registration, pending, _now)

    @cached_property
    def export_users(self) -> ExportUsers:
        """As whom the REST API is asked."""
        return ExportUsers(self.connections, self.secrets, self.entra, self._app_token, _now)

    def _app_token(self) -> str:
        """The token of the app itself: its managed identity in Azure, else its registration."""
        if self.settings.in_azure:
            return token_for(credential_for(self.settings.storage), CUSTOMER_INSIGHTS)
        if self.entra is None:
            message = "Nobody is there to read Customer Insights as: add the export user."
            raise ConfigError(message, code="exportUserMissing")
        return self.entra.app_token().token

    # --- Mailchimp -------------------------------------------------------------------------

    @cached_property
    def mailchimp(self) -> MailchimpGateway:
        """Sessions to the account behind a connection."""
        return MailchimpGateway(
            self._connection,
            self.secrets.get,
            clock=time.monotonic,
            sleep=time.sleep,
            random=random.random,
            api_url=self.settings.mailchimp.api_url,
        )

    @cached_property
    def api_key_door(self) -> ApiKeyDoor:
        """Checks API keys."""
        return ApiKeyDoor(self.mailchimp.open_with)

    @cached_property
    def sign_in_door(self) -> MailchimpSignIn | None:
        """Mailchimp's sign-in page, where the app is registered with Mailchimp."""
        where = self.settings.mailchimp
        if not (where.client_id and where.client_secret):
            return None
        return MailchimpSignIn(
            where.login_url, where.client_id, where.client_secret, self.mailchimp.open_with
        )

    @cached_property
    def slots(self) -> Slots:
        """The connections that an account allows."""
        return Slots(
            self.leases,
            TableRecords(self.clients, "slots", SlotHolder),
            self.settings.mailchimp.connections,
            _token,
        )

    @cached_property
    def pace(self) -> AccountPace:
        """How many of them lanes may use."""
        return AccountPace(
            TableRecords(self.clients, "paces", Pace), self.settings.mailchimp.connections, _now
        )

    @cached_property
    def guests(self) -> Guests:
        """Calls beside the lanes."""
        return Guests(self.mailchimp, self.slots, self.pace, time.monotonic, time.sleep)

    # --- the heart -------------------------------------------------------------------------

    @cached_property
    def starter(self) -> Starter:
        """Starts runs."""
        return Starter(self.exports, self.runs, self.active, self.queue, _now, _token)

    @cached_property
    def planner(self) -> Planner:
        """Plans runs."""
        return Planner(
            runs=self.runs,
            exports=self.exports,
            chunks=self.chunks,
            ledgers=self.ledgers,
            held=self.held,
            owners=self.tag_owners,
            erased=self.erased,
            files=self.files,
            queue=self.queue,
            leases=self.leases,
            source=self.source,
            guests=self.guests,
            account_of=self.account_of,
            disconnected=self.lose_connection,
            max_profiles=self.settings.max_profiles,
            connections=self.settings.mailchimp.connections,
            now=_now,
            token=_token,
        )

    @cached_property
    def lanes(self) -> Lanes:
        """Sends."""
        return Lanes(
            runs=self.runs,
            chunks=self.chunks,
            files=self.files,
            queue=self.queue,
            mailchimp=self.mailchimp,
            slots=self.slots,
            pace=self.pace,
            plan_of=self.plan_of,
            finish=self.finisher.finish,
            disconnected=self.lose_connection,
            now=_now,
            clock=time.monotonic,
            turn=random.randrange,
            meter=self.telemetry,
        )

    @cached_property
    def finisher(self) -> Finisher:
        """Finishes runs."""
        return Finisher(
            runs=self.runs,
            chunks=self.chunks,
            ledgers=self.ledgers,
            erased=self.erased,
            files=self.files,
            queue=self.queue,
            leases=self.leases,
            mailchimp=self.mailchimp,
            slots=self.slots,
            pace=self.pace,
            plan_of=self.plan_of,
            disconnected=self.lose_connection,
            now=_now,
            token=_token,
            handback=self.handback,
        )

    @cached_property
    def handback(self) -> Handback | None:
        """Hands outcomes back to Customer Insights; never into the container that is watched."""
        where = self.settings.segments
        if where.container == CONTAINER:
            return None
        clients = StorageClients(where.storage)
        url = str(clients.container(CONTAINER).url).partition("?")[0]
        return Handback(BlobFiles(clients, CONTAINER), url, _now)

    @cached_property
    def control(self) -> Control:
        """What people do with runs."""
        return Control(
            runs=self.runs,
            chunks=self.chunks,
            exports=self.exports,
            queue=self.queue,
            starter=self.starter,
            pace=self.pace,
            account_of=self.account_of,
            connections=self.settings.mailchimp.connections,
            now=_now,
        )

    @cached_property
    def undo(self) -> Undo:
        """Takes runs back."""
        return Undo(self.runs, self.ledgers, self.files, self.starter, self.plan_of)

    @cached_property
    def report(self) -> Report:
        """Outcomes, row by row."""
        return Report(self.files)

    @cached_property
    def erased(self) -> Erased:
        """Who was erased."""
        return Erased(TableRecords(self.clients, "erasures", Erasure), self._erased_key)

    @cached_property
    def eraser(self) -> Eraser:
        """Erases people."""
        purge = Purge(self.runs, self.ledgers, self.held, self.files, _token, self.handback)
        return Eraser(
            exports=self.exports,
            runs=self.runs,
            erased=self.erased,
            purge=purge,
            guests=self.guests,
            account_of=self.account_of,
            now=_now,
            token=_token,
        )

    @cached_property
    def search(self) -> Search:
        """Looks for people."""
        return Search(
            exports=self.exports,
            runs=self.runs,
            ledgers=self.ledgers,
            owners=self.tag_owners,
            files=self.files,
            guests=self.guests,
            account_of=self.account_of,
            erased=self.erased,
        )

    @cached_property
    def remains(self) -> Remains:
        """Clears away what belonged to removed exports."""
        return Remains(
            exports=self.exports,
            runs=self.runs,
            active=self.active,
            ledgers=self.ledgers,
            owners=self.tag_owners,
            files=self.files,
            now=_now,
            others=(self.refreshes.watches, self.timetable.dues),
        )

    @cached_property
    def watch(self) -> Watch:
        """Looks after runs that stand still."""
        return Watch(
            runs=self.runs,
            chunks=self.chunks,
            queue=self.queue,
            connections=self.settings.mailchimp.connections,
            now=_now,
        )

    @cached_property
    def retention(self) -> Retention:
        """Clears away what is old."""
        return Retention(
            runs=self.runs,
            chunks=self.chunks,
            exports=self.exports,
            held=self.held,
            nonces=self.used_nonces,
            files=self.files,
            keep=timedelta(days=self.settings.retention_days),
            now=_now,
            handback=self.handback,
        )

    @cached_property
    def used_nonces(self) -> Records[UsedNonce]:
        """Sign-in states that were redeemed."""
        return TableRecords(self.clients, "usednonces", UsedNonce)

    @cached_property
    def refreshes(self) -> Refreshes:
        """Starts exports when Customer Insights has written a refresh."""
        return Refreshes(
            exports=self.exports,
            watches=TableRecords(self.clients, "refreshes", RefreshWatch),
            runs=self.runs,
            active=self.active,
            ledgers=self.ledgers,
            starter=self.starter,
            source=self.source,
            queue=self.queue,
            planned=self._planned_mark,
            read_event=self._landing_event,
            model_etag=self._landing_etag,
            now=_now,
            patience=Patience(),
        )

    @cached_property
    def timetable(self) -> Timetable:
        """Starts exports when their time has come."""
        return Timetable(
            exports=self.exports,
            dues=TableRecords(self.clients, "dues", Due),
            ticks=TableRecords(self.clients, "ticks", Tick),
            runs=self.runs,
            active=self.active,
            starter=self.starter,
            refresh_schedule=self._refresh_schedule,
            now=_now,
        )

    def plan_of(self, run_id: str) -> Plan:
        """A run's plan; plans never change, so the newest few are remembered."""
        plan = self._plans.get(run_id)
        if plan is None:
            plan = plan_from_json(self.files.read(plan_blob(run_id)))
            while len(self._plans) >= 8:
                self._plans.pop(next(iter(self._plans)), None)
            self._plans[run_id] = plan
        return plan

    def account_of(self, connection_id: str) -> str:
        """The Mailchimp account behind a connection. NotFound when there is no connection."""
        connection = self._connection(connection_id)
        if connection is None:
            msg = "The connection is gone."
            raise NotFound(msg, code="connectionNotFound")
        # Without a grant nothing is called; the connection stands for its account until then.
        return connection.grant.account_id if connection.grant else connection.id

    def lose_connection(self, connection_id: str) -> None:
        """Mailchimp does not accept the grant any more: someone must connect again."""
        connection_lost(connection_id)
        definitions = Definitions(self.exports, lambda _: False, _now, _new_id)
        with suppress(NotFound):  # removed while a run used it: nobody is left to be asked
            Connections(self.connections, self.secrets, definitions, _now, _new_id).lose(
                connection_id
            )

    def _connection(self, connection_id: str) -> Connection | None:
        stored = self.connections.read(connection_id)
        return stored.value if stored else None

    # --- the web ---------------------------------------------------------------------------

    @cached_property
    def site(self) -> Site:
        """Answers HTTP requests."""
        desk = Desk(
            doorkeeper=self._doorkeeper(),
            connections=self.connections,
            exports=self.exports,
            audit=TableRecords(self.clients, "audit", AuditEntry),
            schedule=self.schedules,
            secrets=self.secrets,
            mailchimp=_GuestMailchimp(self),
            catalogue=self.catalogue,
            key_door=self.api_key_door,
            clock=_now,
            new_id=_new_id,
            start=self.starter.start,
            run_all=self.run_all,
            run=self.control.read,
            runs=lambda export_id, status, top: list(self.control.newest(export_id, status, top)),
            cancel=lambda run_id, _by: self.control.cancel(run_id),
            confirm=lambda run_id, _by: self.control.confirm(run_id),
            retry=self.control.retry,
            outcomes=self.report.rows,
            export_removed=self.remains.clear,
            undo=self.undo.start,
            search=self.search.find,
            erase=self.eraser.erase,
            sign_in_states=self._signed_states() if self.sign_in_door or self.entra else None,
            mailchimp_door=self.sign_in_door,
            entra_door=self.entra,
            refresh_jobs=self.customer_insights.jobs if self.customer_insights else None,
            public_url=self.settings.public_url,
            max_profiles=self.settings.max_profiles,
        )
        return Site(desk, (*routes_for(desk), *pages_for(desk)))

    def working(
        self, function: str, body: bytes, run_id: str, given: str | None
    ) -> AbstractContextManager[None]:
        """Work on a message, in its own trace; else in that of its run, else in the one given."""
        stamps = stamps_of(body)
        stored = self.runs.read(run_id) if run_id and stamps.trace is None else None
        traces = (stored.value.trace if stored else None, given)
        return self.telemetry.message(function, stamps, *traces, run_id=run_id)

    def tick(self) -> None:
        """What the timer does: start what is due, set going what stands still, clear away.

        One part that fails keeps no other from being done; the first error is raised at the end.
        """
        failed: list[ConnectorError] = []
        parts = (
            self.timetable.start_due,
            self.refreshes.revive,
            self.watch.look,
            self.retention.clear,
            self.remains.sweep,
            self.eraser.complete,
        )
        for part in parts:
            try:
                part()
            except ConnectorError as error:
                failed.append(error)
        if failed:
            raise failed[0]

    def run_all(self, requested_by: str) -> list[Run]:
        """Start every export whose schedule is on and that has a connection."""
        started = []
        for stored in self.exports.all():
            if not (stored.value.schedule.enabled and stored.value.connection_id):
                continue
            # Whoever removes or detaches an export in this moment stops no other.
            with suppress(NotFound, Conflict):
                run = self.starter.start(stored.key, Trigger.ON_DEMAND, Mode.EXPORT, requested_by)
                started.append(run)
        return started

    def _planned_mark(self, run_id: str) -> str | None:
        """The fingerprint of the source that a run has read, None before it has a plan."""
        try:
            return self.plan_of(run_id).settled
        except NotFound:
            return None

    def _landing_event(self, body: bytes) -> Announcement | None:
        """What a message says of a blob in the landing container, if it is about one."""
        return read_event(body, _account_name(self.landing.url), self.settings.segments.container)

    def _landing_etag(self, blob: str) -> str | None:
        """The ETag that a blob of the landing container has now."""
        return next((e.etag for e in self.landing.entries(blob) if e.name == blob), None)

    def _refresh_schedule(self) -> Schedule | None:
        stored = self.schedules.read(REFRESH_SCHEDULE)
        return stored.value if stored else None

    def _doorkeeper(self) -> Doorkeeper:
        developer = self.settings.developer
        return Doorkeeper(
            authentication_on=self.settings.auth_enabled,
            in_azure=self.settings.in_azure,
            developer=Principal(developer.id, developer.name, highest(developer.roles))
            if developer
            else None,
            public_url=self.settings.public_url,
        )

    def _signed_states(self) -> SignedStates:
        return SignedStates(
            self._state_key,
            self._use_once,
            now=time.time,
            random_text=lambda: secrets.token_hex(24),
        )

    def _state_key(self) -> bytes:
        """The key that signs sign-in states; made once and kept with the secrets."""
        name = "sign-in-state-key"
        known = self.secrets.get(name)
        if known is None:
            self.secrets.put(name, secrets.token_hex(32))
            known = self.secrets.get(name)
        return bytes.fromhex(known or "")

    def _erased_key(self) -> bytes:
        """The key under which erased people are remembered; made once, by one process."""
        name = "erased-people-key"
        known = self.secrets.get(name)
        if known is None:
            lease = self.leases.acquire(name, 15)
            if lease is None:
                message = "Another request is making the key at this moment. Try again."
                raise Unavailable(message, code="keyBeingMade", retry_after=2)
            try:
                known = self.secrets.get(name)
                if known is None:
                    self.secrets.put(name, secrets.token_hex(32))
                    known = self.secrets.get(name)
            finally:
                lease.release()
        return bytes.fromhex(known or "")

    def _use_once(self, nonce: str) -> bool:
        try:
            self.used_nonces.create(nonce, UsedNonce(_now()))
        except Conflict:
            return False
        return True


def _account_name(container_url: str) -> str:
    """The storage account of a container's address; an emulator has it in the path."""
    address = urlsplit(container_url)
    folders = address.path.strip("/").split("/")
    return folders[0] if len(folders) > 1 else (address.hostname or "").partition(".")[0]


@dataclass(frozen=True)
class RowCount:
    """How many rows a file has that never changes (its key is made of name and ETag)."""

    rows: int


@dataclass(frozen=True)
class _Counts:
    """Remembers row counts in a table."""

    records: Records[RowCount]

    def get(self, key: str) -> int | None:
        stored = self.records.read(key)
        return stored.value.rows if stored else None

    def put(self, key: str, count: int) -> None:
        with suppress(Conflict):
            self.records.create(key, RowCount(count))


@dataclass(frozen=True)
class UsedNonce:
    """A sign-in state that was redeemed, and when."""

    at: datetime


class _GuestMailchimp:
    """Mailchimp for the pages: within the limit of connections, a guest beside the lanes."""

    def __init__(self, house: App) -> None:
        self._house = house

    def open(
        self, connection_id: str, on_throttled: Callable[[], None] | None = None
    ) -> MailchimpSession:
        """A session that gives its slot back when it is closed."""
        account_id = self._house.account_of(connection_id)
        slot = self._house.guests.slot(account_id, patience=15.0)
        try:
            session = self._house.mailchimp.open(connection_id, on_throttled)
        except ConnectorError:
            slot.release()
            raise
        close = session.close

        def close_and_release() -> None:
            close()
            slot.release()

        session.close = close_and_release  # type: ignore[method-assign]
        return session


@lru_cache(maxsize=1)
def app() -> App:
    """The app of this process. ConfigError lists every setting that is wrong."""
    return App(load())
