"""A refresh of Customer Insights starts the exports that run with every refresh.

An event announces that a `model.json` was written. This opens a refresh for each export (open_refreshes.py), and delayed
messages then check whether its files are complete (refreshed_files.py) and wait or start a run (refresh_steps.py).
One refresh makes one run, however often it is announced; one that arrives during a run makes exactly one more, because
the refresh stays open until that run has ended. Events are hints only: the content of the container decides, so late,
repeated and reordered events do no harm.
https://learn.microsoft.com/azure/event-grid/event-schema-blob-storage
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from shared.errors import InputError, Unavailable
from shared.messaging.events import log_event
from shared.messaging.messages import refresh_of
from shared.model.clocks import WRONG_CLOCK
from shared.model.export import Export, Repeat
from shared.model.ports import Records, Stored, readable
from shared.scheduling.open_refreshes import OpenRefreshes
from shared.scheduling.refresh_steps import RefreshSteps
from shared.scheduling.refreshed_files import RefreshedFiles
from shared.segments.finding.blob_events import BlobCreated


@dataclass(frozen=True)
class Refreshes:
    """Starts exports when a refresh is complete.

    `read_events` returns the events in a message that are about the landing container.
    """

    exports: Records[Export]
    open_refreshes: OpenRefreshes
    files: RefreshedFiles
    steps: RefreshSteps
    read_events: Callable[[bytes], Sequence[BlobCreated]]

    def event(self, body: bytes) -> None:
        """Process a message of the queue: events, or our own reminder to check again."""
        check = refresh_of(body)
        if check is not None:
            self.check(*check)
            return
        for announced in self.read_events(body):
            if announced.is_model:
                self.announce(announced)

    def give_up(self, body: bytes) -> None:
        """Log a message that failed in every attempt.

        An open refresh stays open: the tick sends its reminder again.
        """
        try:
            check = refresh_of(body)
        except InputError:
            check = None
        log_event("refresh.messageGaveUp", exportId=check[0] if check else None)

    def announce(self, announced: BlobCreated) -> None:
        """Open a refresh, after a `model.json` was written, for every export that may read it."""
        for stored in self._exports_with_refresh():
            if not _is_older(announced, stored.value, self.open_refreshes.now()):
                self.open_refreshes.open(stored.key, announced)

    def check(self, export_id: str, check_number: int) -> None:
        """Check whether an export's refresh is complete. Safe to call again."""
        stored = self.open_refreshes.progress.read(export_id)
        if stored is None or not stored.value.open or check_number < stored.value.check_number:
            return
        if check_number > stored.value.check_number:
            # The reminder arrived before its record was written.
            raise Unavailable("refreshBusy", retry_after=1)
        export = self.exports.read(export_id)
        if export is None or not _runs_with_refresh(export.value):
            self.open_refreshes.write(
                stored, replace(stored.value, open=False, announced_models=())
            )
            return
        if stored.value.starting_at is not None:
            stored = self.steps.complete_start(stored)
            if stored is None:
                return
        result = self.files.check(export.value, stored.value)
        self.steps.after_check(export.value, stored, result)

    def _exports_with_refresh(self) -> Iterator[Stored[Export]]:
        exports = readable(self.exports.all())
        return (stored for stored in exports if _runs_with_refresh(stored.value))


def _runs_with_refresh(export: Export) -> bool:
    schedule = export.schedule
    return (
        schedule.enabled and schedule.repeat is Repeat.EVERY_REFRESH and bool(export.connection_id)
    )


def _is_older(announced: BlobCreated, export: Export, now: datetime) -> bool:
    """Whether it was written before the export was created: saving an export does not run it.

    Some times of writing are precise to the second only. A time of creation that is ahead of `now` was written by a wrong
    clock, and must not hide the refreshes until then.
    """
    written, made = announced.written_at, export.created_at
    if written is None or made is None or made > now + WRONG_CLOCK:
        return False
    return written + timedelta(seconds=1) < made
