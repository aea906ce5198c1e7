"""The composition root: every part of the app, made from the settings and connected to the others.

`build` takes replacements for single parts by name, so tests, the benchmark and the simulation
run the real wiring around their own storage, Mailchimp or clock. A part is made when it is first
used. Importing this module or building an app reads no storage and makes no call.
"""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from datetime import timedelta
from functools import cache, cached_property, partial
from typing import TYPE_CHECKING, Any, TypeVar

from shared.capacity.on_demand import OnDemandSessions
from shared.capacity.pace import AccountPace, Pace, UsableSlots
from shared.capacity.slots import SlotHolder, Slots
from shared.connections.connections import Connections, mark_reconnect
from shared.connections.entra import CUSTOMER_INSIGHTS, AppRegistration, Entra, PendingSignIn
from shared.connections.export_users import ExportUsers
from shared.connections.sign_in import SignIns
from shared.connections.sign_in_state import SignedStates
from shared.consent_updates.sweep import Sweep
from shared.consent_updates.table import ConsentTable
from shared.consent_updates.updates import ConsentUpdates, SweepRequest
from shared.consent_updates.webhooks import ConsentWebhooks, webhook_columns
from shared.errors import ConfigError, Conflict, ConnectorError, InputError, NotFound
from shared.exports.definitions import Definitions
from shared.finishing.erased_contacts import ErasedContacts
from shared.finishing.finish import Finisher
from shared.finishing.mailchimp_check import MailchimpCheck
from shared.finishing.preview_differences import Differences
from shared.finishing.preview_outcomes import PreviewOutcomes
from shared.mailchimp.api_keys import MailchimpApiKeys
from shared.mailchimp.gateway import MailchimpGateway
from shared.mailchimp.oauth import MailchimpSignIn
from shared.messaging.events import log_event
from shared.messaging.messages import run_of, stamps_of
from shared.messaging.poison import PoisonQueues
from shared.messaging.sequence import MessageSequences, SequenceState
from shared.messaging.stamped_queue import StampedQueue
from shared.model.audience import NotSubscribedPointer
from shared.model.chunk import Chunk
from shared.model.connection import Connection, UsedNonce
from shared.model.consent import ConsentSweep, ConsentWebhook, PublishedConsent
from shared.model.export import Export, Schedule
from shared.model.ledger import LedgerPointer
from shared.model.ports import Files, Leases, Records, Secrets, SegmentSource
from shared.model.run import Run, run_columns
from shared.model.tag import TagOwner
from shared.people.all_audiences import AllAudiences
from shared.people.erase import Eraser
from shared.people.erasures import Erasure, Erasures
from shared.people.exclusion_lists import ExclusionLists
from shared.people.other_addresses import OtherAddresses
from shared.people.purge import Purge
from shared.people.retention import Retention
from shared.people.search import Search
from shared.people.stored_contacts import StoredContacts
from shared.planning.archiving.hygiene import Hygiene
from shared.planning.dependencies import PlanDependencies
from shared.planning.plan_builder import PlanBuilder
from shared.planning.planner import Planner
from shared.runs.abandon import Abandon
from shared.runs.commands import RunCommands
from shared.runs.history import History
from shared.runs.leftovers import Leftovers
from shared.runs.lookup import NewestRun
from shared.runs.one_person import OnePerson
from shared.runs.outcome_file import CONTAINER as OUTCOMES_CONTAINER
from shared.runs.outcome_file import OutcomeFile
from shared.runs.outcomes import OutcomeReader
from shared.runs.plan_store import PlanStore
from shared.runs.progress import CurrentProgress
from shared.runs.start import Starter
from shared.runs.transitions import Transitions
from shared.runs.undo import Undo
from shared.runs.watchdog import Watchdog
from shared.runtime import Runtime
from shared.scheduling.open_refreshes import OpenRefreshes
from shared.scheduling.refresh import Refreshes
from shared.scheduling.refresh_progress import RefreshProgress, WaitingTimes
from shared.scheduling.refresh_steps import RefreshSteps
from shared.scheduling.refreshed_files import RefreshedFiles
from shared.scheduling.schedule import REFRESH_SCHEDULE
from shared.scheduling.scheduled_starts import ScheduledStarts, ScheduleState, Tick
from shared.segments.blob_segments import BlobSegments
from shared.segments.choosing.catalogue import Catalogue
from shared.segments.choosing.described_catalogue import DescribedCatalogue
from shared.segments.choosing.remembered_responses import Remembered
from shared.segments.choosing.stored_row_counts import StoredRowCounts
from shared.segments.container import LandingContainer
from shared.segments.customer_insights_api import CustomerInsightsApi
from shared.segments.finding.blob_events import read_events
from shared.sending.chunk_payload import ChunkPayloads
from shared.sending.lane import Lanes
from shared.sending.run_checks import RunChecks
from shared.sending.worker import Worker
from shared.settings import Settings, load
from shared.shared_reads import SharedReads
from shared.storage.clients import (
    StorageClients,
    container_client,
    credential_for,
    secret_client,
    token_for,
)
from shared.storage.files import BlobFiles
from shared.storage.keys import stored_key
from shared.storage.leases import BlobLeases
from shared.storage.local_secrets import LocalSecrets
from shared.storage.queues import StorageQueue
from shared.storage.records import TableRecords
from shared.storage.vault import VaultSecrets
from shared.telemetry import Telemetry
from shared.temporary import delete_abandoned_folders
from shared.web.audit_entry import AuditEntry
from shared.web.authentication import Authenticator, Principal, highest

