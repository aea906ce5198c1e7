"""The list of people that an export never sends: read, replace, delete."""

from __future__ import annotations

import csv
import io
from dataclasses import replace

from shared.errors import ConfigError
from shared.model.exclusions import ExclusionList
from shared.people.exclusion_lists import EXCLUSIONS_CHANGED, parse_exclusions
from shared.web.application import audit
from shared.web.application.etags import etag_of, refuse_changed
from shared.web.context import Context

_SHOWN_LINES = 20
_DELIMITERS = ",;\t"


def read(context: Context, export_id: str) -> ExclusionList:
    """The list of an export, which may be empty. NotFound without the export."""
    context.services.definitions.read(export_id)
    return context.services.exclusions.read(export_id)


def put(
    context: Context, export_id: str, data: bytes, if_match: str | None = None
) -> ExclusionList:
    """Replace the list by the first column of a CSV file with commas, semicolons or tabs.

    Changed if the list is not the one of `if_match`. ConfigError for a file that is not UTF-8, or has a malformed entry or
    an address in another column: a list that is only partly understood would let mail reach people who must not get any.
    """
    export = context.services.definitions.read(export_id).value
    try:
        text = data.decode("utf-8-sig")
        delimiter = max(_DELIMITERS, key=text.count)
        rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))
    except (UnicodeDecodeError, csv.Error):
        raise ConfigError("exclusionsNotCsv") from None
    # An address outside the first column would be ignored; an empty first cell hides its person.
    ignored = {
        line
        for line, row in enumerate(rows, start=1)
        if any("@" in cell for cell in row[1:])
        or (row and not row[0].strip() and any(cell.strip() for cell in row[1:]))
    }
    parsed = parse_exclusions((line, row[0]) for line, row in enumerate(rows, start=1) if row)
    invalid = sorted(ignored | set(parsed.invalid))
    if invalid:
        shown = ", ".join(str(line) for line in invalid[:_SHOWN_LINES])
        raise ConfigError("exclusionsInvalid", rows=len(invalid), lines=shown)
    before = _stored(context, export_id)
    listed = replace(
        parsed.listed,
        updated_at=context.services.clock(),
        updated_by=context.caller.name,
        revision=context.services.new_id(),
    )
    state = _expected(if_match, before)
    if state is None:
        context.services.exclusions.write(export_id, listed)
    else:
        context.services.exclusions.replace_if(export_id, listed, state)
    _record(context, export_id, export.display_name, before, listed)
    return listed


def delete(context: Context, export_id: str, if_match: str | None = None) -> None:
    """Delete the list; people on it are sent again by the next run. Changed if it is not the one of `if_match`."""
    export = context.services.definitions.read(export_id).value
    before = _stored(context, export_id)
    state = _expected(if_match, before)
    if state is None:
        context.services.exclusions.delete(export_id)
    else:
        context.services.exclusions.replace_if(export_id, ExclusionList(), state)
    if before is None or before:
        _record(context, export_id, export.display_name, before, ExclusionList())


def etag(listed: ExclusionList) -> str:
    """The ETag of a list; empty if it has none."""
    return etag_of(listed.state) if listed.state is not None else ""


def _expected(if_match: str | None, before: ExclusionList | None) -> str | None:
    """The state that a write must find; None without a condition, and for a damaged list."""
    if before is None or before.state is None:
        return None
    return refuse_changed(if_match, before.state, EXCLUSIONS_CHANGED)


def _stored(context: Context, export_id: str) -> ExclusionList | None:
    """The list before a change; None when it is damaged, because a change must repair it."""
    try:
        return context.services.exclusions.read(export_id)
    except ConfigError:
        return None


def _record(
    context: Context, export_id: str, name: str, before: ExclusionList | None, after: ExclusionList
) -> None:
    """Record how many people are listed, but not who."""
    old, new = (
        {"addresses": len(listed.addresses), "customers": len(listed.customers)}
        for listed in (before or ExclusionList(), after)
    )
    audit.record(context, "export.exclusions", export_id, name, before=old, after=new)
