"""Which merge field of an audience takes which attribute.

A field is found by its tag, then by its name, both without case: FNAME and LNAME are defaults that a user may
have renamed (https://mailchimp.com/developer/marketing/docs/merge-fields/). Merge tags have at most 10 of
A-Z, 0-9 and _, so that two long ones can collide when cut.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace

from shared.fields.evidence import attribute_tags, is_evidence
from shared.model.audience import DELETED_FIELD, MergeField
from shared.model.export import FieldToCreate, Mapping

LONGEST_TAG = 10
# The merge fields for names that Mailchimp creates in every audience.
FIRST_NAME_TAG, LAST_NAME_TAG = "FNAME", "LNAME"


@dataclass(frozen=True)
class FieldChoice:
    """An attribute and the merge field it goes to: by tag or name, or to be created.

    `part` is the part of an address that it is (fields/postal.py), `date_order` and `decimal_mark` how its
    dates and numbers are written; empty where nothing is chosen.
    """

    attribute: str
    tag: str
    name: str = ""
    create: FieldToCreate | None = None
    part: str = ""
    date_order: str = ""
    decimal_mark: str = ""


def proper_tag(text: str, taken: Collection[str] = ()) -> str:
    """A merge tag made of `text` that is not among `taken`; a number at its end makes it unique if necessary."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().upper()
    tag = re.sub(r"[^A-Z0-9_]+", "", plain)[:LONGEST_TAG] or "FIELD"
    used = {"EMAIL", *(other.upper() for other in taken)}
    number = 1
    free = tag
    while free in used:
        number += 1
        free = f"{tag[: LONGEST_TAG - len(str(number))]}{number}"
    return free


def find_field(fields: Sequence[MergeField], tag: str, name: str = "") -> MergeField | None:
    """The field with this tag, else the one with this name, else None."""
    by_tag = (f for f in fields if f.tag.casefold() == tag.strip().casefold())
    by_name = (f for f in fields if name and f.name.casefold() == name.strip().casefold())
    return next(by_tag, None) or next(by_name, None)


def chosen_fields(mapping: Mapping) -> tuple[FieldChoice, ...]:
    """Every attribute to send: first name, last name, the others, and last the evidence of consent.

    An audience has fields for the names by default; when they were deleted, the run creates them again.
    """
    names = (
        (mapping.first_name, FIRST_NAME_TAG, "First Name"),
        (mapping.last_name, LAST_NAME_TAG, "Last Name"),
    )
    chosen = [
        FieldChoice(attribute, tag, name, FieldToCreate(name))
        for attribute, tag, name in names
        if attribute
    ]
    for more in mapping.attributes:
        name = more.create.name if more.create else ""
        chosen.append(
            FieldChoice(
                more.attribute,
                more.merge_field,
                name,
                more.create,
                more.part or "",
                more.date_order or "",
                more.decimal_mark or "",
            )
        )
    chosen += [FieldChoice(*pair) for pair in attribute_tags(mapping.evidence)]
    return tuple(chosen)


def choices_with_fields(
    mapping: Mapping, fields: Sequence[MergeField]
) -> Iterator[tuple[FieldChoice, MergeField]]:
    """The choices that go to a field of the audience, with this field."""
    for choice in chosen_fields(mapping):
        field = find_field(fields, choice.tag, choice.name)
        if field is not None:
            yield choice, field


def missing_choices(mapping: Mapping, fields: Sequence[MergeField]) -> tuple[FieldChoice, ...]:
    """The choices without a field in the audience: created, or refused before the first write."""
    return tuple(
        c
        for c in chosen_fields(mapping)
        if not is_evidence(c.tag) and not find_field(fields, c.tag, c.name)
    )


def with_deleted(
    mapping: Mapping, fields: Sequence[MergeField], before: Sequence[MergeField]
) -> tuple[MergeField, ...]:
    """The fields of an audience, and those that it had before and that the mapping still needs.

    The latter have the type DELETED_FIELD. They are required, so that they are not emptied either.
    """
    needed = (find_field(before, c.tag, c.name) for c in missing_choices(mapping, fields))
    gone = {field.id: field for field in needed if field}.values()
    return (*fields, *(replace(f, type=DELETED_FIELD, required=True) for f in gone))


def takes_dates(field: MergeField) -> bool:
    """Whether a field takes a date or a birthday."""
    return field.type.lower() in {"date", "birthday"}


def takes_numbers(field: MergeField) -> bool:
    """Whether a field takes a number."""
    return field.type.lower() == "number"


def date_orders(mapping: Mapping, fields: Sequence[MergeField]) -> dict[str, str]:
    """The attributes that go to a field with dates, with the order that the export chooses."""
    found = choices_with_fields(mapping, fields)
    return {choice.attribute: choice.date_order for choice, field in found if takes_dates(field)}


def decimal_marks(mapping: Mapping, fields: Sequence[MergeField]) -> dict[str, str]:
    """The attributes that go to a field with numbers, with the decimal mark that the export chooses."""
    found = choices_with_fields(mapping, fields)
    return {
        choice.attribute: choice.decimal_mark for choice, field in found if takes_numbers(field)
    }


def parts_without_address(
    mapping: Mapping, fields: Sequence[MergeField]
) -> tuple[FieldChoice, ...]:
    """Parts of an address that go to a field which takes none."""
    found = choices_with_fields(mapping, fields)
    return tuple(
        choice for choice, field in found if choice.part and field.type.lower() != "address"
    )


def required_without_attribute(
    mapping: Mapping, fields: Sequence[MergeField]
) -> tuple[MergeField, ...]:
    """Required fields that nothing is mapped to: each would refuse every new person."""
    mapped = {field.id for _, field in choices_with_fields(mapping, fields)}
    return tuple(f for f in fields if f.required and f.id not in mapped and f.tag != "EMAIL")
