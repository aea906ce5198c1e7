"""Findings about a definition alone and together with other exports."""

from collections.abc import Sequence
from dataclasses import replace

from shared.fields.definition_findings import definition_findings
from shared.model.export import (
    AttributeMapping,
    ConsentMeaning,
    Export,
    Mapping,
    NewContacts,
    Schedule,
    SegmentChoice,
)

EXPORT = Export(
    "e1", "One", "c1", "a1", Mapping("EMail", attributes=(AttributeMapping("Points", "points"),)),
    (SegmentChoice("Gold"),),
)  # fmt: skip


def codes(export: Export, *others: Export, plain: Sequence[str] = ()) -> list[str]:
    return [finding.code for finding in definition_findings(export, others, plain)]


def test_another_attribute_in_the_same_field_of_the_same_audience_is_reported() -> None:
    visits = Mapping("EMail", attributes=(AttributeMapping("Visits", "POINTS"),))
    other = replace(EXPORT, id="e2", display_name="Two", mapping=visits)

    (finding,) = definition_findings(EXPORT, [EXPORT, other])

    assert (finding.code, finding.values) == (
        "fieldSharedWithExport", {"field": "POINTS", "export": "Two"},
    )  # fmt: skip
    assert codes(EXPORT, replace(other, audience_id="a2")) == []
    assert codes(EXPORT, replace(EXPORT, id="e2")) == []


def test_the_fields_that_another_export_also_writes_are_one_finding() -> None:
    ours = Mapping("EMail", first_name="First", attributes=(AttributeMapping("Points", "points"),))
    theirs = replace(ours, first_name="이름", attributes=(AttributeMapping("Visits", "POINTS"),))
    other = replace(EXPORT, id="e2", display_name="Two", mapping=theirs)

    (finding,) = definition_findings(replace(EXPORT, mapping=ours), [other])

    assert (finding.code, finding.values) == (
        "fieldsSharedWithExport", {"fields": "FNAME, POINTS", "export": "Two"},
    )  # fmt: skip


def test_a_name_and_a_meaning_that_disagree_are_reported() -> None:
    def export(attribute: str, meaning: ConsentMeaning) -> Export:
        consent = NewContacts(consent_attribute=attribute, consent_meaning=meaning)
        return replace(EXPORT, new_contacts=consent)

    assert codes(export("DoNotEmail", ConsentMeaning.YES_MAY_BE_MAILED)) == [
        "consentMeaningDoubtful"
    ]
    assert codes(export("Consent", ConsentMeaning.YES_MUST_NOT_BE_MAILED)) == [
        "consentMeaningDoubtful"
    ]
    assert codes(export("DoNotEmail", ConsentMeaning.YES_MUST_NOT_BE_MAILED)) == []
    assert codes(export("Whatever", ConsentMeaning.YES_MUST_NOT_BE_MAILED)) == []


def test_a_plain_file_never_announces_a_refresh() -> None:
    assert codes(EXPORT, plain=["Gold"]) == ["refreshNotAnnounced"]
    assert codes(replace(EXPORT, schedule=Schedule(enabled=False)), plain=["Gold"]) == []