if TYPE_CHECKING:
    from shared.web.app import WebApp


T = TypeVar("T")


class App:
    """All parts of one app. Each property makes its part once, from other parts."""

    def __init__(self, settings: Settings, runtime: Runtime) -> None:
        self.settings = settings
        self.runtime = runtime

    # --- Storage -----------------------------------------------------------------------------

    def table(
        self,
        name: str,
        value_type: type[T],
        columns: Callable[[T], Mapping[str, str]] = lambda _: {},
    ) -> Records[T]:
        """The records of one kind. Every kind is named in this module."""
        return TableRecords(self.clients, name, value_type, columns)

    @cached_property
    def clients(self) -> StorageClients:
        """SDK clients of the state account."""
        return StorageClients(self.settings.storage)

    @cached_property
    def files(self) -> Files:
        """Blobs of the state container."""
        return BlobFiles(self.clients)

    @cached_property
    def queue(self) -> StampedQueue:
        """Queues of the state account. Every message carries its trace and the time it was due."""
        return StampedQueue(StorageQueue(self.clients), self.runtime.now)

    @cached_property
    def poison_queues(self) -> PoisonQueues:
        """The queues of messages that failed too often."""
        return PoisonQueues(StorageQueue(self.clients).count)

    @cached_property
    def leases(self) -> Leases:
        """Leases of the state account."""
        return BlobLeases(self.clients)

    @cached_property
    def secrets(self) -> Secrets:
        """Key Vault where it is configured, else an encrypted file on this machine."""
        if self.settings.key_vault_url:
            credential = credential_for(self.settings.storage)
            return VaultSecrets(secret_client(self.settings.key_vault_url, credential))
        return LocalSecrets(self.clients, in_azure=self.settings.in_azure)

    @cached_property
    def telemetry(self) -> Telemetry:
        """Metrics and spans."""
        return Telemetry(secrets.token_hex, self.runtime.now)

    # --- Records -----------------------------------------------------------------------------

    @cached_property
    def connections(self) -> Records[Connection]:
        """Connections to Mailchimp accounts."""
        return self.table("connections", Connection)

    @cached_property
    def exports(self) -> Records[Export]:
        """Export definitions."""
        return self.table("exports", Export)

    @cached_property
    def runs(self) -> Records[Run]:
        """Runs, newest first."""
        return self.table("runs", Run, run_columns)

    @cached_property
    def newest_runs(self) -> Records[NewestRun]:
        """The newest run of each export."""
        return self.table("activeruns", NewestRun)

    @cached_property
    def chunks(self) -> Records[Chunk]:
        """Chunks, by run."""
        return self.table("chunks", Chunk)

    @cached_property
    def sequence_states(self) -> Records[SequenceState]:
        """The newest number of each message sequence, by run."""
        return self.table("sequences", SequenceState)

    @cached_property
    def ledgers(self) -> Records[LedgerPointer]:
        """The current ledger of each export."""
        return self.table("ledgers", LedgerPointer)

    @cached_property
    def not_subscribed(self) -> Records[NotSubscribedPointer]:
        """The stored list of contacts who are not subscribed, by audience."""
        return self.table("held", NotSubscribedPointer)

    @cached_property
    def tag_owners(self) -> Records[TagOwner]:
        """The export that owns each tag."""
        return self.table("tagowners", TagOwner)

    @cached_property
    def schedules(self) -> Records[Schedule]:
        """The refresh schedule."""
        return self.table("schedules", Schedule)

    @cached_property
    def used_nonces(self) -> Records[UsedNonce]:
        """Sign-in states that were redeemed."""
        return self.table("usednonces", UsedNonce)

    @cached_property
    def consent_sweeps(self) -> Records[ConsentSweep]:
        """How far the statuses of each audience were read."""
        return self.table("consentsweeps", ConsentSweep)

    @cached_property
    def published_consent(self) -> Records[PublishedConsent]:
        """The published version of each audience's consent table."""
        return self.table("consenttables", PublishedConsent)

    # --- Customer Insights -------------------------------------------------------------------

    @cached_property
    def landing(self) -> LandingContainer:
        """The container to which Customer Insights exports segments."""
        where = self.settings.segments
        return LandingContainer(container_client(where.storage, where.container))

    @cached_property
    def source(self) -> SegmentSource:
        """Reads segments from files that are pinned to their ETags."""
        where = self.settings.segments
        return BlobSegments(self.landing, where.root, where.null_markers, self.runtime.now)

    @cached_property
    def catalogue(self) -> Catalogue | DescribedCatalogue:
        """Segments and attributes; with names and sizes from the REST API where configured."""
        counts = StoredRowCounts(self.files)
        exported = Catalogue(
            self.landing, self.settings.segments.root, counts, now=self.runtime.now
        )
        api = self.customer_insights
        if api is None:
            return exported
        return DescribedCatalogue(
            exported,
            Remembered(api.segments, self.runtime.monotonic),
            Remembered(api.attributes, self.runtime.monotonic),
        )

    @cached_property
    def customer_insights(self) -> CustomerInsightsApi | None:
        """The REST API of Customer Insights; None where no environment is configured."""
        where = self.settings.customer_insights
        if not where.instance_id:
            return None
        return CustomerInsightsApi(
            where.api_url,
            where.instance_id,
            where.subscription_key,
            self.export_users.token,
            self.runtime.sleep,
            refused=self.export_users.refused,
        )

    @cached_property
    def entra(self) -> Entra | None:
        """Sign-in of export users; None where the app has no Entra registration."""
        where = self.settings.entra
        if not (where.client_id and where.client_secret):
            return None
        # Without the REST API, sign-in only identifies the person.
        scopes = (CUSTOMER_INSIGHTS,) if self.settings.customer_insights.instance_id else ()
        registration = AppRegistration(
            where.tenant_id, where.client_id, where.client_secret, where.authority, scopes
        )
        return Entra(registration, self.table("signins", PendingSignIn), self.runtime.now)

    @cached_property
    def export_users(self) -> ExportUsers:
        """The user on whose behalf the REST API is called."""
        return ExportUsers(
            self.connections, self.secrets, self.entra, self._app_token, self.runtime.now
        )

    def _app_token(self) -> str:
        """A token of the app itself: of its managed identity in Azure, else its registration."""
        if self.settings.in_azure:
            return token_for(credential_for(self.settings.storage), CUSTOMER_INSIGHTS)
        if self.entra is None:
            raise ConfigError("exportUserMissing")
        return self.entra.app_token().token

    # --- Mailchimp ---------------------------------------------------------------------------

    @cached_property
    def mailchimp(self) -> MailchimpGateway:
        """Sessions with the account of a connection."""
        return MailchimpGateway(
            SharedReads(self._connection),
            SharedReads(self.secrets.get),
            clock=self.runtime.monotonic,
            sleep=self.runtime.sleep,
            random=self.runtime.random,
            api_url=self.settings.mailchimp.api_url,
        )

    @cached_property
    def api_keys(self) -> MailchimpApiKeys:
        """Checks API keys."""
        return MailchimpApiKeys(self.mailchimp.open_with)

    @cached_property
    def mailchimp_sign_in(self) -> MailchimpSignIn | None:
        """Sign-in with Mailchimp; None where the app is not registered with Mailchimp."""
        where = self.settings.mailchimp
        if not (where.client_id and where.client_secret):
            return None
        return MailchimpSignIn(
            where.login_url, where.client_id, where.client_secret, self.mailchimp.open_with
        )

    @cached_property
    def slots(self) -> Slots:
        """The simultaneous connections that an account allows."""
        return Slots(
            self.leases,
            self.table("slots", SlotHolder),
            self.settings.mailchimp.connections,
            self.runtime.token,
        )

    @cached_property
    def pace(self) -> AccountPace:
        """How many of these connections may send at the moment."""
        return AccountPace(
            self.table("paces", Pace), self.settings.mailchimp.connections, self.runtime.now
        )

    @cached_property
    def sessions(self) -> OnDemandSessions:
        """Short sessions next to the lanes, within the limit of connections."""
        return OnDemandSessions(
            self.mailchimp,
            self.slots,
            self.pace,
            self.account_of,
            self.runtime.monotonic,
            self.runtime.sleep,
        )

    def account_of(self, connection_id: str) -> str:
        """The id of the Mailchimp account of a connection. NotFound when it is removed."""
        connection = self._connection(connection_id)
        if connection is None:
            raise NotFound("connectionNotFound")
        # A connection without a grant makes no calls, so its own id can be used until it has one.
        return connection.grant.account_id if connection.grant else connection.id

    def _connection(self, connection_id: str) -> Connection | None:
        stored = self.connections.read(connection_id)
        return stored.value if stored else None

    def _connection_lost(self, connection_id: str) -> None:
        """Record that Mailchimp refuses the grant, so a person has to connect the account again."""
        log_event("connection.lost", connectionId=connection_id)
        with suppress(NotFound):  # the connection was removed while a run used it
            mark_reconnect(self.connections, connection_id)

    # --- The steps of a run ------------------------------------------------------------------

    @cached_property
    def transitions(self) -> Transitions:
        """Changes the state of runs."""
        return Transitions(self.runs, self.runtime.now, self.run_checks.forget)

    @cached_property
    def starter(self) -> Starter:
        """Starts runs."""
        return Starter(
            self.exports,
            self.runs,
            self.newest_runs,
            self.queue,
            self.transitions,
            self.runtime.token,
        )

    @cached_property
    def sequences(self) -> MessageSequences:
        """Selects one of several copies of a message to continue."""
        return MessageSequences(self.sequence_states)

    @cached_property
    def plans(self) -> PlanStore:
        """Plans as they are stored."""
        return PlanStore(self.files)

    @cached_property
    def planner(self) -> Planner:
        """Plans runs."""
        dependencies = PlanDependencies(
            exports=self.exports,
            owners=self.tag_owners,
            not_subscribed=self.not_subscribed,
            contacts=self.stored_contacts,
            erasures=self.erasures,
            segments=self.source,
            files=self.files,
            sessions=self.sessions,
            max_profiles=self.settings.max_profiles,
            now=self.runtime.now,
            token=self.runtime.token,
        )
        builder = PlanBuilder(
            dependencies=dependencies,
            plans=self.plans,
            ledgers=self.ledgers,
            account_of=self.account_of,
            pace=self.pace,
            transitions=self.transitions,
            exclusions=self.exclusion_lists,
            sleep=self.runtime.sleep,
        )
        return Planner(
            runs=self.runs,
            transitions=self.transitions,
            exports=self.exports,
            chunks=self.chunks,
            queue=self.queue,
            sequences=self.sequences,
            leases=self.leases,
            builder=builder,
            plans=self.plans,
            pace=self.pace,
            connection_lost=self._connection_lost,
            connections=self.settings.mailchimp.connections,
            preview_outcomes=PreviewOutcomes(
                self.chunks, self.files, self.erasures, self.sessions, self.runtime.now
            ).write,
            run_lane=self.lanes.run,
        )

    @cached_property
    def run_checks(self) -> RunChecks:
        """Answers whether a run is still to be sent."""
        return RunChecks(self.runs, self.runtime.monotonic)

    @cached_property
    def lanes(self) -> Lanes:
        """Sends chunks."""
        worker = Worker(
            checks=self.run_checks,
            transitions=self.transitions,
            chunks=self.chunks,
            files=self.files,
            mailchimp=self.mailchimp,
            slots=self.slots,
            pace=self.pace,
            connection_lost=self._connection_lost,
            now=self.runtime.now,
            clock=self.runtime.monotonic,
            randrange=self.runtime.randrange,
            stopping=self.runtime.stopping,
            meter=self.telemetry,
            contacts=self.stored_contacts,
        )
        return Lanes(
            checks=self.run_checks,
            transitions=self.transitions,
            queue=self.queue,
            sequences=self.sequences,
            slots=self.slots,
            pace=self.pace,
            plan_of=self.plans.get,
            worker=worker,
            finish=self.finisher.finish,
            abandon=self.abandon,
            now=self.runtime.now,
            stopping=self.runtime.stopping,
            meter=self.telemetry,
        )

    @cached_property
    def finisher(self) -> Finisher:
        """Finishes runs."""
        return Finisher(
            runs=self.runs,
            transitions=self.transitions,
            chunks=self.chunks,
            ledgers=self.ledgers,
            erasures=self.erasures,
            files=self.files,
            leases=self.leases,
            check=self.mailchimp_check,
            erased_contacts=ErasedContacts(self.erasures, self.sessions),
            slots=self.slots,
            pace=self.pace,
            plan_of=self.plans.get,
            abandon=self.abandon,
            now=self.runtime.now,
            token=self.runtime.token,
            outcome_file=self.outcome_file,
        )

    @cached_property
    def mailchimp_check(self) -> MailchimpCheck:
        """Checks runs against Mailchimp before they are closed."""
        return MailchimpCheck(
            self.sessions,
            self.files,
            lambda plan: ChunkPayloads(plan, self.chunks, self.files, self.runtime.now),
            self._connection_lost,
            self.stored_contacts,
        )

    @cached_property
    def exclusion_lists(self) -> ExclusionLists:
        """The lists of people that exports never send."""
        return ExclusionLists(self.files)

    @cached_property
    def outcome_file(self) -> OutcomeFile:
        """Writes outcomes for Customer Insights, into a container of their own."""
        return OutcomeFile(self.outcome_files, self._outcomes_url, self.runtime.now)

    @cached_property
    def outcome_files(self) -> Files:
        """Blobs of the container from which Customer Insights reads."""
        return BlobFiles(self._landing_clients, OUTCOMES_CONTAINER)

    @cached_property
    def _landing_clients(self) -> StorageClients:
        return StorageClients(self.settings.segments.storage)

    @property
    def _outcomes_url(self) -> str:
        return str(self._landing_clients.container(OUTCOMES_CONTAINER).url).partition("?")[0]

    @cached_property
    def outcomes(self) -> OutcomeReader:
        """Reads outcomes, row by row."""
        return OutcomeReader(self.files)

    @cached_property
    def abandon(self) -> Abandon:
        """Ends runs that cannot continue."""
        return Abandon(self.transitions, self.chunks, self.pace, self.plans.get)

    @cached_property
    def progress(self) -> CurrentProgress:
        """Reads the progress of runs."""

        def slots_of_run(run_id: str) -> UsableSlots:
            try:
                return self.pace.usable_slots(self.plans.get(run_id).account_id)
            except ConnectorError:
                # The run is shown also when its plan is gone, or was made by a newer version.
                return UsableSlots(self.settings.mailchimp.connections)

        return CurrentProgress(self.chunks, self.runtime.now, self.runtime.monotonic, slots_of_run)

    @cached_property
    def commands(self) -> RunCommands:
        """Reads, cancels, confirms and retries runs."""
        return RunCommands(
            runs=self.runs,
            chunks=self.chunks,
            transitions=self.transitions,
            queue=self.queue,
            starter=self.starter,
            progress=self.progress,
            pace=self.pace,
            plan_of=self.plans.get,
            connections=self.settings.mailchimp.connections,
        )

    @cached_property
    def history(self) -> History:
        """Reads runs of the past."""
        return History(self.runs, self.newest_runs, self.progress.of)

    @cached_property
    def undo(self) -> Undo:
        """Starts undos."""
        return Undo(self.runs, self.ledgers, self.files, self.starter, self.plans.get)

    @cached_property
    def differences(self) -> Differences:
        """Reads the differences of previews, person by person."""
        return Differences(self.plans, self.chunks, self.files, self.runtime.now)

    @cached_property
    def hygiene(self) -> Hygiene:
        """Finds contacts without use, and archives them."""
        return Hygiene(
            exports=self.exports,
            ledgers=self.ledgers,
            not_subscribed=self.not_subscribed,
            files=self.files,
            sessions=self.sessions,
            account_of=self.account_of,
            starter=self.starter,
            now=self.runtime.now,
        )

    @cached_property
    def one_person(self) -> OnePerson:
        """Sends one person of an export."""
        return OnePerson(self.starter, self.files)

    # --- Statuses for Customer Insights -------------------------------------------------------

    @cached_property
    def consent_table(self) -> ConsentTable:
        """Publishes Mailchimp's statuses for Customer Insights."""
        return ConsentTable(
            self.published_consent,
            self.outcome_files,
            self._outcomes_url,
            self.files,
            self.erasures,
            self.runtime.now,
            self.runtime.token,
        )

    @cached_property
    def consent_webhooks(self) -> ConsentWebhooks:
        """The app's webhooks at Mailchimp."""
        return ConsentWebhooks(
            self.table("consentwebhooks", ConsentWebhook, webhook_columns),
            self.secrets,
            self.settings.public_url,
            lambda: secrets.token_hex(32),
            self.runtime.now,
        )

    @cached_property
    def consent_updates(self) -> ConsentUpdates:
        """Reads Mailchimp's statuses and publishes them."""
        return ConsentUpdates(
            requests=self.table("consentrequests", SweepRequest),
            sweeps=self.consent_sweeps,
            published=self.published_consent,
            exports=self.exports,
            connections=self.connections,
            ledgers=self.ledgers,
            files=self.files,
            sweep=Sweep(
                self.consent_sweeps,
                self.files,
                self.erasures,
                self.runtime.now,
                self.runtime.token,
            ),
            table=self.consent_table,
            webhooks=self.consent_webhooks,
            queue=self.queue,
            leases=self.leases,
            sessions=self.sessions,
            is_busy=self._is_busy,
            connection_lost=self._connection_lost,
            now=self.runtime.now,
        )

    def _is_busy(self, export_id: str) -> bool:
        run = self.history.last_run(export_id)
        return run is not None and run.is_active

    # --- The work of the timer ----------------------------------------------------------------

    @cached_property
    def scheduled_starts(self) -> ScheduledStarts:
        """Starts exports at their scheduled times."""
        return ScheduledStarts(
            exports=self.exports,
            dues=self.table("dues", ScheduleState),
            ticks=self.table("ticks", Tick),
            runs=self.runs,
            newest=self.newest_runs,
            starter=self.starter,
            refresh_schedule=self._refresh_schedule,
            now=self.runtime.now,
        )

    @cached_property
    def open_refreshes(self) -> OpenRefreshes:
        """The refreshes that are not handled completely, and their reminders."""
        return OpenRefreshes(
            progress=self.table("refreshes", RefreshProgress),
            queue=self.queue,
            now=self.runtime.now,
            times=WaitingTimes(),
        )

    @cached_property
    def refreshes(self) -> Refreshes:
        """Starts exports when Customer Insights has written a refresh."""
        files = RefreshedFiles(
            runs=self.runs,
            newest=self.newest_runs,
            ledgers=self.ledgers,
            source=self.source,
            planned=self.plans.source_fingerprint,
            model_etag=self.landing.etag,
            excluded=lambda export_id: self.exclusion_lists.read(export_id).fingerprint,
        )
        steps = RefreshSteps(
            open_refreshes=self.open_refreshes,
            runs=self.runs,
            newest=self.newest_runs,
            transitions=self.transitions,
            starter=self.starter,
            now=self.runtime.now,
            times=self.open_refreshes.times,
        )
        return Refreshes(
            exports=self.exports,
            open_refreshes=self.open_refreshes,
            files=files,
            steps=steps,
            read_events=partial(
                read_events,
                account=self.landing.account,
                container=self.settings.segments.container,
            ),
        )

    @cached_property
    def watchdog(self) -> Watchdog:
        """Resumes runs that stalled."""
        return Watchdog(
            runs=self.runs,
            chunks=self.chunks,
            transitions=self.transitions,
            queue=self.queue,
            abandon=self.abandon,
            connections=self.settings.mailchimp.connections,
            now=self.runtime.now,
        )

    @cached_property
    def leftovers(self) -> Leftovers:
        """Deletes the data of removed exports."""
        return Leftovers(
            exports=self.exports,
            runs=self.runs,
            newest=self.newest_runs,
            ledgers=self.ledgers,
            owners=self.tag_owners,
            files=self.files,
            transitions=self.transitions,
            others=(self.open_refreshes.progress, self.scheduled_starts.dues),
        )

    @cached_property
    def retention(self) -> Retention:
        """Deletes data that is older than the retention period."""
        return Retention(
            runs=self.runs,
            transitions=self.transitions,
            chunks=self.chunks,
            sequences=self.sequence_states,
            exports=self.exports,
            not_subscribed=self.not_subscribed,
            nonces=self.used_nonces,
            files=self.files,
            keep=timedelta(days=self.settings.retention_days),
            now=self.runtime.now,
            outcome_file=self.outcome_file,
        )

    def _refresh_schedule(self) -> Schedule | None:
        stored = self.schedules.read(REFRESH_SCHEDULE)
        return stored.value if stored else None

    def tick(self) -> None:
        """Do the work of the timer.

        When one part fails, the others are still done. The first error is raised at the end.
        """
        errors: list[ConnectorError] = []
        for work in (
            self.scheduled_starts.start_due,
            self.open_refreshes.resend_lost,
            self.watchdog.resume_stalled,
            self.retention.delete_old_data,
            self.leftovers.sweep,
            self.eraser.complete,
            self.consent_updates.request_due,
            self.poison_queues.log_waiting,
        ):
            try:
                work()
            except ConnectorError as error:
                errors.append(error)
        if errors:
            raise errors[0]

    # --- People ------------------------------------------------------------------------------

    @cached_property
    def erasures(self) -> Erasures:
        """The people who were erased."""
        key = partial(stored_key, self.secrets, self.leases, "erased-people-key")
        return Erasures(self.table("erasures", Erasure), key)

    @cached_property
    def stored_contacts(self) -> StoredContacts:
        """The contacts of all audiences as the last sweeps stored them."""
        return StoredContacts(self.consent_sweeps, self.files)

    @cached_property
    def eraser(self) -> Eraser:
        """Erases people."""
        purge = Purge(
            self.runs,
            self.ledgers,
            self.not_subscribed,
            self.files,
            self.runtime.token,
            self.outcome_file,
            self.exclusion_lists,
            self.consent_sweeps,
            self.consent_table.remove_profiles,
        )
        calls = AllAudiences(self.sessions, self.account_of)
        return Eraser(
            exports=self.exports,
            other_addresses=OtherAddresses(self.stored_contacts, calls),
            calls=calls,
            runs=self.runs,
            transitions=self.transitions,
            erasures=self.erasures,
            purge=purge,
            now=self.runtime.now,
            token=self.runtime.token,
        )

    @cached_property
    def search(self) -> Search:
        """Finds people."""
        return Search(
            exports=self.exports,
            runs=self.runs,
            ledgers=self.ledgers,
            owners=self.tag_owners,
            files=self.files,
            sessions=self.sessions,
            account_of=self.account_of,
            erasures=self.erasures,
            exclusions=self.exclusion_lists,
            contacts=self.stored_contacts,
        )

    # --- HTTP --------------------------------------------------------------------------------

    @cached_property
    def web(self) -> WebApp:
        """The JSON API and the admin pages."""
        # Imported with the first request: instances that process queues start without a web framework.
        from shared.web.app import create_app
        from shared.web.services import Services

        definitions = Definitions(
            self.exports,
            self._is_busy,
            self.runtime.now,
            self.runtime.new_id,
            self.leftovers.delete,
        )
        connections = Connections(
            self.connections, self.secrets, definitions, self.runtime.now, self.runtime.new_id
        )
        return create_app(
            Services(
                authenticator=self._authenticator(),
                audit_records=self.table("audit", AuditEntry),
                clock=self.runtime.now,
                new_id=self.runtime.new_id,
                public_url=self.settings.public_url,
                max_profiles=self.settings.max_profiles,
                connections=connections,
                api_keys=self.api_keys,
                sign_ins=self._sign_ins(connections),
                sessions=self.sessions,
                consent_updates=self.consent_updates,
                hygiene=self.hygiene,
                definitions=definitions,
                exclusions=self.exclusion_lists,
                schedule_records=self.schedules,
                catalogue=self.catalogue,
                customer_insights=self.customer_insights,
                starter=self.starter,
                runs=self.commands,
                history=self.history,
                undo=self.undo,
                one_person=self.one_person,
                outcomes=self.outcomes,
                differences=self.differences,
                search=self.search,
                eraser=self.eraser,
            )
        )

    def _authenticator(self) -> Authenticator:
        developer = self.settings.developer
        return Authenticator(
            authentication_on=self.settings.auth_enabled,
            in_azure=self.settings.in_azure,
            developer=Principal(developer.id, developer.name, highest(developer.roles))
            if developer
            else None,
            public_url=self.settings.public_url,
        )

    def _sign_ins(self, connections: Connections) -> SignIns | None:
        if not (self.mailchimp_sign_in or self.entra):
            return None
        states = SignedStates(
            partial(stored_key, self.secrets, self.leases, "sign-in-state-key"),
            self._use_once,
            now=time.time,
            random_text=lambda: secrets.token_hex(24),
        )
        public_url = self.settings.public_url
        return SignIns(connections, states, public_url, self.mailchimp_sign_in, self.entra)

    def _use_once(self, nonce: str) -> bool:
        try:
            self.used_nonces.create(nonce, UsedNonce(self.runtime.now()))
        except Conflict:
            return False
        return True

    # --- Queue messages ----------------------------------------------------------------------

    def working(
        self, function: str, body: bytes, run_id: str, platform_trace: str | None
    ) -> AbstractContextManager[None]:
        """Process a message in its own trace, else in that of its run or of the platform."""
        stamps = stamps_of(body)
        stored = self.runs.read(run_id) if run_id and stamps.trace is None else None
        traces = (stored.value.trace if stored else None, platform_trace)
        return self.telemetry.message(function, stamps, *traces, run_id=run_id)

    @contextmanager
    def given_up(
        self, function: str, body: bytes, platform_trace: str | None
    ) -> Iterator[str | None]:
        """Process a message that failed too often. Yields the id of its run.

        Yields None for an unreadable message, which is logged and dropped: another failure would
        only move it to a queue that is not monitored.
        """
        try:
            run_id = run_of(body)
            working = self.working(function, body, run_id, platform_trace)
        except InputError:
            log_event("message.unusable", level=logging.ERROR, function=function)
            yield None
            return
        with working:
            yield run_id


def build(settings: Settings, runtime: Runtime | None = None, **overrides: Any) -> App:
    """Build an app with these settings. `overrides` replaces parts by the name of their property.

    `table` may be replaced as well, by a callable with the same parameters. Raises TypeError
    with the name of a part that does not exist.
    """
    built = App(settings, runtime or Runtime())
    for name, part in overrides.items():
        if not isinstance(vars(App).get(name), cached_property) and name != "table":
            message = f"The app has no part named {name!r}."
            raise TypeError(message)
        setattr(built, name, part)
    return built


@cache
def app() -> App:
    """The app of this process. ConfigError lists every setting that is wrong."""
    delete_abandoned_folders()
    return build(load())
