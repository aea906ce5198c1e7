"""Converts single values, for tests of values and merge fields."""

from __future__ import annotations

from shared.fields.contact import Converter
from shared.model.audience import MergeField
from shared.model.export import AttributeMapping, Mapping
from shared.model.source import Attribute


def field(kind, required=False, **options):
    """A merge field of a type, with the tag X."""
    return MergeField(9, "X", "Name of X", kind, required, options)


def convert(
    kind,
    text,
    data_type="string",
    clear=False,
    required=False,
    date_order="",
    decimal_mark="",
    **options,
):
    """Convert a value for a merge field of a type: what is sent, and the reasons why something was dropped."""
    mapping = Mapping("Email", attributes=(AttributeMapping("a", "X"),))
    attribute = Attribute("a", data_type, date_order=date_order, decimal_mark=decimal_mark)
    converter = Converter(mapping, [attribute], [field(kind, required=required, **options)])
    fields, dropped = converter.convert([text], clear)
    return fields.get("X"), [why.reason for why in dropped]


FIELDS = [
    MergeField(1, "FNAME", "First Name", "text", False),
    MergeField(2, "MMERGE2", "Last name", "text", False),
    MergeField(3, "BDAY", "Birthday", "birthday", True),
]
