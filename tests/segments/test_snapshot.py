"""Snapshots of segments in a real container: the newest complete state, pinned to ETags."""

import csv
import gzip
import unicodedata
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from azure.storage.blob import BlobServiceClient, ContainerClient

from shared.errors import Changed, ConfigError, InputError, Unavailable
from shared.model.source import Attribute, LoadedSegment
from shared.segments.blob_segments import BlobSegments
from shared.segments.container import LandingContainer
from tests import reused_databases
from tests.free_ports import free_port
from tests.segments.landing import ROOT, Landing
from tests.segments.segment_files import csv_bytes, entity
from tests.segments.test_catalogue import catalogue

ROWS = csv_bytes([["CustomerId", "EMail"], ["1", "a@example.com"]])


def at(time: str, name: str) -> str:
    return f"{ROOT}/{name}/{time}/{name}_1.csv"


def test_a_snapshot_of_a_segment_has_its_files_in_numeric_order(landing: Landing) -> None:
    names = [f"{ROOT}/Gold/2020/08/24/1433/Churn_{n}.csv" for n in (10, 2, 1)]
    for name in names:
        landing.put(name, ROWS)
    landing.model(entity("Gold", ["CustomerId", "EMail"], [f"{landing.url}/{n}" for n in names]))
    gold = landing.freeze("Gold")
    assert [each.blob for each in gold.partitions] == list(reversed(names))
    assert [each.size for each in gold.partitions] == [len(ROWS)] * 3
    assert gold.attributes == (Attribute("CustomerId"), Attribute("EMail"))
    assert gold.primary_key == "CustomerId"


def test_a_pinned_segment_can_be_read(landing: Landing, tmp_path: Path) -> None:
    landing.put(f"{ROOT}/Gold_1.csv.gz", gzip.compress(ROWS))
    landing.model(entity("Gold", ["CustomerId", "EMail"], ["Gold_1.csv.gz"]))
    rows, loaded = landing.load(landing.freeze("Gold"), ["EMail"], tmp_path)
    assert loaded == LoadedSegment()
    assert rows == [(f"{ROOT}/Gold_1.csv.gz", 2, "a@example.com")]


def test_a_file_replaced_after_the_snapshot_is_not_read(landing: Landing, tmp_path: Path) -> None:
    landing.put("Gold.csv", ROWS)
    gold = landing.freeze("Gold")
    landing.put("Gold.csv", ROWS + b"2,b@example.com\r\n")
    with pytest.raises(Changed):
        landing.load(gold, ["EMail"], tmp_path)


def test_a_file_deleted_after_the_snapshot_counts_as_replaced(
    landing: Landing, tmp_path: Path
) -> None:
    landing.put("Gold.csv", ROWS)
    gold = landing.freeze("Gold")
    landing.client.delete_blob("Gold.csv")
    with pytest.raises(Changed, match=r"Gold\.csv"):
        landing.load(gold, ["EMail"], tmp_path)
    assert landing.container.etag("Gold.csv") is None


def test_missing_files_are_waited_for(landing: Landing) -> None:
    landing.put(f"{ROOT}/Gold_1.csv", ROWS)
    landing.model(entity("Gold", ["EMail"], ["Gold_1.csv", "Gold_2.csv", "Gold_3.csv"]))
    with pytest.raises(Unavailable, match="2 of 3 files of the segment Gold") as caught:
        landing.freeze("Gold")
    assert caught.value.code == "refreshIncomplete"
    assert caught.value.values["files"] == f"{ROOT}/Gold_2.csv, {ROOT}/Gold_3.csv"


def test_an_incomplete_segment_does_not_block_another(landing: Landing) -> None:
    landing.put(f"{ROOT}/Gold_1.csv", ROWS)
    landing.model(
        entity("Late", ["EMail"], ["Late_1.csv"]), entity("Gold", ["EMail"], ["Gold_1.csv"])
    )
    assert landing.freeze("Gold").name == "Gold"


def test_the_same_files_have_the_same_etags(landing: Landing) -> None:
    landing.put(f"{ROOT}/Gold_1.csv", ROWS)
    landing.model(entity("Gold", ["EMail"], ["Gold_1.csv"]))
    before = landing.segments().snapshot(["Gold"])
    landing.model(entity("Gold", ["EMail"], ["Gold_1.csv"]))
    assert landing.segments().snapshot(["Gold"]).etags == before.etags
    landing.put(f"{ROOT}/Gold_1.csv", ROWS)
    assert landing.segments().snapshot(["Gold"]).etags != before.etags


