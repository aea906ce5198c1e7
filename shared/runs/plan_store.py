"""Plans as they are written down: once each, and then followed whatever happens.

Two planners of one run may work at once (a message delivered twice): each writes its files into a
folder of its own, and the one whose `plan.json` is there first has planned the run.
"""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import TypeAdapter, ValidationError

from shared.errors import Conflict, NotFound
from shared.model.chunk import Chunk
from shared.model.names import plan_blob
from shared.model.plan import Plan, PlanFiles, PlanGone, plan_from_json, plan_to_json
from shared.model.ports import Files

__all__ = ["PlanStore"]

_CHUNKS = TypeAdapter(list[Chunk])


# Plans of the newest runs, kept in memory.
_REMEMBERED = 8


class PlanStore:
    """Writes and reads plans. A plan never changes, so the newest few stay in memory."""

    def __init__(self, files: Files) -> None:
        self.files = files
        self._remembered: dict[str, Plan] = {}

    def write(self, plan: Plan, cut_files: PlanFiles, chunks: Sequence[Chunk]) -> Plan:
        """Write a plan down; the one that counts, which another planner may have written."""
        self.files.upload(cut_files.changes, plan.changes)
        self.files.upload(cut_files.rows, plan.shared_and_rejected)
        self.files.upload(cut_files.lines, plan.lines)
        self.files.write(plan.chunk_list, _CHUNKS.dump_json(list(chunks)))
        try:
            self.files.write(plan_blob(plan.run_id), plan_to_json(plan), once=True)
        except Conflict:
            for name in list(self.files.names(plan.folder)):
                self.files.delete(name)
            return self.read(plan.run_id) or plan
        return plan

    def read(self, run_id: str) -> Plan | None:
        """The plan of a run, if it has one. PlanGone when it is damaged."""
        try:
            return plan_from_json(self.files.read(plan_blob(run_id)))
        except PlanGone:
            raise
        except NotFound:
            return None

    def get(self, run_id: str) -> Plan:
        """The plan of a run. PlanGone when it has none or it is damaged."""
        plan = self._remembered.get(run_id) or self.read(run_id)
        if plan is None:
            raise PlanGone
        while len(self._remembered) >= _REMEMBERED:
            self._remembered.pop(next(iter(self._remembered)), None)
        self._remembered[run_id] = plan
        return plan

    def source_fingerprint(self, run_id: str) -> str | None:
        """The fingerprint of what a run has read; None before it has a plan."""
        try:
            return self.get(run_id).source_fingerprint
        except PlanGone:
            return None

    def chunks(self, plan: Plan) -> list[Chunk]:
        """The chunks of a plan, as they were cut. PlanGone."""
        try:
            return _CHUNKS.validate_json(self.files.read(plan.chunk_list))
        except (NotFound, ValidationError):
            raise PlanGone from None
