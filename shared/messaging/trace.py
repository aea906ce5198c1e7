"""The trace of the current work: the request, timer or event that began it.

Messages contain the trace, so everything from the start of a run to its end has one id. A trace
consists of two random numbers. It is parsed strictly, and invalid text is ignored.
https://www.w3.org/TR/trace-context/#traceparent-header
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

_FORM = re.compile(r"00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})")


@dataclass(frozen=True)
class Trace:
    """A position in a trace: 32 and 16 hexadecimal digits, and the flags (01: recorded)."""

    trace_id: str
    span_id: str
    flags: str = "01"

    @property
    def parent(self) -> str:
        """The `traceparent` of a message or a header, version 00."""
        return f"00-{self.trace_id}-{self.span_id}-{self.flags}"


_CURRENT: ContextVar[Trace | None] = ContextVar("trace", default=None)
_WAITED: ContextVar[float | None] = ContextVar("waited", default=None)


def trace_of(text: object) -> Trace | None:
    """The trace in a `traceparent`; None for other text."""
    found = _FORM.fullmatch(text) if isinstance(text, str) else None
    if found is None or not found[1].strip("0") or not found[2].strip("0"):
        return None
    return Trace(found[1], found[2], found[3])


def current() -> Trace | None:
    """The trace of this thread's current work."""
    return _CURRENT.get()


def waited() -> float | None:
    """For how many seconds the current message had been due; None without a message."""
    return _WAITED.get()


@contextmanager
def continue_trace(parent: str | Trace | None, after: float | None = None) -> Iterator[None]:
    """Continue a trace for the duration of the context. None keeps the current trace.

    `after`: for how many seconds the current message had been due.
    """
    trace = parent if isinstance(parent, Trace) else trace_of(parent)
    trace_before = _CURRENT.set(trace or _CURRENT.get())
    waited_before = _WAITED.set(_WAITED.get() if after is None else after)
    try:
        yield
    finally:
        _WAITED.reset(waited_before)
        _CURRENT.reset(trace_before)
