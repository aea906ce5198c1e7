"""Findings about the definition of an export and its overlap with other exports, for the form and for runs."""

from __future__ import annotations

from collections.abc import Iterable

from shared.fields.consent import suggested_meaning
from shared.fields.merge_fields import chosen_fields
from shared.model.export import Export, Repeat
from shared.model.finding import Finding, Severity


def definition_findings(
    export: Export, others: Iterable[Export], plain: Iterable[str] = ()
) -> list[Finding]:
    """Check the direction of consent, fields that other exports write, and refreshes of segments.

    `plain` are the names of its segments that no `model.json` lists, so that no event announces
    their refresh.
    """
    findings = []
    consent = export.new_contacts
    suggested = suggested_meaning(consent.consent_attribute or "")
    if suggested is not None and suggested is not consent.consent_meaning:
        values = {"attribute": consent.consent_attribute or ""}
        findings.append(Finding(Severity.WARNING, "consentMeaningDoubtful", values=values))
    ours = {
        _target(choice.tag, choice.part): choice.attribute
        for choice in chosen_fields(export.mapping)
    }
    for other in others:
        if other.id == export.id or other.audience_id != export.audience_id:
            continue
        shared = dict.fromkeys(
            choice.tag.upper()
            for choice in chosen_fields(other.mapping)
            if ours.get(_target(choice.tag, choice.part), choice.attribute) != choice.attribute
        )
        if len(shared) == 1:
            values = {"field": next(iter(shared)), "export": other.display_name}
            findings.append(Finding(Severity.WARNING, "fieldSharedWithExport", values=values))
        elif shared:
            values = {"fields": ", ".join(shared), "export": other.display_name}
            findings.append(Finding(Severity.WARNING, "fieldsSharedWithExport", values=values))
    if export.schedule.enabled and export.schedule.repeat is Repeat.EVERY_REFRESH:
        for segment in plain:
            values = {"segment": segment}
            findings.append(Finding(Severity.INFO, "refreshNotAnnounced", values=values))
    return findings


def _target(tag: str, part: str) -> tuple[str, str]:
    return tag.upper(), part
