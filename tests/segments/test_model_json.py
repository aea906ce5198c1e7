"""model.json of other tools: parsed with tolerance and without trust."""

import json
from contextlib import suppress
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import InputError
from shared.model.source import Attribute, CsvFormat
from shared.segments.finding.entities import MAX_BYTES, Entity
from shared.segments.finding.model_json import read_model
from tests.segments.segment_files import entity, model_json


def only(item: dict[str, object], key: str = "entities") -> Entity:
    model = read_model(json.dumps({"name": "m", key: [item]}).encode(), "model.json")
    (found,) = model.entities
    return found


def with_settings(**more: object) -> CsvFormat:
    item = entity("Gold", ["A"], ["Gold_1.csv"])
    item["partitions"][0].update(more)
    return only(item).partitions[0].csv


@pytest.mark.parametrize("key", ["entities", "tables"])
def test_entities_and_tables_match(key: str) -> None:
    assert only(entity("Gold", ["A"], []), key).name == "Gold"


def test_microsofts_own_sample_is_read(project) -> None:
    sample = project.parent / "shared" / "samples" / "OrdersProducts.model.json"
    if not sample.exists():
        pytest.skip("Microsoft's sample model is not beside the project")
    model = read_model(sample.read_bytes(), "model.json")
    assert [each.name for each in model.entities] == ["Orders", "Products"]
    orders = model.entities[0]
    assert orders.attributes[0] == Attribute("OrderID", "int64")
    assert orders.partitions[0].location.endswith(
        "Orders.csv?snapshot=2018-11-14T19:37:51.7526830Z"
    )
    assert orders.partitions[0].refreshed_at == datetime(2018, 11, 14, 19, 37, 51, 756186, UTC)
    assert orders.partitions[0].csv == CsvFormat(header=None)


def test_reference_entities_are_ignored_even_without_a_type() -> None:
    data = model_json(
        {"$type": "ReferenceEntity", "name": "R", "source": "S", "modelId": "x"},
        {"name": "R2", "source": "S", "modelId": "x"},
        entity("Gold", ["A"], []),
    )
    assert [each.name for each in read_model(data, "m").entities] == ["Gold"]


def test_missing_version_type_and_unknown_extensions_are_accepted() -> None:
    item = entity("Gold", ["A"], [], **{"pbi:refreshPolicy": {"$type": "X"}, "x:y": [1]})
    del item["$type"]
    data = json.dumps({"entities": [item], "pbi:mashup": {"document": "…"}}).encode("utf-8-sig")
    assert read_model(data, "m").entities[0].name == "Gold"


def test_booleans_may_be_strings() -> None:
    assert with_settings(fileFormatSettings={"columnHeaders": "True"}).header is True
    assert with_settings(fileFormatSettings={"columnHeaders": "false"}).header is False
    assert with_settings(fileFormatSettings={"columnHeaders": "perhaps"}).header is None


def test_a_header_flag_that_is_not_set_stays_unknown() -> None:
    assert with_settings().header is None
    assert with_settings(fileFormatSettings={"$type": "CsvFormatSettings"}).header is None


def test_the_header_flag_of_a_partition_is_used() -> None:
    assert with_settings(hasHeader=True, fileFormatSettings={"columnHeaders": False}).header is True


def test_csv_options_are_used() -> None:
    settings = {
        "delimiter": "\\t",
        "encoding": "UTF-16",
        "quoteStyle": "QuoteStyle.None",
        "columnHeaders": True,
    }
    assert with_settings(fileFormatSettings=settings) == CsvFormat(True, "\t", False, "UTF-16")


@pytest.mark.parametrize("delimiter", ["", ",,", "||", '"', "\n", 7, [], {}])
def test_an_unreadable_delimiter_is_a_fault_of_its_entity(delimiter: object) -> None:
    bad = entity("Bad", ["A"], ["x.csv"], fileFormatSettings={"delimiter": delimiter})
    found = read_model(model_json(bad, entity("Gold", ["A"], ["y.csv"])), "m").entities
    assert [(each.name, each.fault and each.fault.code) for each in found] == [
        ("Bad", "delimiterUnusable"),
        ("Gold", None),
    ]
    assert "entity Bad" in found[0].fault.message


def test_a_null_delimiter_is_the_default() -> None:
    assert with_settings(fileFormatSettings={"delimiter": None}).delimiter == ","


def test_properties_that_are_null_count_as_missing() -> None:
    column = {"name": "A", "traits": None, "appliedTraits": ["means.identity.service.email"]}
    part = {"name": "1", "location": "a.csv", "fileFormatSettings": None, "hasHeader": None}
    gold = {
        "name": "Gold",
        "modelId": None,
        "attributes": [column],
        "fileFormatSettings": {"delimiter": ";", "columnHeaders": True},
        "partitions": [part],
    }
    data = json.dumps({"entities": None, "tables": [gold]}).encode()
    [found] = read_model(data, "m").entities
    assert found.attributes[0].semantic_type == "identity.service.email"
    form = found.partitions[0].csv
    assert (form.delimiter, form.header) == (";", True)


