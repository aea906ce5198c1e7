"""Message sequences: only one of several copies of a message sends the next message.

A queue may deliver a message twice, and the watchdog may resume a run whose message is still there.
A step that continues later sends the next message of its sequence. If every copy did so, the number
of messages would double each time. So the number of the next message is claimed by a conditional write
before the message is sent. A later copy finds a higher number and ends.

A process may die between claiming and sending. Its message is then delivered again and the next one
is sent once more. A message without a number counts as the newest one.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace

from shared.errors import Changed
from shared.model.ports import Records, Stored, create_or_replace


@dataclass(frozen=True)
class SequenceState:
    """The newest number of a sequence, and whether the message with that number was sent."""

    number: int = 0
    sent: bool = False


@dataclass(frozen=True)
class MessageSequence:
    """The right to send the next message of a sequence."""

    states: Records[SequenceState]
    key: str
    number: int
    known: Stored[SequenceState] | None

    def send_next(self, send: Callable[[int], None]) -> None:
        """Send the message with the next number, unless another copy has claimed it."""
        claimed = SequenceState(self.number + 1)
        try:
            stored = create_or_replace(self.states, self.key, claimed, self.known)
        except Changed:
            return
        send(claimed.number)
        with suppress(Changed):  # the next message was handled before this write
            self.states.replace(self.key, replace(claimed, sent=True), stored.etag)


@dataclass(frozen=True)
class MessageSequences:
    """Finds the sequence of a message, by its run and the purpose of its messages."""

    states: Records[SequenceState]

    def take(self, run_id: str, name: str, number: int | None) -> MessageSequence | None:
        """Return the sequence of a message. None when a copy of it has already sent the next message."""
        key = f"{run_id}/{name}"
        stored = self.states.read(key)
        newest = stored.value if stored else SequenceState()
        if number is None:
            number = newest.number
        # The previous number is accepted until the newest message is known to have been sent.
        oldest = newest.number if newest.sent else newest.number - 1
        if number < oldest:
            return None
        return MessageSequence(self.states, key, number, stored)
