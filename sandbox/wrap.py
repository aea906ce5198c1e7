"""Turns any CSV file into a segment of Customer Insights, with later refreshes.

At each refresh a share of the rows changes, the first rows leave and new ones are added; the result depends only on the seed.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sandbox import cdm
from sandbox.cdm import Entity, Format
from sandbox.persons import mixed


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under column names, all text."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def read(path: Path) -> Table:
    """A CSV file with a header (UTF-8, with or without BOM)."""
    with path.open(encoding="utf-8-sig", newline="") as text:
        lines = csv.reader(text)
        columns = tuple(next(lines))
        return Table(columns, tuple(tuple(line) for line in lines if line))


def later(
    table: Table,
    *,
    email: str,
    change: str,
    key: str | None = None,
    changed: float = 0.01,
    arriving: int = 50,
    leaving: int = 50,
    seed: int = 1,
) -> Table:
    """The table at its next refresh: `changed` of the rows have another `change` column.

    The first `leaving` rows are removed; `arriving` rows are new: copies with their own `email` on example.com and `key`.
    Exactly round(changed * remaining rows) rows change.
    """
    at_email, at_change = table.columns.index(email), table.columns.index(change)
    at_key = table.columns.index(key or table.columns[0])
    rows = [list(row) for row in table.rows[leaving:]]
    order = sorted(range(len(rows)), key=lambda index: mixed(seed, index))
    for index in order[: round(changed * len(rows))]:
        rows[index][at_change] = _another(rows[index][at_change])
    for number in range(arriving):
        row = list(table.rows[number % len(table.rows)])
        row[at_email] = f"new.{seed}.{number}@example.com"
        row[at_key] = f"NEW_{seed}_{number}"
        rows.append(row)
    return Table(table.columns, tuple(tuple(row) for row in rows))


def _another(value: str) -> str:
    return str(int(value) + 1) if value.isascii() and value.isdigit() else f"{value} II"


def write(
    tables: dict[str, Table],
    root: Path,
    when: datetime,
    *,
    how: Format = Format(),  # noqa: B008 - frozen
    partitions: int = 2,
    base: str = cdm.SANDBOX_BASE,
) -> list[Entity]:
    """Write tables as entities of one CDM folder below `root`, model.json last."""
    entities = [
        _write_one(name, table, root, when, how, partitions) for name, table in tables.items()
    ]
    cdm.write_model(root, entities, when, base)
    return entities


def _write_one(
    name: str, table: Table, root: Path, when: datetime, how: Format, partitions: int
) -> Entity:
    columns = tuple((column, "string") for column in table.columns)
    with cdm.entity_writers(root, name, columns, when, how, partitions) as (entity, writers):
        rows: Sequence[tuple[str, ...]] = table.rows
        for index, row in enumerate(rows):
            writers[index * partitions // len(rows)].row(row)
    return entity
