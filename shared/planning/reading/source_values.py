"""Collects facts that only a whole column shows: empty values, the order of dates, decimal marks, unclear consent.

It also makes the only change to values before they are compared: an internationalized domain is
replaced by its ASCII form, which mail uses.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import orjson
from duckdb import DuckDBPyConnection

from shared.fields.address import BLANKS, mail_form
from shared.fields.consent import consent_words
from shared.fields.days import FIRST_NUMBER, SECOND_NUMBER
from shared.fields.numbers import WITH_COMMA, WITH_POINT, mark_of
from shared.model.export import ConsentMeaning
from shared.model.finding import Finding, Severity
from shared.model.source import COMMA, DAY_FIRST, MONTH_FIRST, POINT, Attribute, LoadedSegment
from shared.workspace import SqlFile

# One of two forms must fit this many times as many values as the other; otherwise the form is unknown.
_CLEAR = 20
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
        if _is_clear(self.day_first, self.month_first):
            return DAY_FIRST
        return MONTH_FIRST if _is_clear(self.month_first, self.day_first) else given


@dataclass
class _Numbers:
    """How many numbers of a column show their decimal mark, and how many are like 1.234 and like 1,234."""

    with_point: int = 0
    with_comma: int = 0
    open_point: int = 0
    open_comma: int = 0

    def mark(self, attribute: Attribute) -> str:
        """Return the decimal mark that the numbers show, else the one in the model; empty when it is needed and unknown."""
        if _is_clear(self.with_point, self.with_comma):
            return POINT
        if _is_clear(self.with_comma, self.with_point):
            return COMMA
        return attribute.decimal_mark or ("" if self.unclear(attribute) else POINT)

    def unclear(self, attribute: Attribute) -> int:
        """Return how many numbers need a decimal mark that the type of the attribute does not show."""
        is_known = {each: bool(mark_of(each, "", attribute.data_type)) for each in ".,"}
        return (not is_known["."]) * self.open_point + (not is_known[","]) * self.open_comma


def _is_clear(these: int, others: int) -> bool:
    return these > _CLEAR * others


@dataclass
class _Consent:
    """How many rows there are, how many have a value of a consent attribute, and how many of these are neither a yes nor a no.

    `empty_allows` is whether an empty value allows email.
    """

    empty_allows: bool
    rows: int = 0
    given: int = 0
    unclear: int = 0


def define_digit_macros(db: DuckDBPyConnection) -> None:
    """Create the macros in a database, which `SourceValues.add` needs."""
    _SQL.run(db, "create")


@dataclass
class SourceValues:
    """Facts about the columns of all segments of a run. Call `add` once for each loaded segment."""

    markers: Counter[str] = field(default_factory=Counter)
    dates: defaultdict[str, _Dates] = field(default_factory=lambda: defaultdict(_Dates))
    numbers: defaultdict[str, _Numbers] = field(default_factory=lambda: defaultdict(_Numbers))
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
        if not fields:
            return
        cells = [f"c{position}" for position in range(2, 2 + len(fields))]
        may_show_forms = _SQL.row(db, "may_show_forms", cells=cells)
        for cell, name, may_show in zip(cells, fields, may_show_forms, strict=True):
            if may_show:
                self._add_dates(db, cell, name)
                self._add_numbers(db, cell, name, has_points=name in loaded.numeric_columns)

    def add_consent(
        self, db: DuckDBPyConnection, cell: str, attribute: str, meaning: ConsentMeaning
    ) -> None:
        """Count the values of a consent attribute, and those that are neither a yes nor a no."""
        words = consent_words(meaning, attribute)
        known = sorted(words.allow | words.forbid)
        rows, given, unclear = _SQL.row(
            db, "consent", cell=cell, attribute=attribute, blanks=BLANKS, known=known
        )
        found = self.consent.setdefault(attribute, _Consent(meaning.empty_allows))
        found.rows += rows
        found.given += given
        found.unclear += unclear

    def attributes(self, attributes: Sequence[Attribute]) -> tuple[Attribute, ...]:
        """The attributes, each with the order of its dates and the decimal mark of its numbers."""
        return tuple(
            replace(
                each,
                date_order=self.dates[each.name].order(each.date_order),
                decimal_mark=self.numbers[each.name].mark(each),
            )
            for each in attributes
        )

    def findings(
        self,
        attributes: Sequence[Attribute],
        date_orders: Mapping[str, str],
        decimal_marks: Mapping[str, str],
    ) -> list[Finding]:
        """What a person should know.

        `date_orders` and `decimal_marks` are the attributes with dates and with numbers, and the choice for each.
        """
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
            if consent.empty_allows and consent.rows and not consent.given:
                # It may be right: no one has objected. Or the attribute is not filled any more.
                values = {"attribute": attribute, "rows": str(consent.rows)}
                found.append(Finding(Severity.INFO, "consentEmpty", values=values))
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
            dates = self.dates[each.name].open
            if dates and not (each.date_order or date_orders.get(each.name, "-")):
                values = {"attribute": each.name, "dates": str(dates)}
                found.append(Finding(Severity.WARNING, "dateOrderUnknown", values=values))
            numbers = self.numbers[each.name].unclear(each)
            if numbers and not (each.decimal_mark or decimal_marks.get(each.name, "-")):
                values = {"attribute": each.name, "numbers": str(numbers)}
                found.append(Finding(Severity.WARNING, "decimalMarkUnknown", values=values))
        return found

    def _add_dates(self, db: DuckDBPyConnection, cell: str, name: str) -> None:
        counts = _SQL.row(db, "dates", cell=cell, first=FIRST_NUMBER, second=SECOND_NUMBER)
        dates = self.dates[name]
        dates.day_first += counts[0]
        dates.month_first += counts[1]
        dates.open += counts[2]

    def _add_numbers(
        self, db: DuckDBPyConnection, cell: str, name: str, *, has_points: bool
    ) -> None:
        with_point, with_comma, open_point, open_comma = _SQL.row(
            db, "numbers", cell=cell, point=WITH_POINT, comma=WITH_COMMA
        )
        if has_points:
            with_point, open_point = with_point + open_point, 0
        numbers = self.numbers[name]
        numbers.with_point += with_point
        numbers.with_comma += with_comma
        numbers.open_point += open_point
        numbers.open_comma += open_comma


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
