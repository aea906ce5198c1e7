"""Whether a run is still to be sent, read once in two seconds for all lanes of a process.

A stop by this process is known at once. A lane may claim a chunk up to two seconds after another process
stopped the run: a stopped run is finished a little later (finishing/finish.py).
"""

from __future__ import annotations

from collections.abc import Callable

from shared.model.ports import Records
from shared.model.run import Run, RunStatus
from shared.shared_reads import SharedReads

VALID_SECONDS = 2.0
_MOST_REMEMBERED = 64


class RunChecks:
    """Reads runs for the lanes of a process. `clock` counts seconds."""

    def __init__(self, runs: Records[Run], clock: Callable[[], float]) -> None:
        self._reads = SharedReads(runs.read)
        self._clock = clock
        self._sendable: dict[str, tuple[float, Run]] = {}
        self._forgotten = 0

    def forget(self, run_id: str) -> None:
        """Read a run again, because this process has changed it."""
        self._forgotten += 1
        self._reads.forget(run_id)
        self._sendable.pop(run_id, None)

    def run(self, run_id: str) -> Run | None:
        """Return a run. Only a run that is being sent may have been read earlier."""
        now = self._clock()
        known = self._sendable.get(run_id)
        if known is not None and now - known[0] < VALID_SECONDS:
            return known[1]
        forgotten = self._forgotten
        stored = self._reads(run_id)
        if stored is None:
            return None
        run = stored.value
        if run.status is RunStatus.SENDING and not run.cancel_requested:
            if len(self._sendable) >= _MOST_REMEMBERED:
                self._sendable.clear()
            self._sendable[run_id] = (now, run)
            if forgotten != self._forgotten:
                # This process has changed a run since it was read.
                self._sendable.pop(run_id, None)
        return run
