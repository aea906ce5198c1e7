"""The plan of a run: everything that sending and finishing need, written once and never changed.

People are in two files in the folder of the plan: `changes.parquet` (all people of the run, and people of the
ledger who lose a tag) and `lines.jsonl` (the people to send, in the order of the chunks, one JSON array for each
line: `[address, tagset, [values]]`; a removal is `"address"`). A value of null leaves its field unchanged, "" empties
it.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from pydantic import TypeAdapter, ValidationError

from shared.errors import ConnectorError, NotFound
from shared.model.audience import CallCounts, MergeField
from shared.model.export import Mapping
from shared.model.figures import AudienceSize, Counts, RunSegment
from shared.model.finding import Finding, Reason
from shared.model.run import RunStatus
from shared.model.source import Attribute

# Increase this when an older version of the app would carry out a plan wrongly, or could not read its files; not
# for an optional new field.
PLAN_FORM = 3

# The form of the plans of version 1.0.
_FIRST_FORM = 1
_RESULTS_IN_CHUNKS = 3


class PlanGone(NotFound):
    """A file of a run's plan was deleted or damaged: the run cannot continue."""

    def __init__(self) -> None:
        super().__init__("planGone")


@dataclass(frozen=True)
class PlannedTag:
    """A segment and its tag, with the people in it and those of them who are not subscribed."""

    segment: str
    tag: str
    tag_id: int
    members: int = 0
    not_subscribed: int = 0


@dataclass(frozen=True)
class Plan:
    """The plan of a run. It contains the export as it was, so later edits do not affect the run.

    `status` is the status of new contacts. `tagsets[i]` are the tag names of set i. `deleted_tags` are tags in
    the ledger that the audience does not have any more. `ledger` is the ledger that the run was compared with,
    `ledger_run` the run of the pointer at that time. `source_fingerprint` goes into the next pointer when
    everything was sent. `reason` is why the run ends as `ends_as` although the plan was carried out completely.
    `rejected_before` counts rejected rows that the previous run rejected too. `definition` is a fingerprint of
    the export. `form` determines which versions of the app can carry out the plan.
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
    chunks: int = 0
    ledger: str | None = None
    ledger_run: str = ""
    reason: Reason | None = None
    rejected_before: int = 0
    deleted_tags: tuple[int, ...] = ()
    source_fingerprint: str = ""
    findings: tuple[Finding, ...] = ()
    calls: CallCounts = field(default_factory=CallCounts)
    form: int = _FIRST_FORM
    # The number of contacts by status when the audience was read; empty in plans of version 1.0.
    contacts_before: dict[str, int] = field(default_factory=dict)
    audience_size: AudienceSize | None = None
    audience_name: str = ""
    ends_as: RunStatus = RunStatus.FAILED
    definition: str = ""
    # The fingerprint of the source. Unlike `source_fingerprint`, it is also set if the run leaves something to later runs, as a
    # retry does. Empty in plans of earlier versions, of an undo and of archiving.
    read_fingerprint: str = ""
    # For each exclusion segment, by name: the number of people with which the next run is compared, if this one sends everything
    # (`ExcludedMembers.after_run`).
    excluded_members: dict[str, int] = field(default_factory=dict)
    # The names, by id, of the tags in the ledger, also of those whose segment the export no longer has. Empty in plans of
    # earlier versions.
    tags_before: dict[int, str] = field(default_factory=dict)

    @property
    def tag_names(self) -> dict[int, str]:
        """The names, by id, of all tags that the run gives or removes."""
        return {**self.tags_before, **{tag.tag_id: tag.tag for tag in self.tags}}

    @property
    def has_results_in_chunks(self) -> bool:
        """Whether all versions that carry out the plan read outcomes in the records of chunks."""
        return self.form >= _RESULTS_IN_CHUNKS

    def run_segments(self, counted: dict[int, int] | None = None) -> tuple[RunSegment, ...]:
        """The segments of the run. `counted` has Mailchimp's numbers of members, by the id of the tag."""
        known = counted or {}
        return tuple(
            RunSegment(tag.segment, tag.tag, tag.members, known.get(tag.tag_id))
            for tag in self.tags
        )

    @property
    def changes(self) -> str:
        """The blob of everyone of the run, and everyone who loses a tag."""
        return f"{self.folder}changes.parquet"

    @property
    def lines(self) -> str:
        """The blob of those to send, in the order of the chunks."""
        return f"{self.folder}lines.jsonl"

    @property
    def chunk_list(self) -> str:
        """The blob of the list of chunks."""
        return f"{self.folder}chunks.json"

    @property
    def samples(self) -> str:
        """The blob of the sample people of a preview."""
        return f"{self.folder}samples.json"

    @property
    def values_before(self) -> str:
        """The blob of what the ledger has of the people of a preview."""
        return f"{self.folder}before.parquet"

    @property
    def sent_person(self) -> str:
        """The blob of what was sent of one person, and what Mailchimp has of them."""
        return f"{self.folder}sent.json"

    @property
    def shared_and_rejected(self) -> str:
        """The blob of rows that were rejected and profiles that lost their address."""
        return f"{self.folder}rows.parquet"


@dataclass(frozen=True)
class _Form:
    form: int = _FIRST_FORM


_CODEC = TypeAdapter(Plan)
_FORM = TypeAdapter(_Form)


def plan_to_json(plan: Plan) -> bytes:
    """A plan as stored JSON."""
    return _CODEC.dump_json(plan)


def plan_from_json(data: bytes) -> Plan:
    """A plan from stored JSON. PlanGone when it is damaged.

    ConnectorError when a newer version of the app made it in a newer form: nothing of it is sent,
    and the message returns to the queue for a newer process.
    """
    try:
        if _FORM.validate_json(data).form > PLAN_FORM:
            raise ConnectorError("recordNewer", record="plan")
        return _CODEC.validate_json(data)
    except ValidationError:
        raise PlanGone from None
