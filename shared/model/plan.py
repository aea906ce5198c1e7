"""What a plan is: all that sending and finishing need to know, written once and never changed.

The people stand in two files of the plan's folder: `changes.parquet` (everyone of the run and the
ledger who matters, with what is to happen and why) and `lines.jsonl` (those to send, in the order
of the chunks, one JSON array a line: `[address, tagset, [field values]]`; leavers are `"address"`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from shared.errors import ConnectorError, NotFound
from shared.model.audience import MergeField
from shared.model.export import Mapping
from shared.model.run import CallTotals, Counts, Finding
from shared.model.source import Attribute

__all__ = [
    "PLAN_FORM",
    "Plan",
    "PlanFiles",
    "PlanGone",
    "PlannedTag",
    "plan_from_json",
    "plan_to_json",
]

# Counted up when an older program would send something else by a plan than what it says, or would
# not understand its files. A new field that may be left out is no reason.
PLAN_FORM = 1


class PlanGone(NotFound):
    """A file of a run's plan was deleted or damaged: the run cannot go on by this plan."""

    def __init__(self) -> None:
        super().__init__("planGone")


@dataclass(frozen=True)
class PlannedTag:
    """A segment and its tag. `held` counts members who are in the segment but not subscribed."""

    segment: str
    tag: str
    tag_id: int
    members: int = 0
    held: int = 0


@dataclass(frozen=True)
class Plan:
    """A run's plan: the definition as it was, so that an edit meanwhile changes nothing.

    `status` is what new people get; `gone_tags` are tags of the ledger that somebody deleted;
    `tagsets[i]` are the tag names of set i; `settled` is the fingerprint of source and mapping
    that the ledger stands for when all of this is sent. `form` says which programs may carry it out.
    """

    run_id: str
    export_id: str
    connection_id: str
    account_id: str
    audience_id: str
    folder: str
    status: str
    mapping: Mapping
    attributes: tuple[Attribute, ...]
    merge_fields: tuple[MergeField, ...]
    tags: tuple[PlannedTag, ...]
    tagsets: tuple[tuple[str, ...], ...]
    counts: Counts
    people_to_send: int = 0
    removals: int = 0
    removals_held: bool = False
    chunks: int = 0
    ledger: str | None = None
    gone_tags: tuple[int, ...] = ()
    settled: str = ""
    findings: tuple[Finding, ...] = ()
    calls: CallTotals = field(default_factory=CallTotals)
    form: int = PLAN_FORM

    @property
    def changes(self) -> str:
        """The blob of everyone who matters to the run."""
        return f"{self.folder}changes.parquet"

    @property
    def lines(self) -> str:
        """The blob of those to send, in the order of the chunks."""
        return f"{self.folder}lines.jsonl"

    @property
    def chunk_list(self) -> str:
        """The blob of the chunks, as they were cut."""
        return f"{self.folder}chunks.json"

    @property
    def shared_and_rejected(self) -> str:
        """The blob of rows that were rejected and profiles that lost their address."""
        return f"{self.folder}rows.parquet"


@dataclass(frozen=True)
class PlanFiles:
    """Local files of a plan: `changes` and `rows` are Parquet, `lines` one JSON value a line."""

    changes: Path
    rows: Path
    lines: Path


@dataclass(frozen=True)
class _Form:
    form: int = PLAN_FORM


_CODEC = TypeAdapter(Plan)
_FORM = TypeAdapter(_Form)


def plan_to_json(plan: Plan) -> bytes:
    """A plan as it is kept."""
    return _CODEC.dump_json(plan)


def plan_from_json(data: bytes) -> Plan:
    """A plan as it was kept. PlanGone when it is damaged.

    ConnectorError when a newer version of the app made it in a form of its own: then nothing of it
    is sent, and the message comes back, for a newer process to take it.
    """
    try:
        if _FORM.validate_json(data).form > PLAN_FORM:
            raise ConnectorError("recordNewer", record="plan")
        return _CODEC.validate_json(data)
    except ValidationError:
        raise PlanGone from None
