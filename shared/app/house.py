"""The whole house: what the triggers of function_app.py ask for."""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property, lru_cache

from shared.app.heart import Heart
from shared.app.stores import UsedNonce
from shared.connections.sign_in_state import SignedStates
from shared.errors import Conflict, ConnectorError, InputError, NotFound
from shared.messaging.events import log_event
from shared.messaging.messages import run_of, stamps_of
from shared.model.ports import MailchimpSession, readable
from shared.model.run import Mode, Run, Trigger
from shared.settings import load
from shared.web.api import routes_for
from shared.web.audit import AuditEntry
from shared.web.needs import Desk
from shared.web.pages import pages_for
from shared.web.principal import Doorkeeper, Principal, highest
from shared.web.site import Site

__all__ = ["App", "app"]


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


@dataclass
class App(Heart):
    """The house; each part is made when it is first asked for."""

    @cached_property
    def site(self) -> Site:
        """Answers HTTP requests."""
        desk = Desk(
            doorkeeper=self._doorkeeper(),
            connections=self.connections,
            exports=self.exports,
            audit=self.table("audit", AuditEntry),
            schedule=self.schedules,
            secrets=self.secrets,
            mailchimp=_GuestMailchimp(self),
            catalogue=self.catalogue,
            key_door=self.api_key_door,
            clock=self.chance.now,
            new_id=self.chance.new_id,
            start=self.starter.start,
            run_all=self.run_all,
            run=self.control.read,
            runs=lambda export_id, status, top: list(self.control.newest(export_id, status, top)),
            cancel=lambda run_id, _by: self.control.cancel(run_id),
            confirm=lambda run_id, _by: self.control.confirm(run_id),
            retry=self.control.retry,
            outcomes=self.report.rows,
            export_removed=self.remains.clear,
            disconnected=self.control.disconnected,
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

    @contextmanager
    def given_up(self, function: str, body: bytes, given: str | None) -> Iterator[str | None]:
        """The last word on a message that the queue gave up: the run that it is about.

        None for a message that nobody can read, which is told and dropped: failing once more would
        only put it where nobody looks.
        """
        try:
            run_id = run_of(body)
            working = self.working(function, body, run_id, given)
        except InputError:
            log_event("message.unusable", level=logging.ERROR, function=function)
            yield None
            return
        with working:
            yield run_id

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
            self.poison_queues.log_waiting,
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
        for stored in readable(self.exports.all()):
            if not (stored.value.schedule.enabled and stored.value.connection_id):
                continue
            # Whoever removes or detaches an export in this moment stops no other.
            with suppress(NotFound, Conflict):
                run = self.starter.start(stored.key, Trigger.ON_DEMAND, Mode.EXPORT, requested_by)
                started.append(run)
        return started

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

    def _use_once(self, nonce: str) -> bool:
        try:
            self.used_nonces.create(nonce, UsedNonce(self.chance.now()))
        except Conflict:
            return False
        return True


@lru_cache(maxsize=1)
def app() -> App:
    """The app of this process. ConfigError lists every setting that is wrong."""
    return App(load())