@pytest.mark.parametrize("described", [True, False], ids=["model", "folder"])
@pytest.mark.parametrize("written", ["NFC", "NFD"])
@pytest.mark.parametrize("wanted", ["NFC", "NFD"])
def test_a_segment_name_is_found_in_composed_and_decomposed_letters(
    landing: Landing, written: str, wanted: str, described: bool
) -> None:
    name, other = (unicodedata.normalize(form, "골드") for form in (written, wanted))
    if described:
        landing.put(f"{ROOT}/{name}/1.csv", ROWS)
        landing.model(entity(name, ["CustomerId", "EMail"], [f"{other}/1.csv"]))
    else:
        landing.put(f"{name}/1.csv", ROWS)
    gold = landing.freeze(other)
    assert (gold.name, len(gold.partitions)) == (other, 1)
    listed = catalogue(landing)
    assert [each.name for each in listed.listing().segments] == ["골드"]
    assert len(listed.attributes(other)) == 2
    assert listed.sample([other]) is not None


@pytest.mark.parametrize("described", [True, False], ids=["model", "header"])
@pytest.mark.parametrize("name", ["CustomerId", "customerid", "CUSTOMERID"])
def test_the_profile_id_is_found_in_any_case(landing: Landing, name: str, described: bool) -> None:
    landing.put(f"{ROOT}/Gold/1.csv", csv_bytes([[name, "EMail"], ["1", "a@example.com"]]))
    if described:
        landing.model(entity("Gold", [name, "EMail"], ["Gold/1.csv"]))
    assert landing.freeze("Gold").primary_key == name


def test_an_unknown_segment_is_named(landing: Landing) -> None:
    landing.model(entity("Gold", ["EMail"], []))
    with pytest.raises(ConfigError, match="Silver, Customer") as caught:
        landing.segments().snapshot(["Gold", "Silver", "Customer"])
    assert caught.value.code == "segmentMissing"


def test_the_profile_table_is_not_a_segment(landing: Landing) -> None:
    landing.model(entity("Customer", ["EMail"], []))
    with pytest.raises(ConfigError, match="Customer"):
        landing.freeze("Customer")


def test_a_segment_without_files_is_empty(landing: Landing) -> None:
    landing.model(entity("Gold", ["EMail"], []))
    assert landing.freeze("Gold").partitions == ()


def test_a_location_in_another_account_is_refused_for_its_segment_only(landing: Landing) -> None:
    landing.put(f"{ROOT}/Gold_1.csv", ROWS)
    landing.model(
        entity("Bad", ["EMail"], ["https://evil.example/x.csv"]),
        entity("Gold", ["EMail"], ["Gold_1.csv"]),
    )
    assert landing.freeze("Gold").partitions[0].blob == f"{ROOT}/Gold_1.csv"
    with pytest.raises(ConfigError, match="Bad, P1"):
        landing.freeze("Bad")


def test_only_the_configured_root_is_read(landing: Landing) -> None:
    landing.put("Else/Gold_1.csv", ROWS)
    landing.model(entity("Gold", ["EMail"], [f"{landing.url}/Else/Gold_1.csv"]))
    landing.model(entity("Silver", ["EMail"], []), folder="Else")
    with pytest.raises(ConfigError, match="SEGMENTS_ROOT"):
        landing.freeze("Gold", root="/CustomerInsights_1/")
    with pytest.raises(ConfigError, match="Silver"):
        landing.freeze("Silver", root="CustomerInsights_1")


def test_a_segment_in_two_destinations_is_a_fault_unless_the_root_is_set(
    landing: Landing,
) -> None:
    for folder, time in (("A", "2024-05-02T00:00:00Z"), ("B", "9999-05-01T00:00:00Z")):
        landing.put(f"{folder}/Gold_1.csv", ROWS)
        item = entity("Gold", ["EMail"], ["Gold_1.csv"])
        item["partitions"][0]["refreshTime"] = time
        landing.model(item, folder=folder)
        landing.put(f"{folder}/Plain/{folder}.csv", ROWS)
    with pytest.raises(ConfigError, match="SEGMENTS_ROOT") as caught:
        landing.freeze("Gold")
    assert caught.value.code == "segmentDescribedTwice"
    assert caught.value.values == {
        "segment": "Gold",
        "first": "A/model.json",
        "second": "B/model.json",
    }
    gold = landing.freeze("Gold", root="A")
    assert gold.partitions[0].blob == "A/Gold_1.csv"
    assert gold.refreshed_at == datetime(2024, 5, 2, tzinfo=UTC)


