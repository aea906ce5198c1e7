"""Converts source rows to Mailchimp members: each value by the type of its merge field.

A value that its field would refuse is dropped and reported, so that the person is still sent: Mailchimp refuses
a member with one invalid merge value. Conversions depend on the type of the audience's field and, where it
matters, on the data type of the attribute.
https://mailchimp.com/developer/marketing/docs/merge-fields/
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import NamedTuple

from shared.errors import ConfigError, Fault
from shared.fields.address import BLANKS
from shared.fields.evidence import converter, is_evidence
from shared.fields.merge_fields import chosen_fields, find_field, missing_choices
from shared.fields.postal import AddressError, whole_address
from shared.fields.values import Unusable, conversion
from shared.model.audience import MergeField
from shared.model.export import Mapping
from shared.model.source import Attribute

# No one types these characters and they cannot be shown; Mailchimp may refuse a whole call for one.
CONTROL = "".join(map(chr, (*range(0x09), 0x0B, 0x0C, *range(0x0E, 0x20), 0x7F)))
_CONTROL = re.compile(f"[{re.escape(CONTROL)}]")


class Dropped(NamedTuple):
    """A value that was not sent (or was cut, reason `cut`), by merge tag; never the value."""

    field: str
    reason: str


class _Step(NamedTuple):
    """The treatment of one value: its field, its conversion, and which part of an address it is."""

    tag: str
    convert: Callable[[str], object]
    may_clear: bool
    part: str


class Converter:
    """Turns the values of rows into merge fields.

    Evidence of consent with a time after `now` is dropped. ConfigError names every merge field that the audience does
    not have.
    """

    def __init__(
        self,
        mapping: Mapping,
        attributes: Sequence[Attribute],
        merge_fields: Sequence[MergeField],
        now: datetime | None = None,
    ) -> None:
        _check_fields(mapping, merge_fields)
        known = {attribute.name: attribute for attribute in attributes}
        steps: list[_Step] = []
        for choice in chosen_fields(mapping):
            if is_evidence(choice.tag):
                steps.append(_Step(choice.tag, converter(choice.tag, now), False, ""))
                continue
            field = find_field(merge_fields, choice.tag, choice.name)
            if field is not None:
                attribute = known.get(choice.attribute) or Attribute(choice.attribute)
                order = choice.date_order or attribute.date_order
                mark = choice.decimal_mark or attribute.decimal_mark
                convert = conversion(field, attribute.data_type, order, mark)
                steps.append(_Step(field.tag, convert, not field.required, choice.part))
        self._steps = tuple(steps)

    def convert(
        self, values: Sequence[str | None], clear: bool
    ) -> tuple[dict[str, object], list[Dropped]]:
        """The merge fields of one row, and what had to be dropped.

        `values` are those of `chosen_fields`, in their order and all as text; control characters are removed from
        them, except tabs and line breaks. With `clear`, an empty text ("") is sent, which empties the field; None and blanks
        are omitted, and so is "" without `clear`. A required field is never emptied: Mailchimp would refuse
        the person. So its "" counts as dropped, because Mailchimp still has the earlier value.
        """
        fields: dict[str, object] = {}
        dropped: list[Dropped] = []
        parts: dict[str, dict[str, str]] = {}
        empty: dict[str, bool] = {}
        for (tag, convert, may_clear, part), value in zip(self._steps, values, strict=True):
            if value is None:
                continue
            text = value if value.isprintable() else _CONTROL.sub("", value)
            text = text.strip(BLANKS)
            if not text:
                if clear and value == "":
                    empty[tag] = may_clear
            elif part:
                parts.setdefault(tag, {})[part] = text
            else:
                try:
                    fields[tag] = convert(text)
                except Unusable as why:
                    dropped.append(Dropped(tag, why.reason))
                    if why.instead:
                        fields[tag] = why.instead
        for tag, given in parts.items():
            try:
                fields[tag] = whole_address(given)
            except AddressError as error:
                dropped.append(Dropped(tag, error.reason))
        for tag, may_clear in empty.items():
            if tag in parts or is_evidence(tag):
                continue
            if may_clear:
                fields[tag] = ""
            else:
                dropped.append(Dropped(tag, "requiredNotEmptied"))
        return fields, dropped


def _check_fields(mapping: Mapping, merge_fields: Sequence[MergeField]) -> None:
    missing = missing_choices(mapping, merge_fields)
    if not missing:
        return
    faults = [
        Fault(
            "mapping",
            code="mergeFieldMissing",
            values={"tag": choice.tag, "attribute": choice.attribute},
        )
        for choice in missing
    ]
    tags = ", ".join(choice.tag for choice in missing)
    raise ConfigError("mergeFieldsMissing", faults=faults, tags=tags)
