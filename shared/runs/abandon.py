"""End a run that cannot go on at all; the next run does what it left.

Nothing is folded: the ledger stays as the run's plan found it. So the next run meets people whom it
does not know as sent, and writes them again without a status (sending/write.py); it takes a tag away
once more; and Mailchimp's own counts tell it of whoever left in between.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from shared.capacity.pace import AccountPace
from shared.errors import ConnectorError
from shared.model.chunk import Chunk
from shared.model.plan import Plan
from shared.model.ports import Records
from shared.model.run import Reason, Run
from shared.runs.progress import with_progress
from shared.runs.transitions import Transitions

__all__ = ["Abandon"]


@dataclass(frozen=True)
class Abandon:
    """Ends runs as failed. `plan_of` reads a run's plan."""

    runs: Records[Run]
    chunks: Records[Chunk]
    pace: AccountPace
    plan_of: Callable[[str], Plan]
    now: Callable[[], datetime]

    def end(self, run_id: str, reason: Reason) -> None:
        """End a run for a reason; one that is over already stays as it is."""
        # Without its plan (gone, or a newer version's), whoever joins the sharing of the account
        # next leaves it out.
        with suppress(ConnectorError):
            self.pace.leave(self.plan_of(run_id).account_id, run_id)
        chunks = [stored.value for stored in self.chunks.all(run_id)]
        Transitions(self.runs, self.now).fail(
            run_id, reason, lambda run: with_progress(run, chunks, self.now())
        )
