"""Finds the rows that make a whole call fail, so that the other rows can be sent.

A failing call is halved repeatedly until each bad row is in a call of its own: n bad rows among N
take O(n log N) calls. When all parts have failed so far, sample rows from the whole call are sent
alone. If these fail as well and Mailchimp has not answered any call of the run, the rows are not the
cause and the failure is raised.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from shared.errors import Disconnected, Refused, Unavailable
from shared.mailchimp.error_responses import ABOUT_ACCOUNT

T = TypeVar("T")
T_contra = TypeVar("T_contra", contravariant=True)

Failure = Unavailable | Refused

# After the call, its halves and its quarters have failed, check whether the rows are the cause.
_CALLS_BEFORE_SAMPLE = 7
_SAMPLE = 25


class Interrupted(Exception):
    """The lane has to stop between two calls; the results of answered calls are recorded."""


class _Call(Protocol[T_contra]):
    """Makes one call for some rows and records their results.

    With `resend`, the client may send it a second time when the response was lost.
    """

    def __call__(self, rows: Sequence[T_contra], /, *, resend: bool) -> None: ...


@dataclass
class Isolation:
    """Sends rows in as few calls as possible.

    `is_up` checks whether Mailchimp answers at all. `may_continue` is called between two calls.
    `answered_before` is whether Mailchimp has answered any call of the run. `retried` returns how many calls the
    session has repeated so far.
    """

    is_up: Callable[[], bool]
    may_continue: Callable[[], bool]
    answered_before: Callable[[], bool]
    retried: Callable[[], int]
    _answered: bool = False
    _called: bool = False
    _failed: bool = False

    def __post_init__(self) -> None:
        self._retried_before = self.retried()

    @property
    def lost_response(self) -> bool:
        """Whether the response to a call was lost, so that its rows may have been applied."""
        return self._failed or self.retried() > self._retried_before

    def send(self, rows: Sequence[T], call: _Call[T], reject: Callable[[T, Failure], None]) -> None:
        """Send all rows. `reject` is called with each row that fails alone, and its failure.

        Raises Interrupted, Disconnected, and failures that the rows did not cause.
        """
        parts: list[Sequence[T]] = [rows] if rows else []
        failed = 0
        while parts:
            part = parts.pop(0)
            failure = self._try(part, call, resend=not failed or len(part) == 1)
            if failure is None:
                continue
            failed += 1
            if (failed == 1 or len(part) == 1) and self._is_outage(failure):
                raise failure
            if len(part) == 1:
                reject(part[0], failure)
                continue
            middle = len(part) // 2
            parts += [part[:middle], part[middle:]]
            if failed == _CALLS_BEFORE_SAMPLE and not self._answered:
                parts = self._try_sample(parts, call, reject)

    def _try_sample(
        self, parts: list[Sequence[T]], call: _Call[T], reject: Callable[[T, Failure], None]
    ) -> list[Sequence[T]]:
        """Send sample rows from all parts alone. Returns the parts without these rows."""
        step = sum(len(part) for part in parts) // _SAMPLE
        if step < 2:
            return parts
        sample: list[T] = []
        rest: list[Sequence[T]] = []
        for part in parts:
            sample += part[::step]
            rest.append([row for position, row in enumerate(part) if position % step])
        failures: list[tuple[T, Failure]] = []
        for row in sample:
            failure = self._try([row], call, resend=False)
            if failure is not None:
                failures.append((row, failure))
        if not self._answered and not self.answered_before():
            raise failures[0][1]
        for row, failure in failures:
            reject(row, failure)
        return rest

    def _try(self, rows: Sequence[T], call: _Call[T], *, resend: bool) -> Failure | None:
        """Make a call. Returns a failure that its rows may have caused; None when it was answered."""
        if self._called and not self.may_continue():
            raise Interrupted
        self._called = True
        try:
            call(rows, resend=resend)
        except Disconnected:
            raise
        except Unavailable as failure:
            self._failed = True
            if failure.throttled or not failure.maybe_applied:
                raise
            return failure
        except Refused as refused:
            if refused.code in ABOUT_ACCOUNT:
                raise
            return refused
        self._answered = True
        return None

    def _is_outage(self, failure: Failure) -> bool:
        return isinstance(failure, Unavailable) and not self.is_up()
