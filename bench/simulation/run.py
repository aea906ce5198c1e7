"""A run in simulated time: what of it waits, what is under way in whose slot, and what steps take."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from bench.simulation.account import Account, Slot
from bench.simulation.platform import Call


class State(Enum):
    """The state of a run."""

    PLANNING = "planning"
    SENDING = "sending"
    FINISHING = "finishing"
    CLOSED = "closed"
    FAILED = "failed"


@dataclass(frozen=True)
class Costs:
    """Seconds that steps take beside Mailchimp's calls: as docs/cost.md has them.

    `processor` of a chunk: 0.06 s were measured (the app's processor time for 60 chunks less that
    for 10, on one machine with everything else); more, because Azure's processors may be slower.
    """

    plan: float = 5.0
    plan_per_million: float = 15.0
    finish: float = 10.0
    processor: float = 0.1
    read_call: float = 1.0


@dataclass(eq=False)
class Run:
    """One run: how many chunks wait, which are under way in whose slot, and when the others were done."""

    number: int
    account: Account
    people: int
    changed: int
    state: State = State.PLANNING
    waiting: int = 0
    under_way: list[Slot] = field(default_factory=list)
    done_at: list[float] = field(default_factory=list)
    doubled: int = 0
    planner: Call | None = None
    finisher: Call | None = None
    moved: float = 0.0
    planned: float = 0.0
    ended: float | None = None

    @property
    def done(self) -> int:
        """How many chunks are done."""
        return len(self.done_at)

    @property
    def is_over(self) -> bool:
        """Whether it has ended."""
        return self.state in (State.CLOSED, State.FAILED)
