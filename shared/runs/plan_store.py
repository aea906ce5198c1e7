"""Stores plans. A plan is written once and never changes.

Two planners of one run may work at the same time (a message was delivered twice). Each writes its
files into a separate folder; the first one that creates `plan.json` has planned the run.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from pydantic import TypeAdapter, ValidationError

from shared.errors import Conflict, NotFound
from shared.model.chunk import Chunk
from shared.model.names import plan_blob
from shared.model.plan import PLAN_FORM, Plan, PlanGone, plan_from_json, plan_to_json
from shared.model.ports import Files, delete_all
from shared.runs.plan_uploads import PlanUploads
from shared.shared_reads import SharedReads

_CHUNKS = TypeAdapter(list[Chunk])

# Plans of the newest runs, kept in memory.
_REMEMBERED = 8


def read_plan(files: Files, run_id: str) -> Plan:
    """Read the plan of a run. NotFound when it has none, PlanGone when the plan is damaged."""
    return plan_from_json(files.read(plan_blob(run_id)))


class PlanStore:
    """Writes and reads plans. A plan never changes, so the newest few stay in memory."""

    def __init__(self, files: Files) -> None:
        self.files = files
        self._remembered: dict[str, Plan] = {}
        self._reads = SharedReads(self.read)

    def write(self, plan: Plan, chunks: Sequence[Chunk], uploads: PlanUploads) -> Plan:
        """Complete a plan with the numbers of its chunks, and store it as soon as its files are uploaded.

        Returns the stored plan, which another planner may have written first.
        """
        plan = replace(
            plan,
            people_to_send=sum(chunk.people for chunk in chunks if chunk.tag_id is None),
            removals=sum(chunk.people for chunk in chunks if chunk.tag_id is not None),
            chunks=len(chunks),
            form=PLAN_FORM,
        )
        uploads.wait()
        self.files.write(plan.chunk_list, _CHUNKS.dump_json(list(chunks)))
        try:
            self.files.write(plan_blob(plan.run_id), plan_to_json(plan), once=True)
        except Conflict:
            delete_all(self.files, plan.folder)
            return self.read(plan.run_id) or plan
        return plan

    def read(self, run_id: str) -> Plan | None:
        """Return the plan of a run, or None without one. PlanGone when it is damaged."""
        try:
            return read_plan(self.files, run_id)
        except PlanGone:
            raise
        except NotFound:
            return None

    def get(self, run_id: str) -> Plan:
        """Return the plan of a run. PlanGone when it is missing or damaged."""
        plan = self._remembered.get(run_id) or self._reads(run_id)
        if plan is None:
            raise PlanGone
        while len(self._remembered) >= _REMEMBERED:
            self._remembered.pop(next(iter(self._remembered)), None)
        self._remembered[run_id] = plan
        return plan

    def source_fingerprint(self, run_id: str) -> str | None:
        """Return the fingerprint of the source of a run; None before the run has a plan."""
        try:
            return self.get(run_id).source_fingerprint
        except PlanGone:
            return None

    def chunks(self, plan: Plan) -> list[Chunk]:
        """Return the chunks of a plan as they were before sending. PlanGone when they are missing."""
        try:
            return _CHUNKS.validate_json(self.files.read(plan.chunk_list))
        except (NotFound, ValidationError):
            raise PlanGone from None