def test_a_duplicate_folder_name_is_a_fault(landing: Landing) -> None:
    for folder in ("A", "B"):
        landing.put(f"{folder}/Gold/Gold_1.csv", ROWS)
    with pytest.raises(ConfigError, match="SEGMENTS_ROOT") as caught:
        landing.freeze("Gold")
    assert {caught.value.values["first"], caught.value.values["second"]} == {"A/Gold", "B/Gold"}
    assert landing.freeze("Gold", root="B").partitions[0].blob == "B/Gold/Gold_1.csv"


def test_a_refresh_time_in_the_future_is_ignored(landing: Landing) -> None:
    landing.put(f"{ROOT}/Gold_1.csv", ROWS)
    item = entity("Gold", ["EMail"], ["Gold_1.csv"])
    item["partitions"][0]["refreshTime"] = "9999-05-01T00:00:00Z"
    landing.model(item)
    refreshed = landing.freeze("Gold").refreshed_at
    assert refreshed is not None
    assert abs(datetime.now(UTC) - refreshed) < timedelta(hours=1)


def test_a_broken_model_does_not_hide_a_valid_one(landing: Landing) -> None:
    landing.put("Broken/model.json", b"{")
    landing.model(entity("Gold", ["EMail"], []))
    assert landing.freeze("Gold").name == "Gold"


@pytest.mark.parametrize("beside", [True, False])
def test_a_broken_model_is_named_in_the_error_for_a_missing_segment(
    landing: Landing, beside: bool
) -> None:
    landing.put("Broken/model.json", b"{")
    if beside:
        landing.model(entity("Silver", ["EMail"], []))
    with pytest.raises(ConfigError, match=r"Gold.*Broken/model\.json is not valid JSON") as caught:
        landing.freeze("Gold")
    assert caught.value.code == "segmentMissingBeside"
    assert caught.value.values["causeCode"] == "modelNotJson"


def test_several_unusable_files_are_counted_in_the_error_for_a_missing_segment(
    landing: Landing,
) -> None:
    landing.model({"attributes": []})
    landing.put("Broken/model.json", b"{")
    with pytest.raises(
        ConfigError, match=r"Gold.* one of 2 files.*Broken/model\.json is not valid JSON"
    ):
        landing.freeze("Gold")


def test_a_too_large_model_is_named_in_the_error_for_a_missing_segment(landing: Landing) -> None:
    landing.put("Large/model.json", b" " * (16 * 1024 * 1024 + 1))
    with pytest.raises(ConfigError, match=r"Large/model\.json is larger than the limit of 16 MB"):
        landing.freeze("Gold")


def test_a_fault_of_an_entity_affects_its_segment_only(landing: Landing) -> None:
    landing.put(f"{ROOT}/Gold_1.csv", ROWS)
    bad = entity("Bad", ["EMail"], ["Gold_1.csv"], fileFormatSettings={"delimiter": "||"})
    landing.model(bad, entity("Gold", ["CustomerId", "EMail"], ["Gold_1.csv"]))
    assert landing.freeze("Gold").name == "Gold"
    with pytest.raises(InputError, match="delimiter") as caught:
        landing.freeze("Bad")
    assert caught.value.code == "delimiterUnusable"


def test_a_location_with_unusual_spelling_is_found(landing: Landing) -> None:
    for name in ("Gold #1.csv", "b//Gold.csv", "c.csv"):
        landing.put(f"{ROOT}/{name}", ROWS)
    landing.model(
        entity("Hash", ["EMail"], ["Gold #1.csv"]),
        entity("ScriptedServer", ["EMail"], [f"{landing.url}/{ROOT}/b//Gold.csv"]),
        entity("Tidied", ["EMail"], ["./c.csv", "x//../c.csv"][:1]),
    )
    found = landing.segments().snapshot(["Hash", "ScriptedServer", "Tidied"]).segments
    assert [each.partitions[0].blob for each in found] == [
        f"{ROOT}/Gold #1.csv",
        f"{ROOT}/b//Gold.csv",
        f"{ROOT}/c.csv",
    ]


