"""On-demand sessions: short calls to Mailchimp while lanes may hold every connection.

Planning, finishing and HTTP requests use them. An on-demand session waits for a slot and asks the
lanes to free one, so the limit of connections is respected and the wait is short.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass, field

from shared.capacity.pace import AccountPace
from shared.capacity.parallel_calls import ParallelCalls
from shared.capacity.slots import Slot, Slots
from shared.errors import Unavailable
from shared.mailchimp.gateway import MailchimpGateway
from shared.mailchimp.session import MailchimpSession

# The code of the error when no connection became free.
NO_SLOT = "noSlot"
_LOOK_EVERY = 0.5
_REQUEST_PATIENCE = 15.0
# Seconds. If a session took longer before it failed, Mailchimp does not answer for the account.
_NO_ANSWER_AFTER = 30.0
# Seconds for which requests do not ask such an account again.
_LEFT_ALONE_FOR = 30.0


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
    _silent: dict[str, tuple[float, Unavailable]] = field(default_factory=dict, init=False)

    @contextmanager
    def session(
        self,
        connection_id: str,
        account_id: str,
        patience: float = 60.0,
        *,
        person_waits: bool = False,
    ) -> Iterator[MailchimpSession]:
        """Open a session for the duration of the context. Unavailable when no connection became free.

        `person_waits` is for HTTP requests, which Azure ends after 230 seconds.
        """
        slot = self.slot(account_id, patience)
        with self._session(connection_id, slot, person_waits) as session:
            yield session

    @contextmanager
    def parallel(
        self, connection_id: str, account_id: str, patience: float = 60.0
    ) -> Iterator[ParallelCalls]:
        """Make several calls at a time: over one connection like that of `session`, and others that are free."""
        last = self.slot(account_id, patience)

        def extra() -> AbstractContextManager[MailchimpSession] | None:
            # The slots up to the last one are held, so looking there would only take requests to storage.
            nonlocal last
            slot = self.slots.take(account_id, prefer=last.index + 1)
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
        """A session for an HTTP request, which waits at most 15 seconds for a connection.

        An account that did not answer is left alone for a short time: a request may need several sessions, and Azure ends
        it after 230 seconds.
        """
        account_id = self.account_of(connection_id)
        until, silent = self._silent.get(account_id, (0.0, None))
        began = self.clock()
        if silent is not None and began < until:
            raise silent
        patience = _REQUEST_PATIENCE
        try:
            with self.session(connection_id, account_id, patience, person_waits=True) as session:
                yield session
        except Unavailable as error:
            if self.clock() - began > _NO_ANSWER_AFTER:
                self._silent[account_id] = (self.clock() + _LEFT_ALONE_FOR, error)
            raise

    @contextmanager
    def _session(
        self, connection_id: str, slot: Slot, person_waits: bool = False
    ) -> Iterator[MailchimpSession]:
        with slot:
            session = self.mailchimp.open(
                connection_id,
                lambda pause: self.pace.throttled(slot.account_id, pause),
                person_waits,
            )
            with closing(session):
                yield session

    def slot(self, account_id: str, patience: float) -> Slot:
        """Wait for a slot of the account and take it."""
        slot = self.slots.take(account_id)
        until = self.clock() + patience
        while slot is None:
            if self.clock() >= until:
                raise Unavailable(NO_SLOT, retry_after=15)
            self.pace.reserve_slot(account_id)
            self.sleep(_LOOK_EVERY)
            slot = self.slots.take(account_id)
        return slot
