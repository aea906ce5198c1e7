"""A chunk: up to 500 people who go to Mailchimp in one call, and its state.

The people are in the plan's file of lines, from byte `start` for `length` bytes, one JSON array in
each line, so any instance reads only its own chunk. A claim names the slot and the token of the lane
that made it (capacity/slots.py); when that lane has ended, the chunk is free again.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from shared.model.audience import CallCounts

# Mailchimp takes at most 500 members a call, for subscribing and for tags alike
# (https://mailchimp.com/developer/marketing/api/lists/batch-subscribe-or-unsubscribe/).
CHUNK_SIZE = 500

# Archiving takes a call for each person.
ARCHIVE_SIZE = 50

# In a plan, a change of the contact itself is the removal of a tag with an id that no tag has. The ids sort after
# those of all tags. This one is for contacts that a run created and its undo archives.
ARCHIVE_TAG = 1 << 62

# Unsubscribing after a withdrawal of consent is the removal of this tag.
UNSUBSCRIBE_TAG = 1 << 61

# Archiving a contact with a former address, or an unused contact, is the removal of this tag.
FORMER_TAG = UNSUBSCRIBE_TAG + 1

# The tags whose removal changes the contact itself and removes no tag in Mailchimp.
CONTACT_TAGS = (UNSUBSCRIBE_TAG, FORMER_TAG)


class ChunkKind(StrEnum):
    """What a chunk does.

    add: subscribe people who may not be in the audience yet. update: write people who are in it. untag: remove
    the tag of people who left a segment. unsubscribe: people who withdrew consent. archiveFormer: archive
    contacts with a former address, and unused contacts. Only an undo has restore (write earlier values and tags)
    and archive (contacts that the undone run created).
    """

    ADD = "add"
    UPDATE = "update"
    UNTAG = "untag"
    UNSUBSCRIBE = "unsubscribe"
    ARCHIVE_FORMER = "archiveFormer"
    RESTORE = "restore"
    ARCHIVE = "archive"


class ChunkState(StrEnum):
    """pending -> claimed -> done. `unconfirmed` becomes pending when a person confirms the removals."""

    PENDING = "pending"
    UNCONFIRMED = "unconfirmed"
    CLAIMED = "claimed"
    DONE = "done"


@dataclass(frozen=True)
class Chunk:
    """One chunk of a run and its state.

    `first` is the number of its first line in the file. `attempts` counts claims, `failures` the last of them in
    a row that Mailchimp did not answer. The outcomes known so far are in `results`, or in the blob `outcomes` if
    they are long; a chunk that is done has all of them. Mailchimp accepted `accepted` of them.
    """

    number: int
    kind: ChunkKind
    first: int
    start: int
    length: int
    people: int
    tag_id: int | None = None
    state: ChunkState = ChunkState.PENDING
    slot: int | None = None
    token: str | None = None
    attempts: int = 0
    failures: int = 0
    gave_up: bool = False
    outcomes: str | None = None
    results: str = ""
    accepted: int = 0
    done_at: datetime | None = None
    writes: int = 0
    reads: int = 0
    throttled: int = 0
    retried: int = 0

    @property
    def calls(self) -> CallCounts:
        """The calls of all attempts."""
        return CallCounts(self.writes, self.reads, self.throttled, self.retried)


def chunk_key(run_id: str, number: int) -> str:
    """The key of a chunk's record."""
    return f"{run_id}/{number:06d}"
