"""The merge fields of a mapping are found in the audience, or named as missing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import ConfigError
from shared.fields.contact import Converter
from shared.fields.merge_fields import (
    find_field,
    missing_choices,
    proper_tag,
    required_without_attribute,
)
from shared.model.audience import MergeField
from shared.model.export import AttributeMapping, FieldToCreate, Mapping
from tests.fields.conversion import FIELDS


def test_all_missing_merge_fields_are_named():
    mapping = Mapping(
        "Email", attributes=(AttributeMapping("a", "COLOUR"), AttributeMapping("b", "SIZE"))
    )
    with pytest.raises(ConfigError, match="COLOUR, SIZE") as caught:
        Converter(mapping, [], FIELDS)
    assert len(caught.value.faults) == 2


def test_a_field_is_found_by_tag_then_by_name():
    assert find_field(FIELDS, "fname").id == 1
    assert find_field(FIELDS, "LNAME", "Last Name").id == 2
    assert find_field(FIELDS, "LNAME") is None
    assert find_field(FIELDS, "BDAY", "First Name").id == 3


def test_missing_and_required_fields_are_known_before_the_first_write():
    create = FieldToCreate("Favourite colour")
    mapping = Mapping("Email", "First", attributes=(AttributeMapping("c", "COLOUR", create),))
    assert [choice.create for choice in missing_choices(mapping, FIELDS)] == [create]
    assert [(choice.tag, choice.create) for choice in missing_choices(mapping, [])] == [
        ("FNAME", FieldToCreate("First Name", "text")),
        ("COLOUR", create),
    ]
    created = MergeField(4, "FAVOURITEC", "Favourite colour", "text", False)
    assert missing_choices(mapping, [*FIELDS, created]) == ()
    assert [f.tag for f in required_without_attribute(mapping, FIELDS)] == ["BDAY"]
    whole = Mapping("Email", attributes=(AttributeMapping("b", "BDAY"),))
    assert required_without_attribute(whole, FIELDS) == ()


@pytest.mark.parametrize(
    ("text", "taken", "expected"),
    [
        ("Favourite colour", [], "FAVOURITEC"),
        ("Favourite colour", ["FAVOURITEC"], "FAVOURITE2"),
        ("Favourite colour", ["favouritec", "FAVOURITE2"], "FAVOURITE3"),
        ("größe", [], "GROE"),
        ("좋아하는 색", [], "FIELD"),
        ("좋아하는 색", ["FIELD"], "FIELD2"),
        ("email", [], "EMAIL2"),
        ("A_1", [], "A_1"),
    ],
)
def test_a_merge_tag_is_normalized_and_unique(text, taken, expected):
    assert proper_tag(text, taken) == expected


@given(st.text(), st.integers(min_value=1, max_value=120))
def test_any_text_is_normalized_to_a_unique_tag(text, number):
    taken: list[str] = []
    for _ in range(number):
        taken.append(proper_tag(text, taken))
    assert len(set(taken)) == number
    assert all(0 < len(tag) <= 10 and tag.isascii() for tag in taken)
