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

from shared.errors import ConnectorError, Unavailable

T = TypeVar("T")

# Seconds from the beginning of a request in which services may be called. The landing account ends first, because most
# requests can do without it. The app's own storage ends last, because it stores what the others answered. Only the audit
# entry of a change comes later, and what every page reads, because it shows why something failed.
LANDING = 100.0
OTHER_SERVICES = 180.0
OWN_STORAGE = 210.0
LAST_CALLS = 220.0

TIME_UP = "requestTimeUp"
"""The code of the error when no time is left."""

# Seconds. A call with less time would hardly be answered.
SHORTEST_CALL = 5.0
# Seconds for one of many changes, such as that of one export, with its audit entry.
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
        """The seconds until so many seconds after the beginning; not below 0."""
        return max(0.0, until - (self._clock() - self._began))


_current: ContextVar[RequestTime | None] = ContextVar("request_time", default=None)
# Seconds from the beginning of a request in which any service may be called.
_at_least: ContextVar[float] = ContextVar("at_least", default=0.0)


@contextmanager
def request_time(clock: Callable[[], float]) -> Iterator[RequestTime]:
    """Limit the calls in this context, and in threads of `RequestThreads`."""
    began = RequestTime(clock)
    token = _current.set(began)
    try:
        yield began
    finally:
        _current.reset(token)


def current_request() -> RequestTime | None:
    """The request to which this thread belongs; None without one."""
    return _current.get()


def seconds_left(until: float = OWN_STORAGE) -> float:
    """The seconds in which services of this kind may be called; infinite without a request."""
    request = _current.get()
    return math.inf if request is None else request.left(max(until, _at_least.get()))


def is_time_up(until: float) -> bool:
    """Whether no call to services of this kind may begin any more."""
    return seconds_left(until) < SHORTEST_CALL


def time_for_call(until: float) -> float:
    """The seconds that a call may take that begins now. Unavailable if the time is up."""
    left = seconds_left(until)
    if left < SHORTEST_CALL:
        raise Unavailable(TIME_UP)
    return left


def refuse_late_change() -> None:
    """Raise Unavailable if a change that takes several calls to storage would not end in time."""
    if seconds_left() < _LONGEST_CHANGE:
        raise Unavailable(TIME_UP)


@contextmanager
def calls_until(until: float) -> Iterator[None]:
    """Let the calls in this context end at `until` if their service would end before."""
    token = _at_least.set(until)
    try:
        yield
    finally:
        _at_least.reset(token)


class RequestThreads(ThreadPoolExecutor):
    """Threads whose calls share the time of the request that starts them."""

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        """Call `fn` in a thread."""
        return super().submit(copy_context().run, fn, *args, **kwargs)