def test_a_location_in_another_case_finds_the_existing_file(landing: Landing) -> None:
    landing.put(f"{ROOT}/Gold_1.csv", ROWS)
    landing.model(entity("Gold", ["EMail"], ["gold_1.CSV"]))
    with pytest.raises(ConfigError, match=rf"{ROOT}/gold_1\.CSV.*{ROOT}/Gold_1\.csv") as caught:
        landing.freeze("Gold")
    assert caught.value.code == "locationOtherCase"


@pytest.mark.parametrize(
    ("log", "form"),
    [
        ("_delta_log/00000000000000000000.json", "Delta"),
        ("_delta_log/00000000000000000010.checkpoint.parquet", "Delta"),
        (".hoodie/hoodie.properties", "Hudi"),
        ("metadata/v1.metadata.json", "Iceberg"),
    ],
)
@pytest.mark.parametrize("file", ["part-0000.csv", "data/part-0000.csv", "country=DE/p.csv"])
def test_a_delta_table_is_refused_and_named(
    landing: Landing, log: str, form: str, file: str
) -> None:
    landing.put(f"in/Gold/{file}", ROWS)
    landing.put(f"in/Gold/{log}", b"{}")
    with pytest.raises(ConfigError, match=f"in/Gold is a table in the format {form}") as caught:
        landing.freeze("Gold")
    assert caught.value.code == "tableFormatUnsupported"
    landing.model(entity("Listed", ["CustomerId", "EMail"], [f"{landing.url}/in/Gold/{file}"]))
    with pytest.raises(ConfigError, match=f"format {form}"):
        landing.freeze("Listed")
    assert set(landing.survey().found) == {"Gold", "Listed"}


def test_temporary_files_of_writers_are_not_segments(landing: Landing) -> None:
    landing.put("in/Gold/part-0000.csv", ROWS)
    landing.put("in/Gold/country=DE/part-0001.csv", ROWS)
    landing.put("in/Gold/_temporary/0/part-0000.csv", ROWS)
    landing.put("in/_spark_metadata/part.csv", ROWS)
    landing.put("in/.tmp/x.csv", ROWS)
    landing.put("in/Gold/_SUCCESS.csv", b"")
    landing.put("in/_temporary/model.json", b"{")
    for name, flag in (("Folder.csv", "Hdi_isfolder"), ("other.csv", "hdi_isfolder")):
        landing.client.upload_blob(f"in/{name}", b"", metadata={flag: "TRUE"})
    landing.put("in/Spark.csv", b"")
    landing.put("in/Spark.csv/part-0000.csv", ROWS)
    survey = landing.survey()
    assert (set(survey.found), survey.faults) == ({"Gold", "Spark.csv"}, ())
    assert [each.blob for each in landing.freeze("Gold").partitions] == [
        "in/Gold/country=DE/part-0001.csv",
        "in/Gold/part-0000.csv",
    ]


def test_the_newest_of_several_exports_is_used(landing: Landing) -> None:
    old, new = at("2020/08/24/1433", "Gold"), at("2020/08/25/0101", "Gold")
    landing.put(old, ROWS)
    landing.put(new, ROWS)
    landing.model(entity("Gold", ["EMail"], [f"{landing.url}/{n}" for n in (new, old)]))
    assert [each.blob for each in landing.freeze("Gold").partitions] == [new]


def test_the_files_of_an_export_across_a_minute_belong_together(landing: Landing) -> None:
    names = [f"{ROOT}/Gold/2020/08/24/{hm}/Gold_{n}.csv" for hm, n in (("1433", 1), ("1434", 2))]
    for name in names:
        landing.put(name, ROWS)
    landing.model(entity("Gold", ["EMail"], [f"{landing.url}/{n}" for n in names]))
    assert [each.blob for each in landing.freeze("Gold").partitions] == names


def test_old_files_beside_a_model_are_not_segments(landing: Landing) -> None:
    landing.put(at("2020/08/24/1433", "Removed"), ROWS)
    landing.model(entity("Gold", ["EMail"], []))
    with pytest.raises(ConfigError, match="Removed"):
        landing.freeze("Removed")


