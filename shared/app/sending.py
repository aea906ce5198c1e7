"""Sending the chunks of runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.sending.lane import Lanes
from shared.sending.run_checks import RunChecks
from shared.sending.worker import Worker

if TYPE_CHECKING:
    from shared.app import App


def run_checks(app: App) -> RunChecks:
    """Checks whether lanes may still send a run."""
    return RunChecks(app.runs, app.runtime.monotonic)


def lanes(app: App) -> Lanes:
    """Sends chunks."""
    worker = Worker(
        checks=app.run_checks,
        transitions=app.transitions,
        chunks=app.chunks,
        files=app.files,
        mailchimp=app.mailchimp,
        slots=app.slots,
        pace=app.pace,
        connection_lost=app.mailchimp_accounts.connection_lost,
        now=app.runtime.now,
        clock=app.runtime.monotonic,
        randrange=app.runtime.randrange,
        stopping=app.runtime.stopping,
        meter=app.telemetry,
        contacts=app.stored_contacts,
    )
    return Lanes(
        checks=app.run_checks,
        transitions=app.transitions,
        queue=app.queue,
        sequences=app.sequences,
        slots=app.slots,
        pace=app.pace,
        plan_of=app.plans.get,
        worker=worker,
        finish=app.finisher.finish,
        abandon=app.abandon,
        now=app.runtime.now,
        stopping=app.runtime.stopping,
        meter=app.telemetry,
    )
