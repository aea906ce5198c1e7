"""What Mailchimp must have before the first write: the audience, its fields, the tags.

Reading comes first and changes nothing (a preview stops there); then the missing merge fields and tags
are created. Every problem that would make all rows fail is found before any row is sent: an unknown
audience, a missing field, a required field that nothing is mapped to.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from shared.errors import ConfigError, Unavailable
from shared.fields.merge_fields import (
    find_field,
    missing_choices,
    parts_without_address,
    required_without_attribute,
)
from shared.mailchimp.session import MailchimpSession
from shared.model.audience import Audience, MergeField
from shared.model.export import Export, NewContactStatus
from shared.model.run import Finding, Severity
from shared.planning.tags import FoundTags


@dataclass(frozen=True)
class FoundAudience:
    """The audience as it was found. `contacts` counts its contacts by status.

    `taken_over` names tags that were deleted and exist again, and that the run takes over.
    """

    audience: Audience
    merge_fields: tuple[MergeField, ...]
    tags: FoundTags
    findings: tuple[Finding, ...] = ()
    contacts: Mapping[str, int] = field(default_factory=dict)
    taken_over: frozenset[str] = frozenset()

    @property
    def is_ready(self) -> bool:
        """Whether it has all merge fields and tags, with their current names."""
        field_missing = any(found.code == "mergeFieldToCreate" for found in self.findings)
        tag_missing = any(tag.id <= 0 for tag in self.tags.tags)
        return not (field_missing or tag_missing or self.tags.changes)


def field_findings(export: Export, fields: Sequence[MergeField]) -> list[Finding]:
    """Return a finding for each merge field to create. ConfigError names what a person must change."""
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
    misplaced = parts_without_address(export.mapping, fields)
    if misplaced:
        raise ConfigError("partNeedsAddress", tag=misplaced[0].tag, part=misplaced[0].part)
    unmapped = required_without_attribute(export.mapping, fields)
    if unmapped:
        names = ", ".join(f"{f.name} ({f.tag})" for f in unmapped)
        raise ConfigError("requiredFieldsUnmapped", fields=names)
    return findings


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


def status_for_new(export: Export, audience: Audience) -> str:
    """Return the status of new people. The audience's default is `pending` with double opt-in.

    Unavailable when the default is needed and unknown: people who have to confirm first could be subscribed.
    """
    status = export.new_contacts.status
    if status is not NewContactStatus.AUDIENCE_DEFAULT:
        return status.value
    if audience.double_opt_in is None:
        raise Unavailable("answerBroken")
    return "pending" if audience.double_opt_in else "subscribed"
