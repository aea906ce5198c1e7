"""Check the merge fields of the audience before the first write, and create those that the export wants and it lacks.

Problems that would make all rows fail are found before any row is sent: a missing field, a required field that nothing
is mapped to.
"""

from __future__ import annotations

from collections.abc import Sequence

from shared.errors import ConfigError
from shared.fields.merge_fields import (
    choices_with_fields,
    find_field,
    missing_choices,
    parts_without_address,
    required_without_attribute,
)
from shared.mailchimp.session import MailchimpSession
from shared.model.audience import MERGE_FIELD_LIMITS, MergeField
from shared.model.export import Export
from shared.model.finding import Finding, Severity


def field_findings(export: Export, fields: Sequence[MergeField]) -> list[Finding]:
    """Return a finding for each merge field to create, and for each that has another type than the export would create.

    ConfigError names what a person must change.
    """
    findings = []
    for choice in missing_choices(export.mapping, fields):
        if choice.create is None:
            raise ConfigError("mergeFieldMissing", tag=choice.tag, attribute=choice.attribute)
        findings.append(
            Finding(
                Severity.INFO,
                "mergeFieldToCreate",
                values={"tag": choice.tag, "name": choice.create.name},
            )
        )
    for choice, field in choices_with_fields(export.mapping, fields):
        if choice.create is not None and choice.create.type != field.type.lower():
            values = {"tag": field.tag, "found": field.type, "type": choice.create.type}
            findings.append(Finding(Severity.INFO, "mergeFieldOtherType", values=values))
    misplaced = parts_without_address(export.mapping, fields)
    if misplaced:
        raise ConfigError("partNeedsAddress", tag=misplaced[0].tag, part=misplaced[0].part)
    unmapped = required_without_attribute(export.mapping, fields)
    if unmapped:
        names = ", ".join(f"{f.name} ({f.tag})" for f in unmapped)
        raise ConfigError("requiredFieldsUnmapped", fields=names)
    return findings


def limit_findings(export: Export, fields: Sequence[MergeField]) -> list[Finding]:
    """Return a warning if the audience would have more merge fields than its plan may allow. The plan is unknown."""
    missing = len(missing_choices(export.mapping, fields))
    usual, largest = MERGE_FIELD_LIMITS
    limit = usual if len(fields) <= usual else largest
    if not missing or len(fields) + missing + 1 <= limit:  # with EMAIL
        return []
    values = {"fields": str(len(fields) + missing)}
    return [Finding(Severity.WARNING, "mergeFieldsOverLimit", values=values)]


def create_fields(
    session: MailchimpSession, export: Export, fields: tuple[MergeField, ...]
) -> tuple[MergeField, ...]:
    """Create the merge fields that the export wants and the audience lacks."""
    made = list(fields)
    for choice in missing_choices(export.mapping, fields):
        if choice.create is not None and not find_field(made, choice.tag):
            made.append(
                session.create_merge_field(
                    export.audience_id, choice.tag, choice.create.name, choice.create.type
                )
            )
    return tuple(made)


def with_fields_to_create(export: Export, fields: tuple[MergeField, ...]) -> tuple[MergeField, ...]:
    """The merge fields as they will be once the missing ones are created."""
    created = [
        MergeField(0, choice.tag, choice.create.name, choice.create.type, required=False)
        for choice in missing_choices(export.mapping, fields)
        if choice.create is not None
    ]
    return (*fields, *created)
