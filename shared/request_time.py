"""The time of an HTTP request, which all its calls to other services share.

Azure ends an HTTP request after 230 seconds, and then the person does not see the reason. So every call of a request gets at
most the time that is left, and no call begins when the time is up. Without a request, as in a run, there is no limit.
https://learn.microsoft.com/azure/azure-functions/functions-bindings-http-webhook-trigger#limits
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar, copy_context
from typing import Any, TypeVar

from shared.errors import ConnectorError, TimeUp

T = TypeVar("T")

# Until how many seconds after its beginning a request may call a service. The landing account has the least time, because
# most requests can do without it. The app's own storage has more time than the others, to store what they answered. After
# that, only the audit entry of a change may be stored, and what every page needs may be read: also a page that says why
# something failed.
LANDING = 100.0
OTHER_SERVICES = 180.0
OWN_STORAGE = 210.0
LAST_CALLS = 220.0

TIME_UP = "requestTimeUp"
"""The code of the error when no time is left."""

# Seconds. A call with less time would hardly be answered.
SHORTEST_CALL = 5.0
# The seconds that one of many changes of a request may take with its audit entry, such as the change of one export.
_LONGEST_CHANGE = 30.0


class RequestTime:
    """The time since a request began. `clock` counts seconds.

    `failed` are the errors of accounts and connections that failed in this request (on_demand.py). They are not called again.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._began = clock()
        self.failed: dict[str, ConnectorError] = {}

    def left(self, until: float) -> float:
        """The seconds that are left until `until` seconds after the beginning; 0 if they are over."""
        return max(0.0, until - (self._clock() - self._began))


_current: ContextVar[RequestTime | None] = ContextVar("request_time", default=None)
# Until how many seconds after the beginning of a request all services may be called (`calls_until`), even those with less time.
_extended_until: ContextVar[float] = ContextVar("extended_until", default=0.0)


@contextmanager
def request_time(clock: Callable[[], float]) -> Iterator[None]:
    """Begin a request: limit the calls in this context, and in its threads (`RequestThreads`), to its time."""
    token = _current.set(RequestTime(clock))
    try:
        yield
    finally:
        _current.reset(token)


def current_request() -> RequestTime | None:
    """The request to which this thread belongs; None without one."""
    return _current.get()


def seconds_left(until: float = OWN_STORAGE) -> float:
    """The seconds that are left to call services that have time until `until`; infinite without a request."""
    request = _current.get()
    return math.inf if request is None else request.left(max(until, _extended_until.get()))


def is_time_up(until: float) -> bool:
    """Whether it is too late to begin a call to services that have time until `until`."""
    return seconds_left(until) < SHORTEST_CALL


def time_for_call(until: float) -> float:
    """The seconds that a call may take that begins now. TimeUp if the time is up."""
    left = seconds_left(until)
    if left < SHORTEST_CALL:
        raise TimeUp(TIME_UP)
    return left


def refuse_late_change() -> None:
    """Raise TimeUp if a change that takes several calls to storage would not end in time."""
    if seconds_left() < _LONGEST_CHANGE:
        raise TimeUp(TIME_UP)


@contextmanager
def calls_until(until: float) -> Iterator[None]:
    """Allow the calls in this context until `until`, also to services that have less time."""
    token = _extended_until.set(until)
    try:
        yield
    finally:
        _extended_until.reset(token)


class RequestThreads(ThreadPoolExecutor):
    """Threads whose calls share the time of the request that starts them."""

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        """Call `fn` in a thread."""
        return super().submit(copy_context().run, fn, *args, **kwargs)
