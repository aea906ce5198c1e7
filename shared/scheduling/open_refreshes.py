"""The refreshes that are open, and the reminders to check them.

The record of an export says whether its refresh is open. A delayed message is the reminder of the next check.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from shared.errors import Changed, Conflict
from shared.messaging.messages import refresh_message
from shared.model.names import BLOB_EVENTS
from shared.model.ports import Queue, Records, Stored, update
from shared.scheduling.refresh_progress import RefreshProgress, WaitingTimes, digest
from shared.segments.finding.blob_events import BlobCreated

_REMEMBERED = 32
# The message of a check that is later than this is lost; the tick sends it again.
_LOST = timedelta(seconds=60)


@dataclass(frozen=True)
class OpenRefreshes:
    """Stores the progress of refreshes, and sends reminders."""

    progress: Records[RefreshProgress]
    queue: Queue
    now: Callable[[], datetime]
    times: WaitingTimes

    def open(self, export_id: str, announced: BlobCreated) -> None:
        """Open the refresh of an export, after a `model.json` was written, and send the first reminder."""
        identity = digest(announced.blob, announced.etag)
        now = self.now()
        written_at = announced.written_at or now

        def opened(progress: RefreshProgress) -> RefreshProgress:
            if identity in progress.announcements:
                return progress
            return replace(
                progress,
                open=True,
                check_number=progress.check_number + 1,
                announcements=(*progress.announcements, identity)[-_REMEMBERED:],
                announced_models=tuple(dict.fromkeys((*progress.announced_models, announced.blob))),
                written_at=max(written_at, progress.written_at or written_at),
                opened_at=now,
                incomplete_since=progress.incomplete_since or now,
                next_at=now,
                found="",
                found_since=None,
            )

        try:
            stored = self.progress.create(export_id, opened(RefreshProgress()))
        except Conflict:
            stored = update(self.progress, export_id, opened)
        if stored.value.open:
            self.remind(export_id, stored.value.check_number, 0)

    def remind(self, export_id: str, check_number: int, delay: float) -> None:
        """Send the message that makes the next check in `delay` seconds."""
        self.queue.send(BLOB_EVENTS, refresh_message(export_id, check_number), delay)

    def write(
        self, stored: Stored[RefreshProgress], progress: RefreshProgress
    ) -> Stored[RefreshProgress] | None:
        """Write a decision; None when an event arrived in the meantime, which has its own reminder."""
        try:
            return self.progress.replace(stored.key, progress, stored.etag)
        except Changed:
            return None

    def resend_lost(self) -> int:
        """Send lost reminders again; returns their number."""
        late = [
            stored
            for stored in self.progress.all()
            if stored.value.open and self._is_lost(stored.value.next_at)
        ]
        for stored in late:
            self.remind(stored.key, stored.value.check_number, 0)
        return len(late)

    def _is_lost(self, next_at: datetime | None) -> bool:
        """Whether the reminder for a check is lost: it is late, or a clock that was ahead set its time."""
        if next_at is None:
            return True
        late = self.now() - next_at
        return late > _LOST or -late > timedelta(seconds=2 * self.times.longest_interval) + _LOST
