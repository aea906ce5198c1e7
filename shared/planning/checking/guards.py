"""Guards against a wrong segment, exclusion segment, column, audience or account, and against objections that got lost.

A run that a guard stops waits for a confirmation before its first write. A preview lists the same reasons
as warnings. Guards ignore up to `FEW_PEOPLE` people, unless the export has a smaller limit for new people, or the
people are missing from an exclusion segment or do not object to email any more. New people are those whom the export has never
sent to Mailchimp. They may be in the audience all the same, for example because someone imported them there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from shared.model.export import Export
from shared.model.figures import Counts
from shared.model.finding import Finding, Reason, Severity
from shared.model.run import (
    EXCLUSION_SHRANK,
    FEWER_OBJECTIONS,
    SEGMENT_GREW,
    TAG_EXISTS,
    WITH_PEOPLE,
    Run,
    RunStatus,
)
from shared.planning.audience.audience_overlap import FEW_PEOPLE, SMALL_OVERLAP
from shared.planning.reading.exclusions import ExcludedMembers
from shared.planning.request import PlanRequest
from shared.runs.planning_ended import PlanningEnded
from shared.workspace import SqlFile

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from shared.model.audience import Tag
    from shared.planning.audience.tags import FoundTags
    from shared.planning.reading.people import RowCounts


_LEAST_USABLE = 0.5
_UNUSUAL_GROWTH = 10
_SQL = SqlFile.of(__file__)

# Returns how many contacts were compared with the audience, and how many of them both sides have.
Overlap = Callable[[], tuple[int, int]]


@dataclass(frozen=True)
class _Growth:
    """The number of people who are new to the export, and the number that it has sent before.

    `comparable`: a run has sent everyone, so the second number shows how large the export is.
    """

    new: int
    sent_before: int
    comparable: bool


def apply_guards(
    db: DuckDBPyConnection,
    request: PlanRequest,
    rows: RowCounts,
    tags: Sequence[Tag],
    overlap: Overlap,
    excluded: ExcludedMembers,
    outcomes_before: Path | None,
    *,
    comparable: bool,
) -> list[Finding]:
    """Raise PlanningEnded (awaiting a confirmation) when a guard stops the run.

    A preview returns the reasons as findings. Needs `people`, `rejects`, `ledger` and `do_not_send`.
    `tags[i]` is the tag of segment i. `overlap` is called only if the export has sent nothing to this
    audience. `outcomes_before` is a local file with the outcomes of the last complete run, or None if
    the consent attribute has no objections that could get lost. `comparable`: the ledger shows how large the export is, because a run has sent everyone.
    """
    export = request.export
    new, sent_before = _SQL.row(db, "growth")
    growth = _Growth(new, sent_before, comparable)
    reasons = [
        *_few_addresses(db, export),
        *(_grown_segments(db, export, tags) if comparable else ()),
        *_shrunk_exclusions(export, excluded),
        *_fewer_objections(db, export, outcomes_before),
        *_many_new(export, growth),
        *_strange_audience(growth, overlap),
    ]
    findings = [Finding(Severity.WARNING, each.code, values=each.values) for each in reasons]
    if request.is_preview:
        return findings
    # A confirmation applies to the number of new people that it was given for, and to fewer; to segments that have not
    # changed further since; to the number of people who no longer object, and to fewer; and to the export as it was then.
    confirmed = request.confirmed if growth.new <= request.run.confirmed_new else ()
    for reason in reasons:
        if reason.code not in confirmed or _went_further(reason, request.run):
            counts = Counts(source_rows=rows.source_rows, distinct=rows.people, new=growth.new)
            raise PlanningEnded(
                RunStatus.AWAITING_CONFIRMATION,
                reason,
                counts,
                tuple(findings),
                definition=request.definition_fingerprint,
            )
    return []


def _few_addresses(db: DuckDBPyConnection, export: Export) -> Iterator[Reason]:
    """Most rows have no usable address: probably another attribute has the addresses."""
    malformed, usable = _SQL.row(db, "addresses")
    if malformed > FEW_PEOPLE and usable < _LEAST_USABLE * (malformed + usable):
        yield Reason(
            "fewAddresses",
            values={
                "attribute": export.mapping.email,
                "usable": str(usable),
                "rows": str(malformed + usable),
            },
        )


def _grown_segments(
    db: DuckDBPyConnection, export: Export, tags: Sequence[Tag]
) -> Iterator[Reason]:
    """A segment has many times as many people as were sent its tag before."""
    tag_ids = [tag.id for tag in tags]
    grown = _SQL.rows(db, "segments", tag_ids=tag_ids, times=_UNUSUAL_GROWTH, least=FEW_PEOPLE)
    for number, before, people in grown:
        yield Reason(
            SEGMENT_GREW,
            values={
                "segment": export.segments[number].name,
                "before": str(before),
                "people": str(people),
            },
        )


def _shrunk_exclusions(export: Export, excluded: ExcludedMembers) -> Iterator[Reason]:
    """An exclusion segment has lost many of its members, so people who must not be mailed may be sent."""
    for name, before in excluded.lost(export.exclusion_guard.max_share).items():
        values = {"segment": name, "before": str(before), "people": str(excluded.now[name])}
        yield Reason(EXCLUSION_SHRANK, values=values)


def _fewer_objections(
    db: DuckDBPyConnection, export: Export, outcomes_before: Path | None
) -> Iterator[Reason]:
    """Of the people who objected to email, more than half no longer object: perhaps the attribute is no longer filled."""
    if outcomes_before is None:
        return
    lost, kept = _SQL.row(db, "objections", file=str(outcomes_before))
    if lost > kept:
        attribute = export.new_contacts.consent_attribute or ""
        values = {"attribute": attribute, "before": str(lost + kept), "people": str(lost)}
        yield Reason(FEWER_OBJECTIONS, values=values)


def _went_further(reason: Reason, run: Run) -> bool:
    """Whether a reason concerns more people than when a person confirmed the run, or an exclusion segment has fewer."""
    if reason.code not in WITH_PEOPLE:
        return False
    people = int(reason.values["people"])
    known = run.confirmed_members.get(reason.values.get("segment", ""))
    if known is None:
        return True
    return people < known if reason.code == EXCLUSION_SHRANK else people > known


def _many_new(export: Export, growth: _Growth) -> Iterator[Reason]:
    """There are more new people than the export allows without a confirmation."""
    guard = export.growth_guard
    limits = []
    if growth.sent_before and growth.comparable:
        limits.append(max(FEW_PEOPLE, int(guard.max_share * growth.sent_before)))
    if guard.max_contacts is not None:
        limits.append(guard.max_contacts)
    if limits and growth.new > min(limits):
        values = {"people": str(growth.new), "allowed": str(min(limits))}
        yield Reason("growthGuard", values=values)


def _strange_audience(growth: _Growth, overlap: Overlap) -> Iterator[Reason]:
    """The export has not sent its segments to this audience yet, and hardly anyone of the segments is in the audience."""
    # A few people may have been sent one by one, to try the export.
    tried = not growth.comparable and growth.sent_before <= FEW_PEOPLE
    if (tried or not growth.sent_before) and growth.new > FEW_PEOPLE:
        compared, both = overlap()
        if compared > FEW_PEOPLE and both < SMALL_OVERLAP * compared:
            values = {"people": str(growth.new), "compared": str(compared), "both": str(both)}
            yield Reason("strangeAudience", values=values)


def guard_tags(request: PlanRequest, found: FoundTags, rows: RowCounts) -> list[Finding]:
    """Raise PlanningEnded (awaiting a confirmation) for tags that were made outside the export.

    A preview returns a finding. Both have the number of subscribers with each tag.
    """
    if not found.foreign:
        return []
    foreign = [
        f"“{choice.tag_name}” ({tag.member_count:,})"
        for choice, tag in zip(request.export.segments, found.tags, strict=True)
        if choice.tag_name in found.foreign
    ]
    values = {"tags": ", ".join(foreign)}
    if request.is_preview:
        return [Finding(Severity.WARNING, TAG_EXISTS, values=values)]
    counts = Counts(source_rows=rows.source_rows, distinct=rows.people)
    reason = Reason(TAG_EXISTS, values=values)
    raise PlanningEnded(
        RunStatus.AWAITING_CONFIRMATION, reason, counts, definition=request.definition_fingerprint
    )