def test_without_model_a_folder_or_a_file_is_a_segment(landing: Landing) -> None:
    for n in (1, 2, 10):
        landing.put(f"in/Gold/Gold_{n}.csv", ROWS)
    landing.put("in/Silver people.csv", b"Name;E-Mail\nx;y\n")
    landing.put("in/readme.md", b"no data")
    gold = landing.freeze("Gold", root="in")
    assert [each.blob for each in gold.partitions] == [f"in/Gold/Gold_{n}.csv" for n in (1, 2, 10)]
    assert gold.attributes == (Attribute("CustomerId"), Attribute("EMail"))
    assert gold.primary_key == "CustomerId"
    silver = landing.freeze("Silver people", root="in")
    assert silver.attributes == (Attribute("Name"), Attribute("E-Mail"))
    assert silver.partitions[0].csv.delimiter == ";"


def test_files_that_a_model_in_another_folder_lists_are_no_segment_of_their_own(
    landing: Landing,
) -> None:
    for time in ("2020/08/23/0101", "2020/08/24/0101"):
        landing.put(f"data/people/{time}/part_1.csv", ROWS)
    landing.put("data/others/part_1.csv", ROWS)
    location = f"{landing.container.url}/data/people/2020/08/24/0101/part_1.csv"
    landing.model(entity("Gold", ["CustomerId", "EMail"], [location]))
    assert sorted(landing.survey().found) == ["Gold", "others"]


PEOPLE = [["17", "a@example.com", "Ann"], ["18", "", "Bob"], ["19", "c@example.com", "Cem"]]


@pytest.mark.parametrize("described", [True, False])
@pytest.mark.parametrize(
    "ends", ["\r\n\n", "\r\r\n\n", "\x85" * 3, "\u2028" * 3, "\x0b" * 3, "\x1e" * 3]
)
def test_a_header_does_not_hide_people_whose_line_ends_differently(
    landing: Landing, tmp_path: Path, described: bool, ends: str
) -> None:
    names = ["CustomerId", "EMail", "Note"]
    rows = [names] + [[str(n), f"p{n}@example.com", "x"] for n in range(len(ends) - 1)]
    text = "".join(",".join(row) + end for row, end in zip(rows, ends, strict=True))
    name = f"{ROOT}/Gold.csv" if described else "Gold.csv"
    landing.put(name, text.encode())
    if described:
        landing.model(entity("Gold", names, ["Gold.csv"]))
    with pytest.raises(InputError, match="also has the address of a person") as caught:
        landing.load(landing.freeze("Gold"), ["EMail"], tmp_path)
    assert (caught.value.code, caught.value.where) == ("headerWithPeople", name)


@pytest.mark.parametrize("first", [0, 1])
@pytest.mark.parametrize("described", [True, False])
def test_a_segment_without_column_names_is_refused(
    landing: Landing, first: int, described: bool
) -> None:
    name = f"{ROOT}/Gold.csv" if described else "Gold.csv"
    landing.put(name, csv_bytes(PEOPLE[first:]))
    if described:
        landing.model(entity("Gold", [], ["Gold.csv"]))
    with pytest.raises(InputError, match=r"columns of .* are unknown") as caught:
        landing.freeze("Gold")
    assert (caught.value.code, caught.value.where) == ("columnsUnknown", name)


def test_without_model_a_later_file_may_provide_the_columns(
    landing: Landing, tmp_path: Path
) -> None:
    names = ["CustomerId", "EMail", "2024"]
    landing.put("Gold/Gold_1.csv", csv_bytes(PEOPLE[:1]))
    landing.put("Gold/Gold_2.csv", csv_bytes([names, PEOPLE[1]]))
    gold = landing.freeze("Gold")
    assert [each.name for each in gold.attributes] == names
    rows, _ = landing.load(gold, ["CustomerId"], tmp_path)
    assert [row[1:] for row in rows] == [(1, "17"), (2, "18")]


