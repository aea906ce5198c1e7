"""Adds to every message the trace it belongs to and the time it is due.

`due` is when the queue may first deliver the message (when it was sent, plus its delay), in
milliseconds since 1970. So the age of a message is the time that it waited for a worker, without
the requested delay.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from shared.messaging.trace import current
from shared.model.ports import Queue


@dataclass(frozen=True)
class StampedQueue:
    """A queue that stamps its messages. `now` gives aware UTC times."""

    queue: Queue
    now: Callable[[], datetime]

    def send(self, queue: str, message: Mapping[str, object], delay: float = 0) -> None:
        """Stamp a message and put it on a queue, to be delivered after `delay` seconds."""
        stamps: dict[str, object] = {"due": round((self.now().timestamp() + delay) * 1000)}
        trace = current()
        if trace is not None:
            stamps["traceparent"] = trace.parent
        self.queue.send(queue, {**stamps, **message}, delay)
