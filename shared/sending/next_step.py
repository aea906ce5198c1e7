"""What a lane does after it has worked for a while."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["FINISH", "NOTHING", "NextStep"]


@dataclass(frozen=True)
class NextStep:
    """Finish the run, or send the lane's next message after `delay` seconds, or neither."""

    finish: bool = False
    delay: float | None = None


FINISH = NextStep(finish=True)
NOTHING = NextStep()