def test_comments_and_trailing_commas_are_accepted() -> None:
    data = b"""{
      // written by hand
      "entities": [ /* one */ {"name": "Gold // no comment", "attributes": [{"name": "A"},],},],
    }"""
    assert read_model(data, "m").entities[0].name == "Gold // no comment"
    data = '{"entities": [{"name": "한국"}]}'.encode("utf-16")
    assert read_model(data, "m").entities[0].name == "한국"


@pytest.mark.parametrize("size", ["123456789012345678901234567890", "-9223372036854775809", "7"])
def test_a_document_with_a_trailing_comma_may_have_a_number_of_any_size(size: str) -> None:
    data = b'{"entities": [{"name": "Gold"},], "size": %s,}' % size.encode()
    assert [each.name for each in read_model(data, "m").entities] == ["Gold"]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_a_model_is_read_as_microsofts_programs_write_it(encoding: str) -> None:
    text = model_json(entity("Gold", ["EMail"], ["a.csv"])).decode()
    text = text.replace('"name": "cdm"', '"name": "cdm", "description": "two\nlines\t", "x": NaN')
    model = read_model(text.encode(encoding), "model.json")
    assert [each.name for each in model.entities] == ["Gold"]


def test_a_fault_of_one_entity_affects_no_other() -> None:
    bad = entity("Bad", ["A", "B"], [])
    bad["attributes"][1] = {"name": ""}
    data = model_json(bad, {"name": " "}, 7, entity("Gold", ["A"], []))
    model = read_model(data, "some/model.json")
    assert [(each.name, each.fault and each.fault.code) for each in model.entities] == [
        ("Bad", "attributeUnnamed"),
        ("Gold", None),
    ]
    assert model.entities[0].fault.values == {
        "where": "some/model.json",
        "entity": "Bad",
        "number": "2",
    }
    assert [(each.code, each.values["number"]) for each in model.faults] == [
        ("entityUnnamed", "2"),
        ("entityUnnamed", "3"),
    ]


@pytest.mark.parametrize(
    ("culture", "order", "mark"),
    [
        ("en-GB", "dayFirst", "point"),
        ("en-US", "monthFirst", "point"),
        ("de-DE", "dayFirst", "comma"),
        ("fr-FR", "dayFirst", "comma"),
        ("de-CH", "dayFirst", "point"),
        ("ko-KR", "", "point"),
        ("en-CA", "", "point"),
        ("xx-nothing", "", ""),
        (7, "", ""),
        (None, "", ""),
    ],
)
def test_the_culture_determines_the_format_of_dates_and_numbers(
    culture: object, order: str, mark: str
) -> None:
    item = entity("Gold", ["A", "Text"], [])
    item["attributes"][0]["dataType"] = "decimal"
    (gold,) = read_model(model_json(item, culture=culture), "m").entities
    assert [each.date_order for each in gold.attributes] == [order, order]
    # Text is not written by the culture, but copied.
    assert [each.decimal_mark for each in gold.attributes] == [mark, ""]


def test_data_types_are_known_in_any_case() -> None:
    item = entity("Gold", ["A", "B", "C", "D"], [])
    for each, kind in zip(item["attributes"], ["Int64", "DATETIME", "Decimal", "Own"], strict=True):
        each["dataType"] = kind
    (gold,) = read_model(model_json(item, culture="de-DE"), "m").entities
    found = [(each.data_type, each.decimal_mark) for each in gold.attributes]
    assert found == [("int64", "comma"), ("dateTime", ""), ("decimal", "comma"), ("Own", "")]


def test_the_date_format_of_an_attribute_overrides_the_culture() -> None:
    item = entity("Gold", ["A"], [])
    item["attributes"][0]["annotations"] = [{"name": "ci:CustomDateFormat", "value": "MM/dd/yyyy"}]
    (gold,) = read_model(model_json(item, culture="en-GB"), "m").entities
    assert gold.attributes[0].date_order == "monthFirst"


@pytest.mark.parametrize(
    ("item", "code"),
    [
        ({"attributes": [{}]}, "attributeUnnamed"),
        ({"partitions": [{"location": 5}]}, "partitionMalformed"),
        ({"partitions": [5]}, "partitionMalformed"),
        ({"partitions": [{"location": "a.csv"}, {"location": None}]}, "partitionMalformed"),
        ({"partitions": [{"name": "p0"}, {"location": "a.csv"}]}, "partitionMalformed"),
        ({"partitions": "x"}, "entityMalformed"),
    ],
)
def test_an_invalid_entity_is_reported_with_its_fault(item: dict[str, object], code: str) -> None:
    data = json.dumps({"entities": [{"name": "G", **item}]}).encode()
    (found,) = read_model(data, "some/model.json").entities
    assert (found.fault.code, found.fault.where) == (code, "some/model.json")


