"""Starts a run that replaces no other run of its export: one person, or archiving."""

from __future__ import annotations

from collections.abc import Callable

from shared.errors import Conflict
from shared.model.run import Mode, Run, RunStatus, Trigger
from shared.runs.start import Starter


def start_own(
    starter: Starter,
    export_id: str,
    by: str,
    mode: Mode,
    prepare: Callable[[Run], None] = lambda _: None,
    agreed: int = 0,
) -> Run:
    """Start a run. Conflict while another one is active or waits. `prepare` comes before its first message."""
    own: list[str] = []

    def before_planning(run: Run) -> None:
        prepare(run)
        own.append(run.id)

    run = starter.start(
        export_id,
        Trigger.ON_DEMAND,
        mode,
        requested_by=by,
        before_planning=before_planning,
        agreed=agreed,
    )
    if run.id in own:
        return run
    waits = run.status is RunStatus.AWAITING_CONFIRMATION
    raise Conflict("otherRunWaits") if waits else Conflict("otherRunGoing")
