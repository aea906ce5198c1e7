"""Keep the people and values of other exports to the audience: an undo restores what a field had before the run.

Two exports may send the same merge field. The ledger of the export has only its own earlier value, so the other
ledgers show which export wrote the field last before the run, or wrote it after the run.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from shared.fields.evidence import is_evidence
from shared.fields.merge_fields import chosen_fields
from shared.model.plan import Plan
from shared.model.ports import Files, download_if_exists
from shared.planning.writing.fields_to_send import field_of, merge_tags
from shared.workspace import SqlFile

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


_SQL = SqlFile.of(__file__)


@dataclass(frozen=True)
class OtherExport:
    """Another export to the audience: the blob of its ledger, and the plan of its newest run of all rows if it is stored."""

    ledger: str
    plan: Plan | None


def download_others(
    others: Sequence[OtherExport], files: Files, scratch: Path
) -> Iterator[tuple[OtherExport, Path]]:
    """Download the ledgers of other exports. One that someone deleted is left out."""
    for number, other in enumerate(others):
        local = scratch / f"other-{number}.parquet"
        if download_if_exists(files, other.ledger, local):
            yield other, local


def find_people_of_others(db: DuckDBPyConnection, ledgers: Sequence[Path]) -> None:
    """Fill `people_of_others` with the people of `ledger` who have a tag of another export in its ledger."""
    _SQL.run(db, "create_people")
    for file in ledgers:
        _SQL.run(db, "add_people", file=str(file))


def keep_values_of_others(
    db: DuckDBPyConnection,
    undone: str,
    source: Plan,
    columns: Sequence[str],
    ledgers: Sequence[tuple[OtherExport, Path]],
) -> int:
    """Replace values in `send_lines` by those of other exports, or leave their fields alone.

    `undone` is the id of the run that is undone, `source` the plan by whose mapping the restored values were written,
    and `columns` the merge fields of the undo.
    Needs `changes`, `before` and `ledger` of the undo. Returns the number of people who keep a value of the run, because the
    value of another export is newer, or is converted in another way.
    """
    if not ledgers:
        return 0
    here = _conversions(source)
    before = set(merge_tags(source.mapping))
    _SQL.run(db, "create")
    for other, file in ledgers:
        there = _conversions(other.plan) if other.plan else {}
        _SQL.run(db, "open_other", file=str(file))
        tags = [tag for (tag,) in _SQL.rows(db, "other_tags")]
        for place, tag in enumerate(columns, start=1):
            theirs = [one for one in tags if field_of(one) == field_of(tag)]
            if theirs and tag in before and not is_evidence(tag):
                alike = tag in here and here[tag] == there.get(tag)
                _SQL.run(db, "add", place=place, tag=tag, theirs=theirs, alike=alike, undone=undone)
    _SQL.run(db, "replace")
    return _SQL.number(db, "keeping")


def _conversions(plan: Plan) -> Mapping[str, tuple[str, ...]]:
    """How the values of each merge field are written in the source. Parts of addresses and evidence of consent are left out."""
    known = {attribute.name: attribute for attribute in plan.attributes}
    found = {}
    for choice in chosen_fields(plan.mapping):
        attribute = known.get(choice.attribute)
        if attribute is not None and not choice.part and not is_evidence(choice.tag):
            found[choice.tag.upper()] = (
                attribute.data_type,
                choice.date_order or attribute.date_order,
                choice.decimal_mark or attribute.decimal_mark,
            )
    return found
