"""A row becomes the merge fields of a contact."""

from __future__ import annotations

import pytest

from shared.fields.contact import Converter, Dropped
from shared.fields.merge_fields import chosen_fields
from shared.model.export import AttributeMapping, Mapping
from shared.model.source import Attribute
from tests.fields.conversion import FIELDS


def test_all_mapped_columns_are_converted_in_order():
    mapping = Mapping("Email", "First", "Last", (AttributeMapping("Born", "bday"),))
    converter = Converter(mapping, [Attribute("Born", "date")], FIELDS)
    assert [one.attribute for one in chosen_fields(mapping)] == ["First", "Last", "Born"]
    assert converter.convert(["Ada", "Lovelace", "no"], clear=False) == (
        {"FNAME": "Ada", "MMERGE2": "Lovelace"},
        [Dropped("BDAY", "notABirthday")],
    )
    with pytest.raises(ValueError, match="shorter"):
        converter.convert(["Ada"], clear=False)


def test_a_mapping_without_fields_converts_nothing():
    mapping = Mapping("Email")
    converter = Converter(mapping, [], FIELDS)
    assert chosen_fields(mapping) == ()
    assert converter.convert([], clear=True) == ({}, [])
