"""What a lane does after its slice of time."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class NextStep:
    """The next step: finish the run, send the lane's next message after `delay` seconds, or neither."""

    finish: bool = False
    delay: float | None = None


FINISH = NextStep(finish=True)
NOTHING = NextStep()
