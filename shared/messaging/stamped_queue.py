"""Stamps: every message of ours says which trace it belongs to and when it was due.

Put on in one place, whoever sends; what a message is about stays its sender's own. `due` is when
the queue may first show it (when it was sent, and its delay), in milliseconds since 1970: so its
age is time that it waited for a worker, and not a pause that was asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from shared.messaging.trace import current
from shared.model.ports import Queue

__all__ = ["StampedQueue"]


@dataclass(frozen=True)
class StampedQueue:
    """A queue that stamps what is sent. `now` gives aware UTC times."""

    queue: Queue
    now: Callable[[], datetime]

    def send(self, queue: str, message: Mapping[str, object], delay: float = 0) -> None:
        """Stamp a message and put it on a queue, to be seen after `delay` seconds."""
        stamps: dict[str, object] = {"due": round((self.now().timestamp() + delay) * 1000)}
        trace = current()
        if trace is not None:
            stamps["traceparent"] = trace.parent
        self.queue.send(queue, {**stamps, **message}, delay)
