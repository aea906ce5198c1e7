"""Runs: what starts, plans, sends, finishes, shows, takes back and clears away."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from urllib.parse import urlsplit

from shared.app.doors import Doors
from shared.app.stores import UsedNonce
from shared.errors import NotFound, Unavailable
from shared.finishing.finish import Finisher
from shared.messaging.sequence import MessageSequences
from shared.model.export import Schedule
from shared.model.plan import Plan, PlanGone
from shared.model.ports import Records
from shared.people.erase import Eraser
from shared.people.erasures import Erasure, Erasures
from shared.people.purge import Purge
from shared.people.retention import Retention
from shared.people.search import Search
from shared.planning.build import PlanBuilder
from shared.planning.plan import Planner
from shared.planning.preparation import AudiencePreparation
from shared.runs.abandon import Abandon
from shared.runs.commands import RunCommands
from shared.runs.leftovers import Leftovers
from shared.runs.outcome_file import CONTAINER, OutcomeFile
from shared.runs.outcomes import OutcomeReader
from shared.runs.plan_store import PlanStore
from shared.runs.start import Starter
from shared.runs.undo import Undo
from shared.runs.watchdog import Watchdog
from shared.scheduling.refresh import Announcement, Refreshes
from shared.scheduling.refresh_progress import Patience, RefreshProgress
from shared.scheduling.timetable import Due, Tick, Timetable
from shared.segments.events import read_event
from shared.sending.lane import Lanes
from shared.storage.clients import (
    StorageClients,
)
from shared.storage.files import BlobFiles
from shared.web.api.refresh_schedule import KEY as REFRESH_SCHEDULE

__all__ = ["Heart"]


def _account_name(container_url: str) -> str:
    """The storage account of a container's address; an emulator has it in the path."""
    address = urlsplit(container_url)
    folders = address.path.strip("/").split("/")
    return folders[0] if len(folders) > 1 else (address.hostname or "").partition(".")[0]


