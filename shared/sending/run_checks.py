"""Whether lanes may continue to send: the state of the run, and the allowance of its account.

Both are read once in two seconds and shared by the lanes of a process, instead of before each chunk. So a
lane may claim a chunk up to two seconds after the run was stopped by another process: a stopped run
is finished a little later (finishing/finish.py).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

from shared.capacity.pace import AccountPace, Allowance
from shared.model.ports import Records
from shared.model.run import Run, RunStatus

__all__ = ["VALID_SECONDS", "RunChecks"]

VALID_SECONDS = 2.0
_MOST_REMEMBERED = 64

T = TypeVar("T")


class RunChecks:
    """Reads runs and allowances for the lanes of a process. `clock` counts seconds."""

    def __init__(
        self,
        runs: Records[Run],
        pace: AccountPace,
        clock: Callable[[], float],
        valid_seconds: float = VALID_SECONDS,
    ) -> None:
        self._runs = runs
        self._pace = pace
        self._sendable: _Recent[Run] = _Recent(clock, valid_seconds)
        self._allowances: _Recent[Allowance] = _Recent(clock, valid_seconds)

    def run(self, run_id: str) -> Run | None:
        """Return a run. Only a run that is being sent may have been read earlier."""
        known = self._sendable.get(run_id)
        if known is not None:
            return known
        stored = self._runs.read(run_id)
        if stored is None:
            return None
        run = stored.value
        if run.status is RunStatus.SENDING and not run.cancel_requested:
            self._sendable.put(run_id, run)
        return run

    def allowance(self, account_id: str) -> Allowance:
        """Return the slots and lanes that a run of the account may use."""
        known = self._allowances.get(account_id)
        if known is None:
            known = self._pace.allowance(account_id)
            self._allowances.put(account_id, known)
        return known

    def throttled(self, account_id: str) -> None:
        """Reduce the allowance, because Mailchimp asked this process to slow down."""
        self._pace.throttled(account_id)
        self._allowances.forget(account_id)


class _Recent(Generic[T]):
    """Values by key that are valid for a few seconds. May be used by several threads."""

    def __init__(self, clock: Callable[[], float], valid_seconds: float) -> None:
        self._clock = clock
        self._valid_seconds = valid_seconds
        self._values: dict[str, tuple[float, T]] = {}

    def get(self, key: str) -> T | None:
        read_at, value = self._values.get(key, (None, None))
        if read_at is None or self._clock() - read_at >= self._valid_seconds:
            return None
        return value

    def put(self, key: str, value: T) -> None:
        if len(self._values) >= _MOST_REMEMBERED:
            self._values.clear()
        self._values[key] = (self._clock(), value)

    def forget(self, key: str) -> None:
        self._values.pop(key, None)
