"""Collects facts that only a whole column shows: markers of "no value", the order of dates, unclear consent.

It also makes the only change to values before they are compared: an internationalized domain is
replaced by its ASCII form, which mail uses.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import orjson
from duckdb import DuckDBPyConnection

from shared.fields.address import BLANKS, mail_form
from shared.fields.consent import consent_words
from shared.model.export import ConsentMeaning
from shared.model.run import Finding, Severity
from shared.model.source import DAY_FIRST, MONTH_FIRST, Attribute, LoadedSegment
from shared.workspace import SqlFile

# One order must fit this many times as many dates as the other; otherwise the order is unknown.
_CLEAR = 20
_FIRST = r"^(\d{1,2})[/-]\d{1,2}(?:[/-]\d{4}\b.*)?$"
_SECOND = r"^\d{1,2}[/-](\d{1,2})(?:[/-]\d{4}\b.*)?$"
_BATCH = 10_000
_SQL = SqlFile.of(__file__)


@dataclass
class _Dates:
    """How many dates of a column show their order (a number above 12), and how many do not."""

    day_first: int = 0
    month_first: int = 0
    open: int = 0

    def order(self, given: str) -> str:
        """Return the order that the dates show, else the one in the model."""
        if self.day_first > _CLEAR * self.month_first:
            return DAY_FIRST
        if self.month_first > _CLEAR * self.day_first:
            return MONTH_FIRST
        return given


@dataclass
class _Consent:
    """How many values a consent attribute has, and how many are neither a yes nor a no."""

    given: int = 0
    unclear: int = 0


@dataclass
class SourceValues:
    """Facts about the columns of all segments of a run. Call `add` once for each loaded segment."""

    markers: Counter[str] = field(default_factory=Counter)
    dates: dict[str, _Dates] = field(default_factory=dict)
    consent: dict[str, _Consent] = field(default_factory=dict)

    def add(
        self,
        db: DuckDBPyConnection,
        fields: Sequence[str],
        loaded: LoadedSegment,
        scratch: Path,
    ) -> None:
        """Examine `segment_rows`, the rows of one segment: c0 is the address, the fields begin at c2."""
        self.markers.update(loaded.null_markers)
        _use_mail_form(db, scratch)
        for position, name in enumerate(fields, start=2):
            self._add_dates(db, f"c{position}", name)

    def add_consent(
        self, db: DuckDBPyConnection, cell: str, attribute: str, meaning: ConsentMeaning
    ) -> None:
        """Count the values of a consent attribute, and those that are neither a yes nor a no."""
        words = consent_words(meaning)
        known = sorted(words.allow | words.forbid)
        given, unclear = _SQL.row(db, "consent", cell=cell, blanks=BLANKS, known=known)
        found = self.consent.setdefault(attribute, _Consent())
        found.given += given
        found.unclear += unclear

    def attributes(self, attributes: Sequence[Attribute]) -> tuple[Attribute, ...]:
        """The attributes, each with the order of its dates."""
        return tuple(
            Attribute(
                each.name,
                each.data_type,
                each.semantic_type,
                self.dates.get(each.name, _Dates()).order(each.date_order),
            )
            for each in attributes
        )

    def findings(
        self, attributes: Sequence[Attribute], date_orders: Mapping[str, str]
    ) -> list[Finding]:
        """What a person should know. `date_orders`: attributes with dates, and a choice for each."""
        found = []
        if self.markers:
            found.append(
                Finding(
                    Severity.INFO,
                    "nullMarkers",
                    values={
                        "cells": str(self.markers.total()),
                        "attributes": ", ".join(sorted(self.markers)),
                    },
                )
            )
        for attribute, consent in self.consent.items():
            if consent.unclear:
                # A few such values in a good column must not make every run one with warnings.
                severe = 2 * consent.unclear >= consent.given
                values = {"attribute": attribute, "rows": str(consent.unclear)}
                found.append(
                    Finding(
                        Severity.WARNING if severe else Severity.INFO,
                        "consentUnclear",
                        values=values,
                    )
                )
        for each in attributes:
            unclear = self.dates.get(each.name, _Dates()).open
            if unclear and not (each.date_order or date_orders.get(each.name, "-")):
                found.append(
                    Finding(
                        Severity.WARNING,
                        "dateOrderUnknown",
                        values={"attribute": each.name, "dates": str(unclear)},
                    )
                )
        return found

    def _add_dates(self, db: DuckDBPyConnection, cell: str, name: str) -> None:
        day_first, month_first, unclear = _SQL.row(
            db, "dates", cell=cell, first=_FIRST, second=_SECOND
        )
        if day_first or month_first or unclear:
            dates = self.dates.setdefault(name, _Dates())
            dates.day_first += day_first
            dates.month_first += month_first
            dates.open += unclear


def _use_mail_form(db: DuckDBPyConnection, scratch: Path) -> None:
    """Convert internationalized domains of addresses into their ASCII form (`xn--`)."""
    # As a cursor of its own: a second query on a connection ends the first.
    rows = _SQL.run(db.cursor(), "international")
    path, changed = scratch / "domains.jsonl", 0
    with path.open("wb") as file:
        while batch := rows.fetchmany(_BATCH):
            for (given,) in batch:
                plain = given.strip(BLANKS)
                mail = mail_form(plain)
                if mail != plain:
                    file.write(orjson.dumps({"given": given, "mail": mail}) + b"\n")
                    changed += 1
    try:
        if changed:
            _SQL.run(db, "use_mail_form", file=str(path))
    finally:
        path.unlink()
