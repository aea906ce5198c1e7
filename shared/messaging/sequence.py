"""A baton: of all copies of a message, one alone is followed by a next message.

A queue may deliver a message twice, and a run may be set going by a message although one is there
still. Whoever works on a message and wants to come again sends the next of its line; if every copy
did, they would double each time. So the number of the next message is claimed by a conditional
write before it is sent: a copy that comes later finds the line further on, and is done.

A process that dies between claiming and sending has not told so: whoever gets its message again
sends the next one once more. A message without a number takes the place of the newest.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace

from shared.errors import Changed, Conflict
from shared.model.ports import Records, Stored

__all__ = ["MessageSequence", "MessageSequences", "SequenceState"]


@dataclass(frozen=True)
class SequenceState:
    """How far a line of messages is: its newest number, and whether that message was sent."""

    number: int = 0
    told: bool = False


@dataclass(frozen=True)
class MessageSequence:
    """The right to send the next message of a line."""

    turns: Records[SequenceState]
    key: str
    number: int
    known: Stored[SequenceState] | None

    def pass_on(self, send: Callable[[int], None]) -> None:
        """Send the message with the next number, unless another copy has passed the baton on."""
        claimed = SequenceState(self.number + 1)
        try:
            if self.known is None:
                stored = self.turns.create(self.key, claimed)
            else:
                stored = self.turns.replace(self.key, claimed, self.known.etag)
        except (Conflict, Changed):
            return
        send(claimed.number)
        with suppress(Changed):  # the next message was faster than this word about it
            self.turns.replace(self.key, replace(claimed, told=True), stored.etag)


@dataclass(frozen=True)
class MessageSequences:
    """Hands out batons. A line is named by its run and by what its messages are for."""

    turns: Records[SequenceState]

    def take(self, run_id: str, line: str, number: int | None) -> MessageSequence | None:
        """The baton of a message; None when a copy of it has passed it on already."""
        key = f"{run_id}/{line}"
        stored = self.turns.read(key)
        newest = stored.value if stored else SequenceState()
        if number is None:
            number = newest.number
        # One behind is as good while nobody knows whether the newest message was sent.
        oldest = newest.number if newest.told else newest.number - 1
        if number < oldest:
            return None
        return MessageSequence(self.turns, key, number, stored)
