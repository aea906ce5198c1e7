"""Fingerprints of a mapping, of the rules of its merge fields, and of the source of a run.

Two runs with the same source fingerprint read the same files with the same mapping for the same
audience, so the second has nothing to do unless the first was incomplete.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence

from shared.fields.merge_fields import (
    FieldChoice,
    choices_with_fields,
    chosen_fields,
    find_field,
    takes_dates,
    takes_numbers,
)
from shared.model.audience import MergeField
from shared.model.export import Export, Mapping, OnAddressChange, OnWithdrawal
from shared.model.source import POINT, Attribute, Snapshot

# The options of a merge field that decide which values it accepts.
_LIMITING_OPTIONS = ("choices", "date_format", "phone_format")


def mapping_fingerprint(
    mapping: Mapping,
    merge_fields: Sequence[MergeField] = (),
    attributes: Sequence[Attribute] = (),
) -> str:
    """Return a fingerprint of the mapping. When it changes, every row is sent again.

    It includes the ids of the audience's merge fields: a field that was deleted and created again
    has a new id and no values, so all values are sent again. It includes the tag of a field whose tag was
    changed in Mailchimp, because a run that did not know it yet lost values. It includes the attributes: when
    the order of a column's dates or the mark of its numbers becomes known, they are sent again.
    """
    known = {each.name: each for each in attributes}
    chosen = chosen_fields(mapping)
    found = (find_field(merge_fields, choice.tag, choice.name) for choice in chosen)
    fields = [
        (
            choice.attribute,
            choice.tag.upper(),
            field.id if field else None,
            # Added only where it differs, so that an update of the app sends nothing again.
            *([field.tag.upper()] if field and _has_other_tag(field, choice) else []),
            *_chosen(choice, field, known.get(choice.attribute)),
        )
        for choice, field in zip(chosen, found, strict=True)
    ]
    return hashlib.sha256(json.dumps(fields).encode()).hexdigest()


def _has_other_tag(field: MergeField, choice: FieldChoice) -> bool:
    """Whether a field was found by its name, because it has another tag."""
    return field.tag.upper() != choice.tag.strip().upper()


def _chosen(
    choice: FieldChoice, field: MergeField | None, attribute: Attribute | None
) -> tuple[str, ...]:
    """Return the options of a mapped field; empty for a mapping of an earlier version."""
    order, mark = choice.date_order, choice.decimal_mark
    if field is not None and attribute is not None:
        order = order or (attribute.date_order if takes_dates(field) else "")
        # Earlier versions read 1.234 with a point.
        if not mark and takes_numbers(field) and attribute.decimal_mark != POINT:
            mark = attribute.decimal_mark or "unknown"
    options = (choice.part, order) if choice.part or order or mark else ()
    return (*options, mark) if mark else options


def field_rules(mapping: Mapping, merge_fields: Sequence[MergeField]) -> str:
    """Return a fingerprint of what the mapped merge fields accept.

    When it changes, rows that Mailchimp refused because of a field, and rows with a value that did not fit,
    are sent again.
    """
    rules = [
        (field.tag.upper(), field.required, [field.options.get(name) for name in _LIMITING_OPTIONS])
        for _, field in choices_with_fields(mapping, merge_fields)
    ]
    # DuckDB stores up to 12 bytes of a text without a second allocation.
    return hashlib.sha256(json.dumps(rules).encode()).hexdigest()[:12]


def definition_fingerprint(export: Export) -> str:
    """Return a fingerprint of the audience and of what an export sends, without the content of segments."""
    return source_fingerprint(export, Snapshot(()))


def source_fingerprint(export: Export, snapshot: Snapshot, excluded: str = "") -> str:
    """Return a fingerprint of everything that determines what a run sends.

    `excluded` is the fingerprint of the list of excluded people.
    """
    parts: list[object] = [
        mapping_fingerprint(export.mapping),
        export.mapping.email,
        export.audience_id,
        export.connection_id,
        export.new_contacts.status.value,
        export.new_contacts.consent_attribute,
        export.new_contacts.consent_meaning,
        export.leavers.value,
        [(choice.name, choice.tag_name) for choice in export.segments],
        sorted(snapshot.etags.items()),
    ]
    # Added only where it differs from earlier versions, so that an update of the app sends nothing again.
    if export.on_withdrawal is not OnWithdrawal.REMOVE_TAGS:
        parts.append(export.on_withdrawal.value)
    if export.on_address_change is not OnAddressChange.KEEP:
        parts.append(f"addressChange {export.on_address_change.value}")
    if export.exclusion_segments or excluded:
        parts.append(["exclude", *export.exclusion_segments, excluded])
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()
