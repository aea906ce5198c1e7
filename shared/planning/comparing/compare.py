"""Compare the people of a run with the ledger: who is added, updated, unchanged, or loses a tag.

The rules are in sql/compare.sql; those about consent, which come first, in sql/consent.sql.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shared.model.chunk import CONTACT_TAGS
from shared.model.figures import Counts
from shared.model.ledger import MAX_TRIES
from shared.workspace import SqlFile

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


_SQL = SqlFile.of(__file__)


@dataclass(frozen=True)
class Rules:
    """The settings of a run that decide who is sent.

    `tag_ids[i]` is the tag of segment i. `mapping` is the fingerprint of the mapping: when it
    changes, every row counts as changed. When `field_rules` (planning/fingerprint.py) change, rows that they
    concerned are sent again. `everything` sends people although nothing changed; `ask_again`
    sends rows that Mailchimp refused permanently; `remove_tags` takes tags from people who left;
    `retry` sends only the people of the table `failed` (planning/selecting/retry.py).
    """

    tag_ids: Sequence[int]
    mapping: str
    everything: bool = False
    ask_again: bool = False
    remove_tags: bool = True
    retry: bool = False
    field_rules: str = ""


@dataclass(frozen=True)
class SegmentMembers:
    """The people of a segment, how many are not subscribed, and how many the run reaches."""

    people: int = 0
    not_subscribed: int = 0
    reached: int = 0


def compare(db: DuckDBPyConnection, rules: Rules) -> None:
    """Fill `changes` from `people`, `rejects`, `ledger`, `not_subscribed` and `do_not_send`.

    `protected` and `uncertain` have the tags that people keep because of rows that cannot be sent.
    """
    _SQL.run(db, "tagsets", tag_ids=list(rules.tag_ids))
    _SQL.run(db, "uncertain")
    _SQL.run(
        db,
        "changes",
        mapping=rules.mapping,
        field_rules=rules.field_rules,
        everything=rules.everything,
        ask_again=rules.ask_again,
        remove_tags=rules.remove_tags,
        retry=rules.retry,
        max_tries=MAX_TRIES,
    )


@dataclass(frozen=True)
class PlannedCounts:
    """The counts of a run that are known once it is planned.

    `refused_before` counts people who are not sent because Mailchimp refused them in earlier runs.
    """

    of_run: Counts
    refused_before: int


def count(db: DuckDBPyConnection, source_rows: int) -> PlannedCounts:
    """Count `changes`, `rejects` and `shared`."""
    distinct, new, changed, unchanged, left, kept, refused, erased, bad, shared = _SQL.row(
        db, "counts", contact_tags=list(CONTACT_TAGS)
    )
    counts = Counts(
        source_rows=source_rows,
        distinct=distinct + erased,
        new=new,
        changed=changed,
        unchanged=unchanged,
        left=left,
        kept=kept + erased,
        rejected=refused + bad,
        shared_address=shared,
    )
    return PlannedCounts(counts, refused)


def members_by_segment(db: DuckDBPyConnection) -> dict[int, SegmentMembers]:
    """The members of each segment, by its number."""
    return {segment: SegmentMembers(*counts) for segment, *counts in _SQL.rows(db, "members")}


def tagset_segments(db: DuckDBPyConnection) -> list[list[int]]:
    """The segments of each tagset, by number, in the order of the tagsets."""
    return [segments for (segments,) in _SQL.rows(db, "tagset_segments")]
