"""What only the triggers call: the work of the timer, and the processing of messages in their traces."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING

from shared.errors import ConnectorError, InputError
from shared.messaging.events import log_event
from shared.messaging.messages import run_of, stamps_of

if TYPE_CHECKING:
    from shared.app import App


def tick(app: App) -> None:
    """Do the work of the timer.

    When one part fails, the others still do their work. The first error is raised at the end.
    """
    errors: list[ConnectorError] = []
    for work in (
        app.scheduled_starts.start_due,
        app.open_refreshes.resend_lost,
        app.watchdog.resume_stalled,
        app.retention.delete_old_data,
        app.leftovers.sweep,
        app.eraser.complete,
        app.consent_updates.request_due,
        app.poison_queues.log_waiting,
    ):
        try:
            work()
        except ConnectorError as error:
            errors.append(error)
    if errors:
        raise errors[0]


def traced_message(
    app: App, function: str, body: bytes, run_id: str, platform_trace: str | None
) -> AbstractContextManager[None]:
    """Process a message in its own trace. A message without one gets that of its run, else that of the platform."""
    stamps = stamps_of(body)
    stored = app.runs.read(run_id) if run_id and stamps.trace is None else None
    traces = (stored.value.trace if stored else None, platform_trace)
    return app.telemetry.message(function, stamps, *traces, run_id=run_id)


@contextmanager
def poison_message(
    app: App, function: str, body: bytes, platform_trace: str | None
) -> Iterator[str | None]:
    """Process a message that failed too often. Yields the id of its run.

    Yields None for an unreadable message, which is logged and dropped: another failure would
    only move it to a queue that is not monitored.
    """
    try:
        run_id = run_of(body)
        message = traced_message(app, function, body, run_id, platform_trace)
    except InputError:
        log_event("message.unusable", level=logging.ERROR, function=function)
        yield None
        return
    with message:
        yield run_id
