"""Read what a plan is made from: the segments, the audience and the ledger, at the same time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

from duckdb import DuckDBPyConnection

from shared.fields.merge_fields import date_orders, decimal_marks
from shared.memory import waiting_for_network
from shared.model.ledger import LedgerPointer
from shared.model.ports import SegmentSource, download_if_exists
from shared.model.source import Attribute, Snapshot, find_name
from shared.planning.audience.found_audience import FoundAudience
from shared.planning.audience.merge_fields import with_fields_to_create
from shared.planning.context import PlanContext
from shared.planning.reading.exclusions import ExcludedMembers, Exclusions, exclusion_findings
from shared.planning.reading.limit import check_limit
from shared.planning.reading.people import RowCounts, SourceColumns, read_people
from shared.planning.reading.source_values import SourceValues
from shared.workspace import check_disk


@dataclass(frozen=True)
class PlanSource:
    """The source of a run, and the ledger that it is compared with.

    `settle` is called before the plan writes to Mailchimp (see settled_source.py).
    """

    snapshot: Snapshot
    columns: SourceColumns
    fingerprint: str
    pointer: LedgerPointer | None
    exclusions: Exclusions
    settle: Callable[[DuckDBPyConnection], None]


@dataclass(frozen=True)
class Inputs:
    """The source and what was read: rows, the audience, the attributes with what their values show, the ledger.

    `ledger` is the pointer to the ledger in `ledger_file`. Both are None if there is none for this audience.
    """

    source: PlanSource
    rows: RowCounts
    audience: FoundAudience
    attributes: tuple[Attribute, ...]
    ledger: LedgerPointer | None
    ledger_file: Path | None
    excluded_members: ExcludedMembers


def read_inputs(context: PlanContext, source: PlanSource, segments: SegmentSource) -> Inputs:
    """Read the segments and the audience, and download the ledger.

    PlanningEnded when there are too many people, ConfigError when the disk is too small for them.
    """
    db, scratch, values = context.db, context.scratch, SourceValues()
    ledger_file = scratch / "ledger.parquet"
    # All three are slow. The cursor is closed last: if reading fails, the audience may still be read with it.
    with closing(db.cursor()) as cursor, ThreadPoolExecutor(2) as executor:
        audience = executor.submit(context.audience.inspect, cursor, scratch)
        ledger = executor.submit(_download_ledger, context, source.pointer, ledger_file)
        excluded = source.exclusions.read(db, segments, source.columns.email, scratch)
        rows = read_people(db, source.snapshot, segments, source.columns, scratch, values)
        with waiting_for_network(db):
            found, pointer = audience.result(), ledger.result()
    attributes = values.attributes(_attributes(source.snapshot, source.columns.fields))
    mapping = context.request.export.mapping
    fields = with_fields_to_create(context.request.export, found.merge_fields)
    orders, marks = date_orders(mapping, fields), decimal_marks(mapping, fields)
    context.findings += [
        *found.findings,
        *exclusion_findings(excluded),
        *check_limit(rows, context.dependencies.max_profiles),
        *values.findings(attributes, orders, marks),
    ]
    check_disk(scratch, rows.people)
    members = ExcludedMembers(
        source.pointer.excluded_members if source.pointer else {},
        {segment.name: segment.members for segment in excluded},
    )
    return Inputs(
        source, rows, found, attributes, pointer, ledger_file if pointer else None, members
    )


def _download_ledger(
    context: PlanContext, pointer: LedgerPointer | None, file: Path
) -> LedgerPointer | None:
    """Download the ledger of this audience. Returns None if there is none or its file was deleted."""
    if pointer is None or not context.request.is_of_audience(pointer):
        return None
    return pointer if download_if_exists(context.dependencies.files, pointer.blob, file) else None


def _attributes(snapshot: Snapshot, fields: Sequence[str]) -> tuple[Attribute, ...]:
    """The mapped attributes. If segments have one with different formats, its format is unknown."""
    known: dict[str, Attribute] = {}
    for segment in snapshot.segments:
        for each in segment.attributes:
            first = known.setdefault(each.name, each)
            if first.date_order != each.date_order:
                known[each.name] = first = replace(first, date_order="")
            if first.decimal_mark != each.decimal_mark:
                known[each.name] = replace(first, decimal_mark="")
    found = ((name, find_name(name, list(known))) for name in dict.fromkeys(fields))
    return tuple(replace(known[own], name=name) for name, own in found if own is not None)
