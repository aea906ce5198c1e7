"""Plan the changes of an undo: from the current ledger back to the ledger from before a run.

The undo rules are in sql/undo_changes.sql. The tables have the same columns as in every plan, so
that the chunks of an undo are written, sent and finished like those of any run.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from shared.model.chunk import ARCHIVE_TAG
from shared.model.exclusions import ExclusionList
from shared.model.figures import Counts
from shared.model.finding import Finding, Severity
from shared.planning.reading.ledger import load_ledger
from shared.planning.selecting.consent import define_decisions
from shared.workspace import SqlFile

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


_SQL = SqlFile.of(__file__)


@dataclass(frozen=True)
class UndoFiles:
    """Local Parquet files: the ledger, the ledger from before the run, the outcomes of the run and of later ones.

    `planned`: what the run planned; None if that was deleted. `changes`: the same, and what the later runs and the newest run of
    all rows planned. `former_holders`: who had the tags before a run that took them over, or that found no ledger.
    """

    ledger: Path
    before: Path | None
    outcomes: Path
    planned: Path | None
    later: Sequence[Path]
    changes: Sequence[Path]
    former_holders: Sequence[Path]


@dataclass(frozen=True)
class UndoRules:
    """The settings of an undo of the run `undone`.

    `existing` are the tags that the audience still has, `run_tags` those of the run, in the order
    of its segments. `merge_tags` are the merge fields of the undo, `before_tags` those of the values from before the run. `archive` also archives the
    people that the run created. People on the list `excluded` get nothing back. `new_status` is the
    status of new contacts in the run. `mapping` is the fingerprint of the mapping with which the values from before the run are
    converted, and `mapping_run` the run that has this mapping.
    """

    undone: str
    existing: Sequence[int]
    run_tags: Sequence[int]
    merge_tags: Sequence[str]
    before_tags: Sequence[str]
    excluded: ExclusionList
    new_status: str
    archive: bool
    mapping: str
    mapping_run: str


def load_for_undo(db: DuckDBPyConnection, files: UndoFiles) -> None:
    """Fill `ledger`, `before`, `outcomes` and `later_outcomes`."""
    load_ledger(db, files.before)
    _SQL.run(db, "keep_before")
    load_ledger(db, files.ledger)
    _SQL.run(db, "load_outcomes", file=str(files.outcomes))
    if files.planned is not None:
        _SQL.run(db, "add_lost_tags", file=str(files.planned))
    for holders in files.former_holders:
        _SQL.run(db, "add_former_holders", file=str(holders))
    for later in files.later:
        _SQL.run(db, "add_later_outcomes", file=str(later))
    for changes in files.changes:
        _SQL.run(db, "add_planned", file=str(changes))


def compare_for_undo(db: DuckDBPyConnection, rules: UndoRules) -> None:
    """Fill `changes` and related tables. Reads `not_subscribed`, `manual_edits` and `people_of_others`, which must exist."""
    existing = list(rules.existing)
    define_decisions(db)
    _SQL.run(
        db,
        "people",
        undone=rules.undone,
        before_tags=list(rules.before_tags),
        existing=existing,
        excluded_addresses=list(rules.excluded.addresses),
        excluded_customers=list(rules.excluded.customers),
        new_status=rules.new_status,
        mapping=rules.mapping,
        mapping_run=rules.mapping_run,
    )
    _SQL.run(
        db,
        "changes",
        existing=existing,
        run_tags=list(rules.run_tags),
        merge_tags=list(rules.merge_tags),
        before_tags=list(rules.before_tags),
        archive=rules.archive,
        archive_tag=ARCHIVE_TAG,
    )


def has_values_of(
    db: DuckDBPyConnection, merge_tags: Sequence[str], *, rather_than: Sequence[str]
) -> bool:
    """Whether at least as many people had values of `merge_tags` before the run as had values of `rather_than`."""
    fields, others = _SQL.row(
        db, "values_before", merge_tags=list(merge_tags), others=list(rather_than)
    )
    return bool(fields >= others)


def leave_other_fields(
    db: DuckDBPyConnection, merge_tags: Sequence[str], before_tags: Sequence[str]
) -> None:
    """Remove values from `send_lines` whose merge field was not sent before the run, or not sent since.

    The mapping may have changed in between. `before_tags` are the merge fields of the values from before the run.
    """
    _SQL.run(db, "leave_other_fields", merge_tags=list(merge_tags), before_tags=list(before_tags))


def undo_counts(db: DuckDBPyConnection) -> Counts:
    """Count the people who are added again, whose values or tags are restored, and who lose a tag again."""
    returned, restored, losing = _SQL.row(db, "counts")
    return Counts(distinct=returned + restored, new=returned, changed=restored, left=losing)


def tags_before(db: DuckDBPyConnection) -> dict[int, int]:
    """Return how many people had each tag before the run."""
    return dict(_SQL.rows(db, "tags_before"))


def undo_tagsets(db: DuckDBPyConnection) -> list[list[int]]:
    """The tags of each tagset, in order."""
    return [tags for (tags,) in _SQL.rows(db, "tagset_tags")]


def not_undone(db: DuckDBPyConnection, archive: bool) -> list[Finding]:
    """Return findings about what the undo does not change, each with its number of people."""
    stay, unknown, not_subscribed, edited, others, withdrawn, excluded, elsewhere = map(
        str, _SQL.row(db, "not_undone", archive=archive)
    )
    info, warning = Severity.INFO, Severity.WARNING
    findings = [
        Finding(info, "undoCreatedStay", values={"people": stay}),
        Finding(warning, "undoValuesUnknown", values={"people": unknown}),
        Finding(warning, "undoNotSubscribed", values={"people": not_subscribed}),
        Finding(warning, "undoEditedSince", values={"people": edited}),
        Finding(info, "undoOthersToo", values={"people": others}),
        Finding(info, "undoConsentWithdrawn", values={"people": withdrawn}),
        Finding(info, "undoExcluded", values={"people": excluded}),
        Finding(warning, "undoUnsubscribedElsewhere", values={"people": elsewhere}),
    ]
    return [finding for finding in findings if finding.values["people"] != "0"]
