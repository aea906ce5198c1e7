"""Finds all faults of an export definition, by field.

Field names are those of the HTTP API (`mapping.attributes[0].mergeField`). Rules that depend on
other exports are in definitions.py.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import replace

from shared.errors import Fault, is_unread
from shared.exports.draft import Draft
from shared.fields.merge_fields import FIRST_NAME_TAG, LAST_NAME_TAG
from shared.model.export import (
    LARGEST_GROWTH,
    AttributeMapping,
    Export,
    GrowthGuard,
    Mapping,
    OnWithdrawal,
    SegmentChoice,
)
from shared.model.ids import is_id
from shared.model.source import plain_name
from shared.scheduling.schedule import validate as validate_schedule

_EMAIL_FIELD = "EMAIL"

LONGEST_TAG = 100
# Fields with a rule about another field, which cannot be checked if the other field could not be read.
_NEEDED_FIELD = {
    "onWithdrawal": "newContacts.consentAttribute",
    "schedule.times": "schedule.repeat",
}
MERGE_TAG = "[A-Z0-9_]{1,10}"
"""A regular expression for the merge tag of a field."""

_MERGE_TAG = re.compile(MERGE_TAG, re.ASCII)


def faults(draft: Draft, connections: Collection[str]) -> tuple[Fault, ...]:
    """Return all faults of a definition: those that were found before, then the others in the order of its fields.

    `connections` are the ids of the connections that the caller may use.
    """
    export = draft.export
    found = (
        *_connection_faults(export.connection_id, connections),
        *_audience_faults(export.audience_id),
        *_mapping_faults(export.mapping),
        *_segment_faults(export.segments),
        *_exclusion_faults(export),
        *_withdrawal_faults(export),
        *_share_faults("removalGuard.maxShare", export.max_removal_share),
        *_growth_faults(export.growth_guard),
        *_share_faults("exclusionGuard.maxShare", export.exclusion_guard.max_share),
        *_budget_faults(export.contact_budget),
        *_schedule_faults(export),
    )
    unchecked = {
        field for field, needed in _NEEDED_FIELD.items() if is_unread(needed, draft.unread)
    }
    return draft.with_faults([fault for fault in found if fault.field not in unchecked]).faults


def _connection_faults(connection: str | None, connections: Collection[str]) -> Iterator[Fault]:
    # None is a detached export: it can be changed, but does not run.
    if connection is not None and connection not in connections:
        yield Fault("connectionId", code="connectionUnknown")


def _audience_faults(audience: str) -> Iterator[Fault]:
    if not audience:
        yield Fault("audienceId", code="audienceRequired")
    elif not is_id(audience):
        yield Fault("audienceId", code="audienceMalformed")


def _mapping_faults(mapping: Mapping) -> Iterator[Fault]:
    # The attribute of each tag and part: several attributes may be the parts of one address.
    taken = {(_EMAIL_FIELD, ""): mapping.email}
    if mapping.first_name:
        taken[FIRST_NAME_TAG, ""] = mapping.first_name
    if mapping.last_name:
        taken[LAST_NAME_TAG, ""] = mapping.last_name
    for index, attribute in enumerate(mapping.attributes):
        field = f"mapping.attributes[{index}].mergeField"
        yield from _merge_field_faults(attribute, field, taken)
        taken.setdefault((attribute.merge_field, attribute.part or ""), attribute.attribute)


def _merge_field_faults(
    attribute: AttributeMapping, field: str, taken: dict[tuple[str, str], str]
) -> Iterator[Fault]:
    tag, part = attribute.merge_field, attribute.part or ""
    other = next(
        (
            name
            for (used, used_part), name in taken.items()
            if used == tag and (used_part == part or not used_part or not part)
        ),
        None,
    )
    if not tag:
        yield Fault(field, code="mergeFieldRequired")
    elif not _MERGE_TAG.fullmatch(tag):
        yield Fault(field, code="mergeFieldMalformed")
    elif tag == _EMAIL_FIELD:
        yield Fault(field, code="mergeFieldIsEmail")
    elif other is not None:
        yield Fault(field, code="mergeFieldTwice", values={"tag": tag, "attribute": other})


def _segment_faults(segments: tuple[SegmentChoice, ...]) -> Iterator[Fault]:
    if not segments:
        yield Fault("segments", code="segmentsRequired")
    names: set[str] = set()
    tags: set[str] = set()
    for index, segment in enumerate(segments):
        if segment.name in names:
            yield Fault(
                f"segments[{index}].name", code="segmentTwice", values={"segment": segment.name}
            )
        elif plain_name(segment.tag_name) in tags:
            yield Fault(f"segments[{index}].tag", code="tagTwice", values={"tag": segment.tag_name})
        if len(segment.tag_name) > LONGEST_TAG:
            yield Fault(
                f"segments[{index}].tag", code="tagTooLong", values={"most": str(LONGEST_TAG)}
            )
        names.add(segment.name)
        tags.add(plain_name(segment.tag_name))


def _exclusion_faults(export: Export) -> Iterator[Fault]:
    sent = {segment.name for segment in export.segments}
    for index, name in enumerate(export.exclusion_segments):
        if name in sent or name in export.exclusion_segments[:index]:
            # Without an index, because the form shows the fault beside the whole list.
            yield Fault("exclusionSegments", code="exclusionSegmentTwice", values={"segment": name})


def _withdrawal_faults(export: Export) -> Iterator[Fault]:
    unsubscribes = export.on_withdrawal is OnWithdrawal.UNSUBSCRIBE
    if unsubscribes and not export.new_contacts.consent_attribute:
        yield Fault("onWithdrawal", code="withdrawalNeedsConsent")


def _share_faults(field: str, share: float) -> Iterator[Fault]:
    if not 0 <= share <= 1:
        yield Fault(field, code="shareOutOfRange")


def _growth_faults(guard: GrowthGuard) -> Iterator[Fault]:
    if not 0 <= guard.max_share <= LARGEST_GROWTH:
        values = {"most": f"{LARGEST_GROWTH:.0f}", "percent": f"{LARGEST_GROWTH:.0%}"[:-1]}
        yield Fault("growthGuard.maxShare", code="growthOutOfRange", values=values)
    if guard.max_contacts is not None and guard.max_contacts < 0:
        yield Fault("growthGuard.maxContacts", code="contactsNegative")


def _budget_faults(budget: int | None) -> Iterator[Fault]:
    if budget is not None and budget < 0:
        yield Fault("contactBudget", code="contactsNegative")


def _schedule_faults(export: Export) -> list[Fault]:
    return [
        replace(fault, field=f"schedule.{fault.field}" if fault.field else "schedule")
        for fault in validate_schedule(export.schedule)
    ]
