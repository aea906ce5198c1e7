"""Runs: start, commands, undo, state, progress, outcomes, and the watchdog."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.capacity.pace import UsableSlots
from shared.errors import ConnectorError
from shared.planning.fingerprint import definition_fingerprint, source_fingerprint
from shared.runs.abandon import Abandon
from shared.runs.commands import RunCommands
from shared.runs.history import History
from shared.runs.leftovers import Leftovers
from shared.runs.lookup import export_of
from shared.runs.one_person import OnePerson
from shared.runs.outcome_file import OutcomeFile
from shared.runs.outcomes import OutcomeReader
from shared.runs.plan_store import PlanStore
from shared.runs.progress import CurrentProgress
from shared.runs.start import Starter
from shared.runs.transitions import Transitions
from shared.runs.undo import Undo
from shared.runs.watchdog import Watchdog

if TYPE_CHECKING:
    from shared.app import App


def starter(app: App) -> Starter:
    """Starts runs."""
    return Starter(
        app.exports,
        app.runs,
        app.newest_runs,
        app.queue,
        app.transitions,
        app.runtime.token,
    )


def transitions(app: App) -> Transitions:
    """Changes the state of runs."""
    return Transitions(app.runs, app.runtime.now, app.run_checks.forget)


def plans(app: App) -> PlanStore:
    """Plans as they are stored."""
    return PlanStore(app.files)


def abandon(app: App) -> Abandon:
    """Ends runs that cannot continue."""
    return Abandon(app.transitions, app.chunks, app.pace, app.plans.get)


def progress(app: App) -> CurrentProgress:
    """Reads the progress of runs."""

    def slots_of_run(run_id: str) -> UsableSlots:
        try:
            return app.pace.usable_slots(app.plans.get(run_id).account_id)
        except ConnectorError:
            # The run is shown even if its plan is gone, or was made by a newer version.
            return UsableSlots(app.settings.mailchimp.connections)

    return CurrentProgress(app.chunks, app.runtime.now, app.runtime.monotonic, slots_of_run)


def history(app: App) -> History:
    """Reads the runs of exports, the newest first."""
    return History(app.runs, app.newest_runs, app.progress.of)


def commands(app: App) -> RunCommands:
    """Reads, cancels, confirms and retries runs."""

    def source_of(export_id: str) -> str:
        export = export_of(app.exports, export_id)
        snapshot = app.source.snapshot(export.segments_read)
        return source_fingerprint(export, snapshot, app.exclusion_lists.read(export_id).fingerprint)

    return RunCommands(
        runs=app.runs,
        chunks=app.chunks,
        transitions=app.transitions,
        queue=app.queue,
        starter=app.starter,
        progress=app.progress,
        pace=app.pace,
        plan_of=app.plans.get,
        definition_of=lambda export_id: definition_fingerprint(export_of(app.exports, export_id)),
        source_of=source_of,
        connections=app.settings.mailchimp.connections,
    )


def undo(app: App) -> Undo:
    """Starts undos."""
    return Undo(app.runs, app.ledgers, app.files, app.starter, app.plans.get)


def one_person(app: App) -> OnePerson:
    """Sends one person of an export."""
    return OnePerson(app.starter, app.files)


def outcomes(app: App) -> OutcomeReader:
    """Reads outcomes, row by row."""
    return OutcomeReader(app.files)


def outcome_file(app: App) -> OutcomeFile:
    """Writes outcomes for Customer Insights, into a container of their own."""
    return OutcomeFile(app.outcome_files, app.outcomes_url, app.runtime.now)


def watchdog(app: App) -> Watchdog:
    """Resumes runs that stalled."""
    return Watchdog(
        runs=app.runs,
        chunks=app.chunks,
        transitions=app.transitions,
        queue=app.queue,
        abandon=app.abandon,
        connections=app.settings.mailchimp.connections,
        now=app.runtime.now,
    )


def leftovers(app: App) -> Leftovers:
    """Deletes the data of removed exports."""
    return Leftovers(
        exports=app.exports,
        runs=app.runs,
        newest=app.newest_runs,
        ledgers=app.ledgers,
        owners=app.tag_owners,
        files=app.files,
        transitions=app.transitions,
        others=(app.open_refreshes.progress, app.scheduled_starts.states),
    )
