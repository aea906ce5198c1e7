"""The audience as a run found it, with its merge fields and tags, and the status of new contacts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from shared.errors import Unavailable
from shared.model.audience import Audience, MergeField
from shared.model.export import Export, NewContactStatus
from shared.model.finding import Finding
from shared.planning.audience.tags import FoundTags


@dataclass(frozen=True)
class FoundAudience:
    """The audience as it was found. `contacts` counts its contacts by status.

    `taken_over_names`: tags that were deleted and exist again, and that the run takes over.
    """

    audience: Audience
    merge_fields: tuple[MergeField, ...]
    tags: FoundTags
    findings: tuple[Finding, ...]
    contacts: Mapping[str, int]
    taken_over_names: frozenset[str] = frozenset()

    @property
    def is_ready(self) -> bool:
        """Whether it has all merge fields and tags, with their current names."""
        field_missing = any(found.code == "mergeFieldToCreate" for found in self.findings)
        tag_missing = any(tag.id <= 0 for tag in self.tags.tags)
        return not (field_missing or tag_missing or self.tags.changes)


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
