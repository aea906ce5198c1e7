"""On-demand sessions: short calls to Mailchimp while lanes may hold every connection.

Planning, finishing and HTTP requests use them. An on-demand session waits for a slot and asks the
lanes to free one, so the limit of connections is respected and the wait is short.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass

from shared.capacity.pace import AccountPace
from shared.capacity.parallel_calls import ParallelCalls
from shared.capacity.slots import Slot, Slots
from shared.errors import Disconnected, Unavailable
from shared.mailchimp.gateway import MailchimpGateway
from shared.mailchimp.session import MailchimpSession
from shared.request_time import OTHER_SERVICES, current_request, seconds_left

# The code of the error when no connection became free.
NO_SLOT = "noSlot"
_LOOK_EVERY = 0.5
REQUEST_PATIENCE = 15.0
"""Seconds that an HTTP request waits for a connection."""


@dataclass(frozen=True)
class OnDemandSessions:
    """Opens sessions within the limit of connections.

    `account_of` returns the Mailchimp account of a connection. `patience` is in seconds.
    """

    mailchimp: MailchimpGateway
    slots: Slots
    pace: AccountPace
    account_of: Callable[[str], str]
    clock: Callable[[], float]
    sleep: Callable[[float], None]

    @contextmanager
    def session(
        self, connection_id: str, account_id: str, patience: float = 60.0
    ) -> Iterator[MailchimpSession]:
        """Open a session for the duration of the context. Unavailable when no connection became free."""
        with _remember_failure(connection_id, account_id):
            slot = self.slot(account_id, patience)
            with self._session(connection_id, slot) as session:
                yield session

    @contextmanager
    def parallel(
        self, connection_id: str, account_id: str, patience: float = 60.0
    ) -> Iterator[ParallelCalls]:
        """Make several calls at a time: over one connection like that of `session`, and others that are free."""
        with _remember_failure(connection_id, account_id):
            last = self.slot(account_id, patience)
            with self._parallel(connection_id, last) as calls:
                yield calls

    @contextmanager
    def _parallel(self, connection_id: str, last: Slot) -> Iterator[ParallelCalls]:
        def extra() -> AbstractContextManager[MailchimpSession] | None:
            # The slots up to the last one are held, so looking there would only take requests to storage.
            nonlocal last
            slot = self.slots.take(last.account_id, prefer=last.index + 1)
            if slot is None:
                return None
            last = slot
            return self._session(connection_id, slot)

        with (
            self._session(connection_id, last) as session,
            ParallelCalls(session, extra) as calls,
        ):
            yield calls

    @contextmanager
    def for_request(self, connection_id: str) -> Iterator[MailchimpSession]:
        """A session for an HTTP request, which waits at most 15 seconds for a connection."""
        account_id = self.account_of(connection_id)
        with self.session(connection_id, account_id, REQUEST_PATIENCE) as session:
            yield session

    @contextmanager
    def _session(self, connection_id: str, slot: Slot) -> Iterator[MailchimpSession]:
        with slot:
            session = self.mailchimp.open(
                connection_id,
                lambda pause: self.pace.throttled(slot.account_id, pause),
            )
            with closing(session):
                yield session

    def slot(self, account_id: str, patience: float) -> Slot:
        """Wait for a slot of the account and take it."""
        slot = self.slots.take(account_id)
        until = self.clock() + min(patience, seconds_left(OTHER_SERVICES))
        while slot is None:
            if self.clock() >= until:
                raise Unavailable(NO_SLOT, retry_after=15)
            self.pace.reserve_slot(account_id)
            self.sleep(_LOOK_EVERY)
            slot = self.slots.take(account_id)
        return slot


@contextmanager
def _remember_failure(connection_id: str, account_id: str) -> Iterator[None]:
    """Remember in an HTTP request that an account was unavailable, or that Mailchimp refused a connection.

    The next session of the request with this account or connection gets the same error at once, because a person waits.
    """
    request = current_request()
    failed = {} if request is None else request.failed
    account, connection = f"account {account_id}", f"connection {connection_id}"
    if error := failed.get(account) or failed.get(connection):
        raise error
    try:
        yield
    except Unavailable as error:
        failed[account] = error
        raise
    except Disconnected as error:
        failed[connection] = error
        raise
