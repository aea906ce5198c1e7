"""A CDM manifest and its documents name the columns, or the entity reports why not."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import cast

import pytest

from shared.errors import ConfigError, InputError, Unavailable
from shared.model.source import Attribute, LoadedSegment
from shared.segments.blob_segments import BlobSegments
from shared.segments.container import BlobEntry, LandingContainer
from tests.segments.landing import ROOT, Landing
from tests.segments.segment_files import MemoryContainer, csv_bytes, entity, model_json

PEOPLE = [["17", "a@example.com", "Ann"], ["18", "b@example.com", "Bob"]]


def attribute(name: str, **more: object) -> dict[str, object]:
    return {"name": name, "dataFormat": "String", **more}


COLUMNS: list[object] = [
    attribute("CustomerId", purpose="identifiedBy"),
    attribute(
        "EMail",
        appliedTraits=[{"traitReference": "means.identity.service.email"}],
        dataFormat="String",
    ),
    attribute("Born", dataFormat="DateTime"),
]


def definition(*attributes: object, name: str = "Gold", **more: object) -> dict[str, object]:
    found = {"entityName": name, "hasAttributes": list(attributes), **more}
    return {"jsonSchemaSemanticVersion": "1.0.0", "imports": [], "definitions": [found]}


def csv_trait(**arguments: str) -> list[dict[str, object]]:
    listed = [{"name": name, "value": value} for name, value in arguments.items()]
    return [{"traitReference": "is.partition.format.CSV", "arguments": listed}]


def manifest(**more: object) -> dict[str, object]:
    gold = {
        "type": "LocalEntity",
        "entityName": "Gold",
        "entityPath": "Gold.cdm.json/Gold",
        "dataPartitions": [{"location": "Gold/Gold_1.csv", "exhibitsTraits": csv_trait()}],
        **more,
    }
    return {"manifestName": "export", "entities": [gold], "relationships": []}


def put(landing: Landing, name: str, document: object) -> None:
    landing.put(f"{ROOT}/{name}", json.dumps(document).encode())


@pytest.fixture
def described(landing: Landing) -> Landing:
    landing.put(f"{ROOT}/Gold/Gold_1.csv", csv_bytes(PEOPLE))
    put(landing, "Gold.cdm.json", definition(*COLUMNS))
    put(landing, "default.manifest.cdm.json", manifest())
    return landing


def test_a_manifest_names_the_columns_of_a_file_without_header(
    described: Landing, tmp_path: Path
) -> None:
    gold = described.freeze("Gold")
    assert gold.attributes == (
        Attribute("CustomerId"),
        Attribute("EMail", "string", "identity.service.email"),
        Attribute("Born", "dateTime"),
    )
    assert gold.primary_key == "CustomerId"
    rows, loaded = described.load(gold, ["EMail", "Born"], tmp_path)
    assert loaded == LoadedSegment()
    assert [row[1:] for row in rows] == [(1, "a@example.com", "Ann"), (2, "b@example.com", "Bob")]


def test_the_format_of_a_partition_is_used(described: Landing) -> None:
    partition = {
        "location": "Gold/Gold_1.csv",
        "exhibitsTraits": csv_trait(columnHeaders="true", delimiter="|", encoding="UTF-16"),
    }
    put(described, "default.manifest.cdm.json", manifest(dataPartitions=[partition]))
    form = described.freeze("Gold").partitions[0].csv
    assert (form.header, form.delimiter, form.encoding) == (True, "|", "UTF-16")


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ({"rootLocation": "Gold", "globPattern": "*.csv"}, ["Gold_1.csv"]),
        ({"rootLocation": "Gold", "globPattern": "/**/*.csv"}, ["2026/Gold_2.csv", "Gold_1.csv"]),
        ({"rootLocation": "Gold", "globPattern": "**\\*.csv"}, ["2026/Gold_2.csv", "Gold_1.csv"]),
        ({"rootLocation": "Gold", "globPattern": "**/2026/**"}, ["2026/Gold_2.csv"]),
        (
            {"rootLocation": "Gold/", "regularExpression": r".+\.csv$"},
            ["2026/Gold_2.csv", "Gold_1.csv"],
        ),
        ({"rootLocation": "Gold", "globPattern": "**"}, ["2026/Gold_2.csv", "Gold_1.csv"]),
    ],
)
def test_a_partition_pattern_matches_existing_files(
    described: Landing, pattern: dict[str, str], names: list[str]
) -> None:
    described.put(f"{ROOT}/Gold/_SUCCESS", b"")
    described.put(f"{ROOT}/Gold/2026/Gold_2.csv", csv_bytes(PEOPLE))
    described.put(f"{ROOT}/Gold/2026/.Gold_2.csv.crc", b"crc")
    empty = {"rootLocation": "Gold", "globPattern": "2027/*.csv"}
    more = manifest(dataPartitions=[], dataPartitionPatterns=[empty, pattern])
    put(described, "default.manifest.cdm.json", more)
    found = [each.blob for each in described.freeze("Gold").partitions]
    assert found == [f"{ROOT}/Gold/{name}" for name in names]


@pytest.mark.parametrize(
    "pattern",
    [
        {"globPattern": "_*.csv"},
        {"globPattern": "**/_*.csv"},
        {"regularExpression": r"_.+\.csv"},
        {"regularExpression": r"^_[0-9]\.csv$"},
    ],
)
def test_a_pattern_that_begins_with_an_underscore_matches_the_files_that_it_names(
    described: Landing, pattern: dict[str, str]
) -> None:
    described.put(f"{ROOT}/Gold/_1.csv", csv_bytes(PEOPLE))
    patterns = [{"rootLocation": "Gold", **pattern}]
    more = manifest(dataPartitions=[], dataPartitionPatterns=patterns)
    put(described, "default.manifest.cdm.json", more)
    found = [each.blob for each in described.freeze("Gold").partitions]
    assert found == [f"{ROOT}/Gold/_1.csv"]


@pytest.mark.parametrize(
    "more",
    [
        {"dataPartitionPatterns": None, "incrementalPartitions": None},
        {
            "dataPartitions": None,
            "dataPartitionPatterns": [{"rootLocation": "Gold", "globPattern": "*.csv"}],
        },
        {"incrementalPartitions": [{"name": "changes"}, {"location": None}]},
    ],
)
def test_partitions_that_are_null_or_have_no_location_are_ignored(
    described: Landing, more: dict[str, object]
) -> None:
    put(described, "default.manifest.cdm.json", manifest(**more))
    found = [each.blob for each in described.freeze("Gold").partitions]
    assert found == [f"{ROOT}/Gold/Gold_1.csv"]


@pytest.mark.parametrize("second", [{"name": "p1"}, {"location": None}, {"location": 5}])
def test_a_partition_without_location_beside_others_is_a_fault_of_its_entity(
    described: Landing, second: dict[str, object]
) -> None:
    more = manifest(dataPartitions=[{"location": "Gold/Gold_1.csv"}, second])
    put(described, "default.manifest.cdm.json", more)
    with pytest.raises(InputError, match="Partition 2 of the entity Gold") as caught:
        described.freeze("Gold")
    assert caught.value.code == "partitionMalformed"


def test_properties_of_an_attribute_that_are_null_are_ignored(described: Landing) -> None:
    group = {"members": COLUMNS, "hasAttributes": None}
    nulls = {"attributeGroupReference": None, "entity": None}
    columns = [attribute("Tier", **nulls), {"attributeGroupReference": group}]
    put(described, "Gold.cdm.json", definition(*columns))
    names = [each.name for each in described.freeze("Gold").attributes]
    assert names == ["Tier", "CustomerId", "EMail", "Born"]


def test_a_segment_whose_patterns_match_no_file_is_not_empty(described: Landing) -> None:
    patterns = [{"rootLocation": "Gold", "globPattern": "Gold_[12].csv"}]
    more = manifest(dataPartitions=[], dataPartitionPatterns=patterns)
    put(described, "default.manifest.cdm.json", more)
    with pytest.raises(Unavailable, match=r"Gold/Gold_\[12\]\.csv") as caught:
        described.freeze("Gold")
    assert caught.value.code == "refreshIncomplete"


@pytest.mark.parametrize(
    "more",
    [
        {"regularExpression": "(?!x).*csv"},
        {"regularExpression": "("},
        {"rootLocation": "Gold"},
        {"globPattern": "?" * 300},
    ],
)
def test_a_pattern_that_cannot_be_read_is_a_fault_of_its_entity(
    described: Landing, more: dict[str, str]
) -> None:
    put(described, "default.manifest.cdm.json", manifest(dataPartitionPatterns=[more]))
    with pytest.raises(InputError, match="pattern of the entity Gold") as caught:
        described.freeze("Gold")
    assert caught.value.code == "patternUnusable"


@pytest.mark.parametrize(
    "more",
    [
        {"incrementalPartitions": [{"location": "Gold/Gold_1.csv"}]},
        {
            "dataPartitions": [
                {
                    "location": "Gold/Gold_1.csv",
                    "exhibitsTraits": [{"traitReference": "is.partition.incremental"}],
                }
            ]
        },
    ],
)
def test_partitions_of_changes_are_refused_and_named(
    described: Landing, more: dict[str, object]
) -> None:
    put(described, "default.manifest.cdm.json", manifest(**more))
    with pytest.raises(InputError, match="CDM incremental") as caught:
        described.freeze("Gold")
    assert caught.value.code == "tableFormatUnsupported"


@pytest.mark.parametrize(
    "location", ["/data/Gold_9.csv", "adls:/data/Gold_9.csv", "../data/Gold_9.csv"]
)
def test_files_may_be_in_another_folder_of_the_corpus(described: Landing, location: str) -> None:
    described.put("CustomerInsights_1/data/Gold_9.csv", csv_bytes(PEOPLE))
    put(
        described,
        "default.manifest.cdm.json",
        manifest(dataPartitions=[{"location": location}]),
    )
    names = [each.blob for each in described.freeze("Gold").partitions]
    assert names == ["CustomerInsights_1/data/Gold_9.csv"]


def test_a_new_file_that_a_pattern_matches_in_another_folder_is_found(described: Landing) -> None:
    described.put("CustomerInsights_1/data/Gold_8.csv", csv_bytes(PEOPLE))
    patterns = [{"rootLocation": "/data", "globPattern": "*.csv"}]
    more = manifest(dataPartitions=[], dataPartitionPatterns=patterns)
    put(described, "default.manifest.cdm.json", more)
    segments = described.segments()
    before = segments.snapshot(["Gold"]).segments[0].partitions
    described.put("CustomerInsights_1/data/Gold_9.csv", csv_bytes(PEOPLE))
    after = segments.snapshot(["Gold"]).segments[0].partitions
    assert (len(before), len(after)) == (1, 2)


@pytest.mark.parametrize("more", [{}, {"entities": None}])
def test_a_manifest_of_manifests_is_not_a_fault(described: Landing, more: dict[str, None]) -> None:
    others = [{"definition": "default.manifest.cdm.json"}]
    root = {"manifestName": "all", "subManifests": others, **more}
    put(described, "all.manifest.cdm.json", root)
    survey = described.survey()
    assert (survey.faults, list(survey.found)) == ((), ["Gold"])


def test_a_regular_expression_with_exponential_cost_ends(described: Landing) -> None:
    described.put(f"{ROOT}/Gold/{'a' * 200}.csv", csv_bytes(PEOPLE))
    pattern = {"rootLocation": "Gold", "regularExpression": "(a+)+b"}
    put(
        described,
        "default.manifest.cdm.json",
        manifest(dataPartitions=[], dataPartitionPatterns=[pattern]),
    )
    with pytest.raises(Unavailable):
        described.freeze("Gold")


@pytest.mark.parametrize(
    "attributes",
    [
        [{"attributeGroupReference": {"attributeGroupName": "all", "members": COLUMNS}}],
        [COLUMNS[0], {"attributeGroupReference": {"members": COLUMNS[1:]}}],
    ],
)
def test_grouped_attributes_are_columns_in_their_order(
    described: Landing, attributes: list[object]
) -> None:
    put(described, "Gold.cdm.json", definition(*attributes))
    names = [each.name for each in described.freeze("Gold").attributes]
    assert names == ["CustomerId", "EMail", "Born"]


def test_attributes_of_the_extended_entity_come_first(described: Landing) -> None:
    document = definition(*COLUMNS[1:], extendsEntity="Base")
    base = {"entityName": "Base", "extendsEntity": "CdmEntity", "hasAttributes": COLUMNS[:1]}
    document["definitions"].append(base)  # type: ignore[attr-defined]
    put(described, "Gold.cdm.json", document)
    names = [each.name for each in described.freeze("Gold").attributes]
    assert names == ["CustomerId", "EMail", "Born"]


@pytest.mark.parametrize(
    "path",
    ["/Gold.cdm.json/Gold", "local:/Gold.cdm.json/Gold", "./Gold.cdm.json/Gold"],
)
def test_a_path_from_the_root_of_the_corpus_is_found(described: Landing, path: str) -> None:
    put(described, "default.manifest.cdm.json", manifest(entityPath=path))
    assert len(described.freeze("Gold").attributes) == 3


@pytest.mark.parametrize(
    "document",
    [
        None,
        definition(),
        definition(*COLUMNS, name="Silver"),
        definition("firstName"),
        definition({"name": "Contact", "entity": {"entityReference": "Contact"}}),
        definition(*COLUMNS, extendsEntity="Elsewhere"),
        definition({"attributeGroupReference": "unknownGroup"}),
    ],
    ids=["gone", "empty", "other", "reference", "entity", "extends", "group"],
)
def test_a_segment_with_unknown_columns_reports_the_reason(
    described: Landing, document: dict[str, object] | None
) -> None:
    if document is None:
        described.client.delete_blob(f"{ROOT}/Gold.cdm.json")
    else:
        put(described, "Gold.cdm.json", document)
    with pytest.raises(InputError, match="columns of the entity Gold are not known") as caught:
        described.freeze("Gold")
    assert caught.value.code == "definitionUnusable"


def test_a_manifest_for_files_of_a_model_adds_no_segments(
    described: Landing,
) -> None:
    model = {
        "name": "Gold",
        "attributes": [{"name": name, "dataType": "string"} for name in ("CustomerId", "EMail")],
        "partitions": [{"location": "Gold/Gold_1.csv"}],
    }
    described.model(model)
    assert [each.name for each in described.freeze("Gold").attributes] == ["CustomerId", "EMail"]


@pytest.mark.parametrize(("location", "usable"), [("Gold/Gold_1.csv", True), ("Other.csv", False)])
def test_two_manifests_of_a_folder_with_different_files_are_a_fault(
    described: Landing, location: str, usable: bool
) -> None:
    described.put(f"{ROOT}/Other.csv", csv_bytes(PEOPLE[:1]))
    put(
        described,
        "another.manifest.cdm.json",
        manifest(dataPartitions=[{"location": location}]),
    )
    if usable:
        assert described.freeze("Gold").partitions[0].blob == f"{ROOT}/Gold/Gold_1.csv"
        return
    with pytest.raises(ConfigError, match=r"another\.manifest.*default\.manifest") as caught:
        described.freeze("Gold")
    assert caught.value.code == "segmentDescribedTwice"


class _Written(MemoryContainer):
    """A container in memory whose files were written at certain hours."""

    def __init__(self, files: dict[str, bytes], hours: dict[str, int]) -> None:
        super().__init__(files)
        self._hours = hours

    def entries(self, prefix: str = "") -> Iterator[BlobEntry]:
        for each in super().entries(prefix):
            yield replace(each, modified_at=self.written + timedelta(hours=self._hours[each.name]))


@pytest.mark.parametrize(
    ("model", "model_file", "manifest_file", "is_fault"),
    [(0, 0, 24, True), (24, 24, 0, False), (24, 23, 24, False), (0, 24, 24, False)],
)
def test_a_model_that_a_newer_manifest_contradicts_is_a_fault(
    model: int, model_file: int, manifest_file: int, is_fault: bool
) -> None:
    """Each number is the hour at which a file was written: `model.json`, its file, the manifest and its file."""
    item = entity("Gold", ["CustomerId", "EMail", "Born"], ["Gold/Gold_1.csv"])
    other = manifest(dataPartitions=[{"location": "Gold/Gold_2.csv"}])
    documents = {
        "model.json": (model_json(item), model),
        "default.manifest.cdm.json": (json.dumps(other).encode(), manifest_file),
        "Gold.cdm.json": (json.dumps(definition(*COLUMNS)).encode(), 0),
        "Gold/Gold_1.csv": (csv_bytes(PEOPLE), model_file),
        "Gold/Gold_2.csv": (csv_bytes(PEOPLE[:1]), manifest_file),
    }
    container = _Written(
        {name: data for name, (data, _) in documents.items()},
        {name: hour for name, (_, hour) in documents.items()},
    )
    segments = BlobSegments(cast("LandingContainer", container))
    if not is_fault:
        pinned = segments.snapshot(["Gold"]).segments[0]
        assert [each.blob for each in pinned.partitions] == ["Gold/Gold_1.csv"]
        return
    with pytest.raises(ConfigError, match=r"model\.json.*default\.manifest") as caught:
        segments.snapshot(["Gold"])
    assert caught.value.code == "segmentDescribedTwice"


def test_an_invalid_manifest_is_named(landing: Landing) -> None:
    landing.put(f"{ROOT}/default.manifest.cdm.json", b"{")
    assert [each.code for each in landing.survey().faults] == ["modelNotJson"]
