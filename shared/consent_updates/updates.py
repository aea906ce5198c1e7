"""Decides when to read and publish the statuses of each audience. One process at a time works on an audience.

The timer and Mailchimp's webhooks request a sweep of an audience that an export uses. A request is a record and a
message; while the record exists, further requests have no effect. The record is deleted before the sweep begins,
so a change during the sweep leads to another one. When no export uses an audience any more, the message deletes
everything that was stored for it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from shared.capacity.on_demand import OnDemandSessions
from shared.capacity.renewed_lease import hold_lease
from shared.consent_updates.sweep import Sweep
from shared.consent_updates.table import ConsentTable
from shared.consent_updates.webhooks import ConsentWebhooks
from shared.errors import (
    Changed,
    ConfigError,
    Disconnected,
    InputError,
    Refused,
    Unavailable,
)
from shared.mailchimp.session import MailchimpSession
from shared.messaging.events import log_event
from shared.messaging.messages import audience_of, consent_message
from shared.model.connection import Connection, ConnectionStatus
from shared.model.consent import ConsentState, ConsentSweep, PublishedConsent
from shared.model.export import Export
from shared.model.finding import Reason
from shared.model.ledger import LedgerPointer
from shared.model.names import (
    CONSENT_SWEEPS,
    account_in,
    audience_in,
    audience_key,
    contacts_folder,
)
from shared.model.ports import (
    Files,
    Leases,
    Queue,
    Records,
    create_or_replace,
    delete_all,
    readable,
    split_unreadable,
)

_SWEEP_EVERY = timedelta(minutes=15)
# After this time, a request is repeated: its message may have been lost when a process was killed.
_REQUEST_LIFETIME = timedelta(minutes=10)
_BUSY_DELAY = 20.0
# Webhook calls come in groups, and one sweep reads the changes of all of them.
_EVENT_DELAY = 10.0
_UNAVAILABLE_DELAY = 60.0


@dataclass(frozen=True)
class SweepRequest:
    """A requested sweep of an audience, and when it was requested."""

    at: datetime


@dataclass(frozen=True)
class _Use:
    """The exports that use an audience, and the connection that reads it; empty if none is connected."""

    connection_id: str
    exports: tuple[str, ...]


_NO_USE = _Use("", ())


@dataclass(frozen=True)
class ConsentUpdates:
    """Keeps the stored statuses and the table for Customer Insights up to date.

    `is_busy` returns whether a run of an export is active. `connection_lost` records that Mailchimp refuses the
    grant of a connection.
    """

    requests: Records[SweepRequest]
    sweeps: Records[ConsentSweep]
    published: Records[PublishedConsent]
    exports: Records[Export]
    connections: Records[Connection]
    ledgers: Records[LedgerPointer]
    files: Files
    sweep: Sweep
    table: ConsentTable
    webhooks: ConsentWebhooks
    queue: Queue
    leases: Leases
    sessions: OnDemandSessions
    is_busy: Callable[[str], bool]
    connection_lost: Callable[[str], None]
    now: Callable[[], datetime]

    def request_due(self) -> int:
        """Request the sweeps that are due, and the removal of audiences that no export uses.

        Returns the number of requests.
        """
        uses, is_complete = self._uses()
        due = [key for key, use in uses.items() if self._is_due(key, use)]
        if is_complete:
            due += sorted(self._stored_audiences() - set(uses))
        return sum(self.request(key) for key in due)

    def _stored_audiences(self) -> set[str]:
        """Return the audiences for which something is stored. Before the first run has ended, it may be only the webhook."""
        return {
            one.key
            for records in (self.sweeps, self.published, self.webhooks.records)
            for one in records.all()
        }

    def request(self, key: str, delay: float = 0) -> bool:
        """Request a sweep of an audience in `delay` seconds. False when it was requested before."""
        stored = self.requests.read(key)
        # A time in the future was written by a wrong clock, and must not prevent sweeps until then.
        if stored and abs(self.now() - stored.value.at) < _REQUEST_LIFETIME:
            return False
        try:
            create_or_replace(self.requests, key, SweepRequest(self.now()), stored)
        except Changed:
            return False
        self.queue.send(CONSENT_SWEEPS, consent_message(key), delay)
        return True

    def states(self, connection_id: str) -> list[ConsentState]:
        """Return how current the audiences are that exports use through a connection."""
        stored = self.connections.read(connection_id)
        if stored is None or stored.value.grant is None:
            return []
        account_id = stored.value.grant.account_id
        audiences = {
            export.value.audience_id
            for export in readable(self.exports.all())
            if export.value.connection_id == connection_id
        }
        return [self._state(account_id, audience_id) for audience_id in sorted(audiences)]

    def _state(self, account_id: str, audience_id: str) -> ConsentState:
        key = audience_key(account_id, audience_id)
        state = ConsentState(audience_id)
        if sweep := self.sweeps.read(key):
            state = replace(state, sweep=sweep.value)
        if published := self.published.read(key):
            state = replace(state, published=published.value)
        if webhook := self.webhooks.records.read(key):
            state = replace(state, webhook=webhook.value)
        return state

    def accept_call(self, token: str, body: bytes, signature: str) -> bool:
        """Request a sweep for a call of a webhook. False for an unknown token or a wrong signature."""
        key = self.webhooks.audience_of(token, body, signature)
        if key is None:
            return False
        self.request(key, _EVENT_DELAY)
        return True

    def delete_webhooks(self, connection_id: str) -> None:
        """Delete the webhooks that only this connection can delete, before its grant is deleted.

        These are also webhooks of audiences that no export uses any more and that the timer has not removed yet. If
        Mailchimp does not answer or refuses the grant, they stay there, and their calls are refused.
        """
        uses, _ = self._uses()
        remaining, _ = self._uses(without=connection_id)
        keys = [key for key, use in uses.items() if use.connection_id == connection_id]
        for key in (*keys, *self._unused_audiences(connection_id, set(uses))):
            if remaining.get(key, _NO_USE).connection_id:
                continue
            try:
                with self.sessions.for_request(connection_id) as session:
                    self.webhooks.remove(session, key)
            except (Disconnected, Unavailable) as error:
                # A person is waiting, and the other audiences are in the same account.
                log_event("consent.webhookStays", audience=key, reason=error.code)
                return
            except (ConfigError, Refused) as error:
                log_event("consent.webhookStays", audience=key, reason=error.code)

    def _unused_audiences(self, connection_id: str, used: Collection[str]) -> list[str]:
        """Return the stored audiences that no export uses, if no other connection can remove their webhooks."""
        stored = self.connections.read(connection_id)
        if stored is None or stored.value.grant is None:
            return []
        account_id = stored.value.grant.account_id
        if any(one.id != connection_id for one in self._connected_to(account_id)):
            return []
        unused = self._stored_audiences() - set(used)
        return sorted(key for key in unused if account_in(key) == account_id)

    def update(self, key: str) -> None:
        """Sweep an audience and publish its statuses, or delete them when no export uses the audience."""
        self.requests.delete(key)
        lease = hold_lease(self.leases, f"consent-{key.replace('/', '-')}")
        if lease is None:
            self.request(key, _BUSY_DELAY)
            return
        with lease:
            uses, is_complete = self._uses()
            use = uses.get(key)
            if use is None:
                if is_complete:
                    self._remove(key)
                return
            if not use.connection_id:
                return
            try:
                self._update(key, use)
            except (Changed, Unavailable) as error:
                log_event("consent.postponed", audience=key, reason=error.code)
                self.request(key, _UNAVAILABLE_DELAY)
            except Disconnected as error:
                self.connection_lost(use.connection_id)
                self._record_problem(key, error)
            except (ConfigError, Refused) as error:
                log_event("consent.failed", logging.WARNING, audience=key, reason=error.code)
                self._record_problem(key, error)

    def give_up(self, body: bytes) -> None:
        """Log a message that failed in every attempt. The timer requests the sweep again."""
        try:
            key = audience_of(body)
        except InputError:
            log_event("message.unusable", logging.ERROR, function="consent_sweep_poison")
            return
        log_event("consent.messageGaveUp", logging.ERROR, audience=key)

    def _update(self, key: str, use: _Use) -> None:
        account_id, audience_id = account_in(key), audience_in(key)
        # A run changes contacts in large numbers, which are read at once when it has ended. Meanwhile, the
        # sweep would read them one page after the other, over a connection that the run needs.
        is_busy = self._is_busy(use)
        sweep = self.sweep.sweep_withdrawals if is_busy else self.sweep.sweep
        with self.sessions.session(use.connection_id, account_id) as session:
            self.webhooks.ensure(session, key)
            state = sweep(session, account_id, audience_id)
            if state.complete or self._is_published(key):
                self._publish(session, key, state, use.exports)
        if not state.complete and not is_busy:
            self.request(key)

    def _publish(
        self, session: MailchimpSession, key: str, state: ConsentSweep, exports: Iterable[str]
    ) -> None:
        account_id, audience_id = account_in(key), audience_in(key)
        pointers = [stored.value for export in exports if (stored := self.ledgers.read(export))]
        seconds = self.table.publish(
            account_id,
            audience_id,
            lambda: session.audience(audience_id).name,
            state,
            [one.blob for one in pointers if one.is_of(account_id, audience_id)],
        )
        if seconds:
            self.request(key, seconds)

    def _is_published(self, key: str) -> bool:
        stored = self.published.read(key)
        return stored is not None and bool(stored.value.version)

    def _remove(self, key: str) -> None:
        self._remove_webhook(key)
        self.table.remove(key)
        delete_all(self.files, contacts_folder(key))
        # Last, because the timer finds the audience by this record.
        self.sweeps.delete(key)

    def _remove_webhook(self, key: str) -> None:
        account_id = account_in(key)
        for connection in self._connected_to(account_id):
            try:
                with self.sessions.session(connection.id, account_id) as session:
                    self.webhooks.remove(session, key)
            except Disconnected as error:
                self.connection_lost(connection.id)
                log_event("consent.webhookStays", audience=key, reason=error.code)
                continue  # another connection may still have access
            except (ConfigError, Refused) as error:
                log_event("consent.webhookStays", audience=key, reason=error.code)
            break
        self.webhooks.delete_record(key)

    def _connected_to(self, account_id: str) -> list[Connection]:
        """Return the connections to an account that Mailchimp has not refused."""
        return [
            stored.value
            for stored in readable(self.connections.all())
            if stored.value.status is ConnectionStatus.CONNECTED
            and stored.value.grant
            and stored.value.grant.account_id == account_id
        ]

    def _record_problem(self, key: str, error: ConfigError | Refused) -> None:
        stored = self.sweeps.read(key)
        before = stored.value if stored else ConsentSweep()
        after = replace(before, swept_at=self.now(), problem=Reason.of(error))
        with suppress(Changed):
            create_or_replace(self.sweeps, key, after, stored)

    def _is_due(self, key: str, use: _Use) -> bool:
        if not use.connection_id:
            return False
        stored = self.sweeps.read(key)
        sweep = stored.value if stored else ConsentSweep()
        if sweep.complete and sweep.swept_at and abs(self.now() - sweep.swept_at) < _SWEEP_EVERY:
            return False
        return not self._is_busy(use)

    def _is_busy(self, use: _Use) -> bool:
        return any(self.is_busy(export) for export in use.exports)

    def _uses(self, without: str = "") -> tuple[dict[str, _Use], bool]:
        """Return the audiences that exports use, by key, and whether all exports and connections were readable.

        The connection `without` is ignored.
        """
        exports, no_export = split_unreadable(self.exports.all())
        connections, no_connection = split_unreadable(self.connections.all())
        by_id = {stored.key: stored.value for stored in connections}
        uses: dict[str, _Use] = {}
        for stored in exports:
            connection = by_id.get(stored.value.connection_id or "")
            if connection is None or connection.grant is None or connection.id == without:
                continue
            key = audience_key(connection.grant.account_id, stored.value.audience_id)
            before = uses.get(key, _NO_USE)
            usable = connection.id if connection.status is ConnectionStatus.CONNECTED else ""
            uses[key] = _Use(before.connection_id or usable, (*before.exports, stored.key))
        return uses, no_export is None and no_connection is None