@pytest.mark.parametrize(
    ("header", "code"),
    [
        (["Nachname", "Mail", "Vorname"], "columnsDiffer"),
        (["CustomerId", "Nachname", "EMail"], "columnMissing"),
        (["CustomerId", "EMail", "Nachname"], "columnMissing"),
    ],
)
def test_without_model_a_header_with_other_names_is_not_read_by_position(
    landing: Landing, tmp_path: Path, header: list[str], code: str
) -> None:
    names = ["CustomerId", "EMail", "FirstName"]
    landing.put("Gold/Gold_1.csv", csv_bytes([names, ["1", "a@b.de", "Ann"]]))
    landing.put("Gold/Gold_2.csv", csv_bytes([header, ["2", "c@d.de", "Lee"]]))
    gold = landing.freeze("Gold")
    with pytest.raises(InputError, match=r"Gold_2\.csv") as caught:
        landing.load(gold, ["FirstName"], tmp_path)
    assert caught.value.code == code


def test_without_model_lines_before_the_header_are_not_columns(
    landing: Landing, tmp_path: Path
) -> None:
    header = b"CustomerId;EMail\r\n"
    files = (b"sep=;\r\n" + header, b"# all members\n;\n \n" + header, header)
    for number, before in enumerate(files, 1):
        landing.put(f"Gold/{number}.csv", before + b"%d;p%d@example.com\r\n" % (number, number))
    gold = landing.freeze("Gold")
    assert [each.name for each in gold.attributes] == ["CustomerId", "EMail"]
    rows, loaded = landing.load(gold, ["CustomerId", "EMail"], tmp_path)
    assert loaded.unreadable == ()
    assert [row[2:] for row in rows] == [(str(n), f"p{n}@example.com") for n in (1, 2, 3)]
    assert [each.member_count for each in catalogue(landing).listing().segments] == [3]


@pytest.mark.parametrize(
    ("before", "header"),
    [
        ("", "#id"),
        ("", "#이메일"),
        ("", "# list"),
        ("  \n", "EMail"),
        ("sep=,\n", "EMail"),
        ("sep=;\n", "EMail"),
        (";;\n \n", "#EMail"),
    ],
)
@pytest.mark.parametrize("values", [["c-1", "c-2"], ["a@example.com", "b@example.com"]])
def test_without_model_the_header_of_one_column_is_found(
    landing: Landing, tmp_path: Path, before: str, header: str, values: list[str]
) -> None:
    landing.put("Gold/1.csv", "\n".join([before + header, *values]).encode())
    gold = landing.freeze("Gold")
    assert [each.name for each in gold.attributes] == [header]
    rows, loaded = landing.load(gold, [header], tmp_path)
    assert ([value for _, _, value in rows], loaded.unreadable) == (values, ())


@pytest.mark.parametrize("before", [b"", b"# all members\n", b"sep=,\n \n", b",,\n"])
def test_without_model_a_column_without_a_name_does_no_harm(
    landing: Landing, tmp_path: Path, before: bytes
) -> None:
    names = ["CustomerId", "", "EMail"]
    for n in (1, 2):
        data = before + csv_bytes([names, [str(n), "x", f"p{n}@b.de"]])
        landing.put(f"Gold/Gold_{n}.csv", data)
    gold = landing.freeze("Gold")
    rows, _ = landing.load(gold, ["EMail", "column2"], tmp_path)
    assert [row[2:] for row in rows] == [("p1@b.de", "x"), ("p2@b.de", "x")]


def test_without_model_a_column_without_a_name_gets_a_free_one(
    landing: Landing, tmp_path: Path
) -> None:
    names = ["CustomerId", "EMail", "", "column3", "CustomerId"]
    landing.put("Gold/Gold_1.csv", csv_bytes([names, ["1", "a@example.com", "x", "y", "2"]]))
    columns = ["CustomerId", "column3", "column4"]
    rows, _ = landing.load(landing.freeze("Gold"), columns, tmp_path)
    assert [row[2:] for row in rows] == [("1", "y", "x")]


def test_without_model_the_newest_complete_export_is_used(landing: Landing) -> None:
    for time, numbers in (
        ("2020/08/23/0101", (1, 2)),
        ("2020/08/24/0101", (1, 2)),
        ("2020/08/25/0101", (2,)),
    ):
        for n in numbers:
            landing.put(f"Gold/{time}/Gold_{n}.csv", ROWS)
    names = [each.blob for each in landing.freeze("Gold").partitions]
    assert names == [f"Gold/2020/08/24/0101/Gold_{n}.csv" for n in (1, 2)]