@pytest.mark.parametrize("other_form", ["Größe", "Gro\u0308ße", " Größe"])
def test_an_entity_that_is_listed_twice_with_different_files_is_a_fault(other_form: str) -> None:
    twice = entity("Größe", ["A"], ["a.csv"]), entity(other_form, ["A"], ["b.csv"])
    found, other = read_model(model_json(*twice, entity("H", ["A"], ["h.csv"])), "m").entities
    assert found.fault is not None
    assert found.fault.code == "entityListedTwice"
    assert found.fault.values["where"] == "m"
    assert other.fault is None


def test_of_two_entities_with_one_name_the_one_with_files_is_used() -> None:
    filled, empty = entity("G", ["Full"], ["a.csv"]), entity("G", ["Schema"], [])
    for listed in ([filled, empty], [empty, filled], [filled, filled]):
        (found,) = read_model(model_json(*listed), "m").entities
        assert (found.attributes, found.fault) == ((Attribute("Full"),), None)


def test_blanks_around_the_name_of_an_entity_are_removed() -> None:
    found = only(entity(" Gold\u00a0", ["A"], []))
    assert (found.name, found.display_name) == ("Gold", "Gold")


def test_unusual_names_are_stored_unchanged() -> None:
    name = 'Ä "quoted"; DROP TABLE x --'
    assert only(entity(name, [name], [])).attributes[0].name == name


@pytest.mark.parametrize(
    "given_as",
    [
        {"semanticType": "Identity.Service.Email"},
        {"annotations": [{"name": "c360:SemanticType", "value": "Identity.Service.Email"}]},
        {"traits": [{"traitReference": "means.Identity.Service.Email"}]},
        {"traits": ["is.x", "means.Identity.Service.Email"]},
    ],
)
def test_semantic_types_are_found_in_all_notations(given_as: dict[str, object]) -> None:
    item = entity("G", [], [])
    item["attributes"] = [{"name": "Mail", "dataType": "string", **given_as}]
    assert only(item).attributes == (Attribute("Mail", "string", "Identity.Service.Email"),)


def test_the_key_is_customer_id_or_the_annotated_one() -> None:
    noted = {"annotations": [{"name": "c360:PrimaryKey", "value": "Key"}]}
    assert only(entity("G", ["Key", "CustomerId"], [], **noted)).primary_key == "CustomerId"
    assert only(entity("G", ["Key"], [], **noted)).primary_key == "Key"
    assert only(entity("G", ["Other"], [], **noted)).primary_key is None


def test_the_profile_table_is_recognized_by_type_or_name() -> None:
    assert only(entity("Customer", ["A"], [])).is_profile
    assert only(entity("People", ["A"], [], entityType="profile")).is_profile
    assert not only(entity("Customer", ["A"], [], entityType="segment")).is_profile
    assert not only(entity("Customers in Seoul", ["A"], [])).is_profile


def test_a_partition_without_location_is_schema_only() -> None:
    item = entity("G", ["A"], ["x"])
    item["partitions"] = [{"name": "P1", "location": None}, {"name": "P2"}]
    assert only(item).partitions == ()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"{}",
        b"\xff\xfe{",
        b'{"entities": {}}',
        b'{"entities": [{"name": "G", "attributes": ' + b"[" * 100_000,
        b" " * (MAX_BYTES + 1),
    ],
    ids=range(7),
)
def test_an_invalid_model_is_refused_and_named(data: bytes) -> None:
    with pytest.raises(InputError) as caught:
        read_model(data, "some/model.json")
    assert caught.value.where.startswith("some/model.json")
    assert caught.value.__cause__ is None


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "name",
                    "attributes",
                    "partitions",
                    "location",
                    "annotations",
                    "value",
                    "traits",
                    "fileFormatSettings",
                    "delimiter",
                    "columnHeaders",
                    "$type",
                    "dataType",
                    "keys",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=20,
)


@given(json_values)
def test_any_json_is_read_or_refused(value: object) -> None:
    with suppress(InputError):
        read_model(json.dumps({"entities": [value]}).encode(), "m")


def test_the_name_of_an_attribute_has_no_line_breaks_and_direction_marks() -> None:
    names = ["First\r\nName", "Kundennummer \n (neu)", "\u202aCity\u202c", "A  B"]
    assert [each.name for each in only(entity("Gold", names, [])).attributes] == [
        "First Name",
        "Kundennummer (neu)",
        "City",
        "A  B",
    ]
