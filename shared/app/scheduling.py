"""Starts by time, and after a refresh of Customer Insights."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from shared.model.export import Schedule
from shared.scheduling.open_refreshes import OpenRefreshes
from shared.scheduling.refresh import Refreshes
from shared.scheduling.refresh_progress import RefreshProgress, WaitingTimes
from shared.scheduling.refresh_steps import RefreshSteps
from shared.scheduling.refreshed_files import RefreshedFiles
from shared.scheduling.schedule import REFRESH_SCHEDULE
from shared.scheduling.scheduled_starts import ScheduledStarts, ScheduleState, Tick
from shared.segments.finding.blob_events import read_events

if TYPE_CHECKING:
    from shared.app import App


def scheduled_starts(app: App) -> ScheduledStarts:
    """Starts exports at their scheduled times."""

    def refresh_schedule() -> Schedule | None:
        stored = app.schedules.read(REFRESH_SCHEDULE)
        return stored.value if stored else None

    return ScheduledStarts(
        exports=app.exports,
        states=app.table("dues", ScheduleState),
        ticks=app.table("ticks", Tick),
        runs=app.runs,
        newest=app.newest_runs,
        starter=app.starter,
        refresh_schedule=refresh_schedule,
        now=app.runtime.now,
    )


def open_refreshes(app: App) -> OpenRefreshes:
    """The refreshes that are not handled completely, and their reminders."""
    return OpenRefreshes(
        progress=app.table("refreshes", RefreshProgress),
        queue=app.queue,
        now=app.runtime.now,
        times=WaitingTimes(),
    )


def refreshes(app: App) -> Refreshes:
    """Starts exports when Customer Insights has written a refresh."""
    files = RefreshedFiles(
        runs=app.runs,
        newest=app.newest_runs,
        ledgers=app.ledgers,
        source=app.source,
        fingerprint_of_plan=app.plans.source_fingerprint,
        model_etag=app.landing.etag,
        fingerprint_of_exclusions=lambda export_id: app.exclusion_lists.read(export_id).fingerprint,
    )
    steps = RefreshSteps(
        open_refreshes=app.open_refreshes,
        runs=app.runs,
        newest=app.newest_runs,
        transitions=app.transitions,
        starter=app.starter,
        now=app.runtime.now,
        times=app.open_refreshes.times,
    )
    return Refreshes(
        exports=app.exports,
        open_refreshes=app.open_refreshes,
        files=files,
        steps=steps,
        read_events=partial(
            read_events,
            account=app.landing.account,
            container=app.settings.segments.container,
        ),
    )
