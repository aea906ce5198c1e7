"""Finds exports and runs by their id, and the newest run of an export."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from shared.errors import NotFound
from shared.model.export import Export
from shared.model.ports import Records
from shared.model.run import Run


@dataclass(frozen=True)
class NewestRun:
    """The newest run of an export, as it was at its start."""

    run: Run


def export_of(exports: Records[Export], export_id: str) -> Export:
    """Return the export with this id. NotFound when it does not exist."""
    stored = exports.read(export_id)
    if stored is None:
        raise NotFound("exportNotFound")
    return stored.value


def newest_run(newest: Records[NewestRun], runs: Records[Run], export_id: str) -> Run | None:
    """The newest run of an export; None without one, and while its start is not complete."""
    known = newest.read(export_id)
    stored = runs.read(known.value.run.id) if known else None
    return stored.value if stored else None


def newest_run_id(newest: Records[NewestRun], export_id: str) -> str:
    """The id of the newest run of an export; empty without one."""
    known = newest.read(export_id)
    return known.value.run.id if known else ""


def was_started_after(
    newest: Records[NewestRun], export_id: str, earlier: str | None, moment: datetime
) -> bool:
    """Whether the newest run of an export sends all changes, and was started after the run `earlier`.

    The clocks of two instances may differ, so times are compared only for records of earlier versions, in which `earlier` is
    None: the run was started at the moment or later.
    """
    known = newest.read(export_id)
    run = known.value.run if known and known.value.run.sends_all_changes else None
    if run is None or earlier is not None:
        return run is not None and run.id != earlier
    return run.queued_at is not None and run.queued_at >= moment


def read_run(runs: Records[Run], run_id: str) -> Run:
    """Return the run with this id. NotFound when it does not exist."""
    stored = runs.read(run_id)
    if stored is None:
        raise NotFound("runNotFound")
    return stored.value


def is_active(runs: Records[Run], run_id: str) -> bool:
    """Whether a run exists and is active."""
    stored = runs.read(run_id)
    return stored is not None and stored.value.is_active
