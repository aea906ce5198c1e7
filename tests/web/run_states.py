"""Runs in states that pages show."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from shared.model.figures import ConsentProof, Counts, RunSegment, StatusProof
from shared.model.finding import Finding, Severity
from shared.model.run import Mode, RunStatus, Trigger
from tests.web.client import new_export
from tests.web.world import NOW, World


def finished(world: World, export: str, number: int) -> None:
    run = world.runs.start(export, Trigger.SCHEDULE, Mode.EXPORT, "")
    world.runs.move(
        run.id,
        status=RunStatus.COMPLETED_WITH_WARNINGS,
        started_at=NOW,
        finished_at=NOW + timedelta(seconds=30 * number),
        counts=Counts(source_rows=12, distinct=10 * number, created=7, rejected=2, kept=1),
        consent_proof=ConsentProof(kept=1, unsubscribed=2),
        proof=(StatusProof("unsubscribed", 7, 12, 2),),
        segments=(RunSegment("Segment_Vip", "VIP", 10, 9),),
        findings=(Finding(Severity.WARNING, "tagGone", values={"tag": "VIP"}),),
    )


FINISHED = Counts(
    source_rows=120,
    distinct=100,
    new=60,
    changed=20,
    unchanged=10,
    created=55,
    updated=20,
    kept=5,
    rejected=12,
    not_sent=0,
    left=3,
    removed=3,
    shared_address=4,
)


def ended(world: World, status: RunStatus, mode: Mode = Mode.EXPORT, **changes: Any) -> str:
    """A run of a new export in this state; its path."""
    run = world.runs.start(new_export(world), Trigger.ON_DEMAND, mode, "Ada")
    world.runs.move(run.id, status=status, started_at=NOW, finished_at=NOW, **changes)
    return f"/runs/{run.id}"
