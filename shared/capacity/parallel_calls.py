"""Several calls to Mailchimp at a time, over connections of an account that are free.

A call takes Mailchimp 0.1 s to some seconds, and reading an audience takes many calls that do not depend
on each other.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import AbstractContextManager, ExitStack, suppress
from queue import LifoQueue
from typing import TypeVar

from shared.errors import ConnectorError
from shared.mailchimp.session import MailchimpSession
from shared.model.audience import CallCounts
from shared.request_time import RequestThreads

# Half of the connections, so that a run that begins to send meanwhile finds some.
MOST_AT_A_TIME = 5

_T = TypeVar("_T")


class ParallelCalls:
    """Makes calls in threads. Leaving the context waits for all calls.

    `session` is the first connection; `extra` opens a further one, or returns None if none is free.
    """

    def __init__(
        self,
        session: MailchimpSession,
        extra: Callable[[], AbstractContextManager[MailchimpSession] | None],
    ) -> None:
        self._extra = extra
        self._opened = [session]
        self._free: LifoQueue[MailchimpSession] = LifoQueue()
        self._free.put(session)
        self._threads = RequestThreads(MOST_AT_A_TIME, thread_name_prefix="calls")
        self._close = ExitStack()
        self._lock = threading.Lock()
        self._most = MOST_AT_A_TIME

    @property
    def calls(self) -> CallCounts:
        """How many calls were made so far."""
        return sum((session.calls for session in self._opened), CallCounts())

    def submit(self, call: Callable[[MailchimpSession], _T]) -> Future[_T]:
        """Start a call. Calls that change something may run before or after each other."""
        return self._threads.submit(self._run, call)

    def _run(self, call: Callable[[MailchimpSession], _T]) -> _T:
        session = self._take()
        try:
            return call(session)
        finally:
            self._free.put(session)

    def _take(self) -> MailchimpSession:
        with self._lock:
            if self._free.empty() and len(self._opened) < self._most:
                # One connection is enough, so an error with another one is no error of the call.
                with suppress(ConnectorError):
                    opened = self._extra()
                    if opened is not None:
                        session = self._close.enter_context(opened)
                        self._opened.append(session)
                        return session
                self._most = len(self._opened)  # looking again would take ten requests to storage
        return self._free.get()

    def __enter__(self) -> ParallelCalls:
        return self

    def __exit__(self, error: type[BaseException] | None, *_: object) -> None:
        self._threads.shutdown(wait=True, cancel_futures=error is not None)
        self._close.close()