def test_the_newest_of_files_with_seconds_in_their_names_is_used(landing: Landing) -> None:
    landing.put("CustomerInsights_1/Campaign_Gold_1600000000.csv", ROWS)
    landing.put("CustomerInsights_1/Campaign_Gold_1700000000.csv", ROWS)
    gold = landing.freeze("Campaign_Gold")
    assert [each.blob for each in gold.partitions] == [
        "CustomerInsights_1/Campaign_Gold_1700000000.csv"
    ]


def test_without_model_a_gzip_or_parquet_file_provides_its_columns(
    landing: Landing, tmp_path: Path
) -> None:
    wide = [[f"Column {n}" for n in range(300)], ["x" * 200] * 300, ["y" * 300] * 300]
    landing.put("Packed/a.csv.gz", gzip.compress(csv_bytes(wide * 40), 0))
    assert len(landing.freeze("Packed").attributes) == 300
    with reused_databases.connect() as connection:
        connection.execute(f"COPY (SELECT 1 AS \"CustomerId\", 'x' AS m) TO '{tmp_path}/p.parquet'")
    landing.put("Columns.parquet", (tmp_path / "p.parquet").read_bytes())
    assert [a.name for a in landing.freeze("Columns").attributes] == ["CustomerId", "m"]


def test_a_file_in_the_archive_tier_is_named(landing: Landing, tmp_path: Path) -> None:
    landing.put("Gold.csv", ROWS)
    gold = landing.freeze("Gold")
    landing.client.get_blob_client("Gold.csv").set_standard_blob_tier("Archive")  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"Gold\.csv") as caught:
        landing.load(gold, ["EMail"], tmp_path)
    assert caught.value.code == "fileArchived"


def test_a_missing_container_is_a_config_error(landing: Landing, storage: str) -> None:
    client = ContainerClient.from_connection_string(storage, "not-there", retry_total=0)
    with pytest.raises(ConfigError) as caught:
        BlobSegments(LandingContainer(client)).snapshot(["Gold"])
    assert caught.value.code == "segmentsContainerMissing"


def test_a_refused_storage_key_is_a_config_error(storage: str) -> None:
    service = BlobServiceClient.from_connection_string(storage)
    client = ContainerClient(
        service.url,
        "segments",
        credential={"account_name": "devstoreaccount1", "account_key": "AAAA"},
        retry_total=0,
    )
    with pytest.raises(ConfigError) as caught:
        BlobSegments(LandingContainer(client)).snapshot(["Gold"])
    assert caught.value.code == "segmentsAccessRefused"


def test_unreachable_storage_is_unavailable() -> None:
    client = ContainerClient(
        f"http://127.0.0.1:{free_port()}/devstoreaccount1", "segments", retry_total=0
    )
    with pytest.raises(Unavailable):
        BlobSegments(LandingContainer(client)).snapshot(["Gold"])


def test_an_empty_file_is_an_empty_segment(landing: Landing, tmp_path: Path) -> None:
    landing.put("Empty/a.csv", b"")
    landing.put(f"{ROOT}/Gold_1.csv", b"")
    landing.model(entity("Gold", ["EMail"], ["Gold_1.csv"]))
    empty, gold = landing.segments().snapshot(["Empty", "Gold"]).segments
    assert empty.attributes == ()
    for segment in (empty, gold):
        assert landing.load(segment, ["EMail"], tmp_path) == ([], LoadedSegment())


def test_large_files_are_read_back_unchanged(landing: Landing, tmp_path: Path) -> None:
    rows = [["CustomerId", "EMail"], *([f"{n}", f"person{n}@example.com"] for n in range(400_000))]
    data = csv_bytes(rows)
    landing.put("Gold.csv", data)
    got, _ = landing.load(landing.freeze("Gold"), rows[0], tmp_path)
    expected = csv.reader(data.decode().splitlines())
    assert [row[1:] for row in got] == [(n, *row) for n, row in enumerate(expected, start=1)][1:]


def test_the_container_lists_names_and_returns_etags(landing: Landing) -> None:
    container = landing.container
    assert (container.account, container.url) == ("devstoreaccount1", landing.url)
    assert container.name == landing.url.rpartition("/")[2]
    assert container.etag("Gold.csv") is None
    landing.put("Gold.csv", ROWS)
    (entry,) = container.entries()
    assert container.etag("Gold.csv") == entry.etag