@dataclass
class Heart(Doors):
    """The use cases of exports, put together."""

    @cached_property
    def starter(self) -> Starter:
        """Starts runs."""
        return Starter(
            self.exports, self.runs, self.active, self.queue, self.chance.now, self.chance.token
        )

    @cached_property
    def planner(self) -> Planner:
        """Plans runs."""
        preparation = AudiencePreparation(
            exports=self.exports,
            owners=self.tag_owners,
            held=self.held,
            files=self.files,
            guests=self.guests,
            now=self.chance.now,
            token=self.chance.token,
        )
        maker = PlanBuilder(
            preparation=preparation,
            written=self.written_plans,
            ledgers=self.ledgers,
            erased=self.erased,
            source=self.source,
            account_of=self.account_of,
            max_profiles=self.settings.max_profiles,
            connections=self.settings.mailchimp.connections,
        )
        return Planner(
            runs=self.runs,
            exports=self.exports,
            chunks=self.chunks,
            queue=self.queue,
            batons=self.batons,
            leases=self.leases,
            source=self.source,
            maker=maker,
            written=self.written_plans,
            pace=self.pace,
            disconnected=self.lose_connection,
            connections=self.settings.mailchimp.connections,
            now=self.chance.now,
        )

    @cached_property
    def written_plans(self) -> PlanStore:
        """Plans as they are written down."""
        return PlanStore(self.files)

    @cached_property
    def lanes(self) -> Lanes:
        """Sends."""
        return Lanes(
            runs=self.runs,
            chunks=self.chunks,
            files=self.files,
            queue=self.queue,
            batons=self.batons,
            mailchimp=self.mailchimp,
            slots=self.slots,
            pace=self.pace,
            plan_of=self.plan_of,
            finish=self.finisher.finish,
            abandon=self.abandon,
            disconnected=self.lose_connection,
            now=self.chance.now,
            clock=self.chance.clock,
            turn=self.chance.turn,
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
            leases=self.leases,
            mailchimp=self.mailchimp,
            slots=self.slots,
            pace=self.pace,
            plan_of=self.plan_of,
            abandon=self.abandon,
            disconnected=self.lose_connection,
            now=self.chance.now,
            token=self.chance.token,
            handback=self.handback,
        )

    @cached_property
    def batons(self) -> MessageSequences:
        """One living message a line."""
        return MessageSequences(self.turns)

    @cached_property
    def abandon(self) -> Abandon:
        """Ends runs that cannot go on."""
        return Abandon(self.runs, self.chunks, self.pace, self.plan_of, self.chance.now)

    @cached_property
    def handback(self) -> OutcomeFile | None:
        """Hands outcomes back to Customer Insights; never into the container that is watched."""
        where = self.settings.segments
        if where.container == CONTAINER:
            return None
        clients = StorageClients(where.storage)
        url = str(clients.container(CONTAINER).url).partition("?")[0]
        return OutcomeFile(BlobFiles(clients, CONTAINER), url, self.chance.now)

    @cached_property
    def control(self) -> RunCommands:
        """What people do with runs."""
        return RunCommands(
            runs=self.runs,
            chunks=self.chunks,
            queue=self.queue,
            starter=self.starter,
            pace=self.pace,
            plan_of=self.plan_of,
            connections=self.settings.mailchimp.connections,
            now=self.chance.now,
        )

    @cached_property
    def undo(self) -> Undo:
        """Takes runs back."""
        return Undo(self.runs, self.ledgers, self.files, self.starter, self.plan_of)

    @cached_property
    def report(self) -> OutcomeReader:
        """Outcomes, row by row."""
        return OutcomeReader(self.files)

    @cached_property
    def erased(self) -> Erasures:
        """Who was erased."""
        return Erasures(self.table("erasures", Erasure), self._erased_key)

    @cached_property
    def eraser(self) -> Eraser:
        """Erases people."""
        purge = Purge(
            self.runs, self.ledgers, self.held, self.files, self.chance.token, self.handback
        )
        return Eraser(
            exports=self.exports,
            runs=self.runs,
            erased=self.erased,
            purge=purge,
            guests=self.guests,
            account_of=self.account_of,
            now=self.chance.now,
            token=self.chance.token,
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
    def remains(self) -> Leftovers:
        """Clears away what belonged to removed exports."""
        return Leftovers(
            exports=self.exports,
            runs=self.runs,
            active=self.active,
            ledgers=self.ledgers,
            owners=self.tag_owners,
            files=self.files,
            now=self.chance.now,
            others=(self.refreshes.watches, self.timetable.dues),
        )

    @cached_property
    def watch(self) -> Watchdog:
        """Looks after runs that stand still."""
        return Watchdog(
            runs=self.runs,
            chunks=self.chunks,
            queue=self.queue,
            abandon=self.abandon,
            connections=self.settings.mailchimp.connections,
            now=self.chance.now,
        )

    @cached_property
    def retention(self) -> Retention:
        """Clears away what is old."""
        return Retention(
            runs=self.runs,
            chunks=self.chunks,
            turns=self.turns,
            exports=self.exports,
            held=self.held,
            nonces=self.used_nonces,
            files=self.files,
            keep=timedelta(days=self.settings.retention_days),
            now=self.chance.now,
            handback=self.handback,
        )

    @cached_property
    def used_nonces(self) -> Records[UsedNonce]:
        """Sign-in states that were redeemed."""
        return self.table("usednonces", UsedNonce)

    @cached_property
    def refreshes(self) -> Refreshes:
        """Starts exports when Customer Insights has written a refresh."""
        return Refreshes(
            exports=self.exports,
            watches=self.table("refreshes", RefreshProgress),
            runs=self.runs,
            active=self.active,
            ledgers=self.ledgers,
            starter=self.starter,
            source=self.source,
            queue=self.queue,
            planned=self._planned_mark,
            read_event=self._landing_event,
            model_etag=self._landing_etag,
            now=self.chance.now,
            patience=Patience(),
        )

    @cached_property
    def timetable(self) -> Timetable:
        """Starts exports when their time has come."""
        return Timetable(
            exports=self.exports,
            dues=self.table("dues", Due),
            ticks=self.table("ticks", Tick),
            runs=self.runs,
            active=self.active,
            starter=self.starter,
            refresh_schedule=self._refresh_schedule,
            now=self.chance.now,
        )

    @cached_property
    def _plans(self) -> dict[str, Plan]:
        return {}

    def plan_of(self, run_id: str) -> Plan:
        """A run's plan; plans never change, so the newest few are remembered. PlanGone."""
        plan = self._plans.get(run_id)
        if plan is None:
            plan = self.written_plans.read(run_id)
            if plan is None:
                raise PlanGone
            while len(self._plans) >= 8:
                self._plans.pop(next(iter(self._plans)), None)
            self._plans[run_id] = plan
        return plan

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
