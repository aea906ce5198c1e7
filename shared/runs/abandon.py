"""Ends a run that cannot continue; the next run does the remaining work.

The ledger stays as it was when the run was planned. So the next run sends the people who are not in
the ledger again (without a status if they are in the audience, see sending/write.py), removes tags
again, and finds people who left a segment by comparing Mailchimp's own counts.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from shared.capacity.pace import AccountPace
from shared.errors import ConnectorError
from shared.model.chunk import Chunk
from shared.model.finding import Reason
from shared.model.plan import Plan
from shared.model.ports import Records
from shared.runs.progress import with_progress
from shared.runs.transitions import Transitions


@dataclass(frozen=True)
class Abandon:
    """Ends runs as failed. `plan_of` reads a run's plan."""

    transitions: Transitions
    chunks: Records[Chunk]
    pace: AccountPace
    plan_of: Callable[[str], Plan]

    def end(self, run_id: str, reason: Reason) -> None:
        """End a run for a reason. A run that is over stays as it is."""
        # If the plan cannot be read, the next run of the account removes this run from the pace (pace.join).
        with suppress(ConnectorError):
            self.pace.leave(self.plan_of(run_id).account_id, run_id)
        chunks = [stored.value for stored in self.chunks.all(run_id)]
        now = self.transitions.now
        self.transitions.fail(run_id, reason, lambda run: with_progress(run, chunks, now()))
