"""Segment files in unusual forms, from the blobs to the audience: every row has an outcome."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from azure.storage.blob import ContainerClient

from tests.e2e.running_app import SEGMENTS, ExportScenario, every_row_has_one_outcome, texts
from tests.segments.segment_files import csv_bytes, entity, parquet_bytes

NAMES = ["CustomerId", "EMail", "FirstName", "Born"]
MAPPING = {
    "email": "EMail",
    "firstName": "FirstName",
    "attributes": [
        {
            "attribute": "Born",
            "mergeField": "BORN",
            "create": {"name": "Born", "type": "date"},
        }
    ],
}


class Files:
    """Writes blobs into a folder of the landing container for one scenario."""

    def __init__(self, scenario: ExportScenario) -> None:
        self.scenario = scenario
        self.folder = f"odd{scenario.number}"

    def put(self, name: str, data: bytes) -> None:
        storage = self.scenario.running_app.storage
        with ContainerClient.from_connection_string(storage, SEGMENTS) as client:
            if not client.exists():
                client.create_container()
            client.upload_blob(f"{self.folder}/{name}", data, overwrite=True)

    def model(self, *entities: dict[str, object], folder: str = "", **more: object) -> None:
        model = {"name": "m", "version": "1.0", "entities": list(entities), **more}
        self.put(f"{folder}model.json", json.dumps(model).encode())


@pytest.fixture
def files(scenario: ExportScenario) -> Files:
    return Files(scenario)


def person(number: int, first: str = "Ann", born: str = "1980-02-29") -> list[str]:
    return [f"{number:032x}", f"p{number}@example.com", first, born]


def listed(scenario: ExportScenario, name: str) -> dict[str, Any]:
    found = scenario.api.get("/api/segments")["value"]
    return next(each for each in found if each["name"] == name)


def test_every_row_has_an_outcome_regardless_of_the_headers(
    scenario: ExportScenario, files: Files
) -> None:
    headed, bare, mixed = (scenario.named(name) for name in ("Headed", "Bare", "Mixed"))
    files.put("a.csv", csv_bytes([NAMES, person(1), ["x", "nobody", "Al", ""]]))
    files.put("b.csv", csv_bytes([person(2), person(3)]))
    files.put("m_1.csv", csv_bytes([NAMES, person(4)]))
    files.put("m_2.csv", csv_bytes([person(5), ["", "", "", ""]]))
    files.put("m_3.csv", csv_bytes([NAMES[::-1], person(6)[::-1]]))
    settings = {"fileFormatSettings": {"columnHeaders": True}}
    files.model(
        entity(headed, NAMES, ["a.csv"], fileFormatSettings={"columnHeaders": False}),
        entity(bare, NAMES, ["b.csv"], **settings),
        entity(mixed, NAMES, ["m_1.csv", "m_2.csv", "m_3.csv"], **settings),
    )
    scenario.define([headed, bare, mixed], mapping=MAPPING)
    run = scenario.run()
    counts = run["counts"]
    assert (counts["sourceRows"], counts["created"], counts["rejected"]) == (8, 6, 2)
    assert every_row_has_one_outcome(run, 0)
    members = scenario.audience.members()
    assert set(members) == {f"p{n}@example.com" for n in range(1, 7)}
    assert all(m.merge_fields == {"FNAME": "Ann", "BORN": "1980-02-29"} for m in members.values())
    assert [listed(scenario, name)["memberCount"] for name in (headed, bare, mixed)] == [2, 2, 4]


def test_a_header_that_a_joined_file_repeats_is_no_source_row(
    scenario: ExportScenario, files: Files
) -> None:
    name = scenario.named("Joined")
    small = ["customerid", "email", "FIRSTNAME", "born"]
    almost = ["CustomerId", "EMail", "FirstName", "1980-02-29"]
    files.put("a.csv", csv_bytes([NAMES, person(1), NAMES, person(2), small, person(3), almost]))
    files.model(entity(name, NAMES, ["a.csv"]))
    scenario.define([name], mapping=MAPPING)

    run = scenario.run()

    counts = run["counts"]
    assert (counts["sourceRows"], counts["created"], counts["rejected"]) == (4, 3, 1)
    assert every_row_has_one_outcome(run, 0)
    assert texts(run)["headerRepeated"] == (
        f"2 rows repeat the header of a file, the first on line 3 of {files.folder}/a.csv. "
        "Such rows do not count as source rows."
    )
    assert [row["email"] for row in scenario.outcomes(run, "rejected")] == ["EMail"]


def test_a_column_is_interpreted_from_all_its_values(
    scenario: ExportScenario, files: Files
) -> None:
    british, unclear = scenario.named("British"), scenario.named("Unclear")
    rows = [person(1, "NULL", "05/06/1980"), person(2, "Bo", "２５／０６／１９８０")]
    rows.append([f"{3:032x}", "Info@Müller.de", "N/A", "29 Feb 1980"])
    rows.append(person(5, "#REF!", "٠٥/٠٦/١٩٨٠"))
    files.put("b.csv", csv_bytes([NAMES, *rows]))
    files.model(entity(british, NAMES, ["b.csv"]))
    scenario.define([british], mapping=MAPPING)
    run = scenario.run()
    assert {address: m.merge_fields for address, m in scenario.audience.members().items()} == {
        "p1@example.com": {"BORN": "1980-06-05"},
        "p2@example.com": {"FNAME": "Bo", "BORN": "1980-06-25"},
        "info@xn--mller-kva.de": {"BORN": "1980-02-29"},
        "p5@example.com": {"BORN": "1980-06-05"},
    }
    assert "3 cells" in texts(run)["nullMarkers"]
    assert "FirstName" in texts(run)["nullMarkers"]

    files.put("u.csv", csv_bytes([NAMES, person(4, "Di", "05/06/1980")]))
    files.model(entity(unclear, NAMES, ["u.csv"]), folder="unclear/", name="u")
    files.put("unclear/u.csv", csv_bytes([NAMES, person(4, "Di", "05/06/1980")]))
    scenario.define([unclear], mapping=MAPPING)
    run = scenario.run()
    assert "Born" in texts(run)["dateOrderUnknown"]
    assert scenario.audience.members()["p4@example.com"].merge_fields == {"FNAME": "Di"}
    attributes = [{**MAPPING["attributes"][0], "dateOrder": "monthFirst"}]
    changed = {**MAPPING, "attributes": attributes}
    scenario.define([{"name": unclear, "tag": f"{unclear} again"}], mapping=changed)
    run = scenario.run()
    assert "dateOrderUnknown" not in texts(run)
    assert scenario.audience.members()["p4@example.com"].merge_fields["BORN"] == "1980-05-06"


def test_numbers_are_read_as_the_column_or_the_culture_writes_them(
    scenario: ExportScenario, files: Files
) -> None:
    names = ["CustomerId", "EMail", "Text", "Decimal", "Whole"]
    german, shown, unclear = (scenario.named(name) for name in ("German", "Shown", "Unclear"))

    def export(
        segment: str, *rows: tuple[str, str, str], mark: str | None = None, **more: object
    ) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        people = [[f"{n:032x}", f"{segment}{n}@example.com", *row] for n, row in enumerate(rows)]
        item = entity(segment, names, [f"{segment}.csv"])
        attributes: Any = item["attributes"]
        for attribute, data_type in zip(attributes[3:], ("decimal", "int64"), strict=True):
            attribute["dataType"] = data_type
        files.put(f"{segment}/{segment}.csv", csv_bytes([names, *people]))
        files.model(item, folder=f"{segment}/", **more)
        create = {"name": "Number", "type": "number"}
        mapped = [
            {"attribute": name, "mergeField": name.upper(), "create": {**create, "name": name}}
            for name in names[2:]
        ]
        mapped[0] |= {"decimalMark": mark} if mark else {}
        choice = {"name": segment, "tag": f"{segment} {mark}"}
        scenario.define([choice], mapping={"email": "EMail", "attributes": mapped})
        run = scenario.run()
        members = scenario.audience.members()
        return run, [
            members[f"{segment}{n}@example.com".lower()].merge_fields for n in range(len(rows))
        ]

    run, sent = export(
        german, ("1.234,50", "1.234", "1.234"), ("1.234", "12,5", "7"), culture="de-DE"
    )
    assert sent == [
        {"TEXT": 1234.5, "DECIMAL": 1234, "WHOLE": 1234},
        {"TEXT": 1234, "DECIMAL": 12.5, "WHOLE": 7},
    ]
    assert "decimalMarkUnknown" not in texts(run)

    run, sent = export(shown, ("1.234", "1.234", "1,234"), ("1.5", "2", "7"))
    assert sent == [
        {"TEXT": 1.234, "DECIMAL": 1.234, "WHOLE": 1234},
        {"TEXT": 1.5, "DECIMAL": 2, "WHOLE": 7},
    ]

    # A text is not written by the culture of the model, and nothing else shows its decimal mark.
    rows = ("1.234", "1.234", "5"), ("17", "2", "7"), ("１．２３４", "2", "7")
    run, sent = export(unclear, *rows, culture="de-DE")
    assert sent == [
        {"DECIMAL": 1234, "WHOLE": 5},
        {"TEXT": 17, "DECIMAL": 2, "WHOLE": 7},
        {"DECIMAL": 2, "WHOLE": 7},
    ]
    assert "2 numbers of the attribute “Text”" in texts(run)["decimalMarkUnknown"]
    outcomes = {row["email"]: row for row in scenario.outcomes(run)}
    assert outcomes[f"{unclear}0@example.com".lower()]["code"] == "valueDropped"
    assert outcomes[f"{unclear}0@example.com".lower()]["field"] == "TEXT"

    run, sent = export(unclear, ("1.234", "1.234", "5"), mark="comma", culture="de-DE")
    assert sent == [{"TEXT": 1234, "DECIMAL": 1234, "WHOLE": 5}]
    assert "decimalMarkUnknown" not in texts(run)


def test_numbers_of_a_parquet_file_have_a_decimal_point(
    scenario: ExportScenario, files: Files, tmp_path: Path
) -> None:
    gold = scenario.named("Gold")
    item = entity(gold, ["CustomerId", "EMail", "Price"], ["g.parquet"])
    query = "SELECT '1' AS CustomerId, 'p1@example.com' AS EMail, 1.234::DECIMAL(9, 3) AS Price"
    files.put("g.parquet", parquet_bytes(tmp_path, query))
    mapped = {
        "attribute": "price",
        "mergeField": "PRICE",
        "create": {"name": "Price", "type": "number"},
    }
    for data_type in ("string", "decimal"):
        item["attributes"][2]["dataType"] = data_type  # type: ignore[index]
        files.model(item, culture="de-DE")
        choice = {"name": gold, "tag": f"{gold} {data_type}"}
        scenario.define([choice], mapping={"email": "EMail", "attributes": [mapped]})
        scenario.run("full")
        assert scenario.audience.members()["p1@example.com"].merge_fields == {"PRICE": 1.234}


def test_a_form_that_nothing_shows_is_reported_before_the_field_exists(
    scenario: ExportScenario, files: Files
) -> None:
    gold = scenario.named("Gold")
    names = ["CustomerId", "EMail", "Price", "Born"]
    files.put("g.csv", csv_bytes([names, ["1", "p1@example.com", "1.234", "05/06/1980"]]))
    files.model(entity(gold, names, ["g.csv"]))
    mapped = [
        {"attribute": name, "mergeField": name.upper(), "create": {"name": name, "type": kind}}
        for name, kind in (("Price", "number"), ("Born", "date"))
    ]
    scenario.define([gold], mapping={"email": "EMail", "attributes": mapped})
    assert {"decimalMarkUnknown", "dateOrderUnknown"} <= texts(scenario.run("preview")).keys()


def test_different_rows_of_a_profile_are_reported(scenario: ExportScenario, files: Files) -> None:
    gold, silver = scenario.named("Gold"), scenario.named("Silver")
    files.put("a.csv", csv_bytes([NAMES, person(1, "Ann"), person(2), person(3)]))
    files.put("b.csv", csv_bytes([NAMES, person(1, "Bea"), person(2), ["9", *person(3)[1:]]]))
    files.put("s.csv", csv_bytes([NAMES, person(2, "Di")]))
    files.model(entity(gold, NAMES, ["a.csv", "b.csv"]), entity(silver, NAMES, ["s.csv"]))
    scenario.define([gold, silver], mapping=MAPPING)
    run = scenario.run()
    # Rows that are equal, rows of another profile and rows of another segment are not reported.
    assert texts(run)["differentRows"].startswith("1 profile has several rows")
    assert run["status"] == "successful"
    assert scenario.audience.members()["p1@example.com"].merge_fields["FNAME"] == "Ann"


def test_the_reason_for_an_unreadable_segment_is_shown_wherever_it_is_missing(
    scenario: ExportScenario, files: Files
) -> None:
    good, bad, hidden = (scenario.named(name) for name in ("Good", "Bad", "Hidden"))
    files.put("g.csv", csv_bytes([NAMES, person(1)]))
    files.model(
        entity(good, NAMES, ["g.csv"]),
        entity(bad, NAMES, ["g.csv"], fileFormatSettings={"delimiter": "||"}),
    )
    assert listed(scenario, good)["complete"] is True
    assert listed(scenario, bad)["reason"]["code"] == "delimiterUnusable"
    assert "||" in listed(scenario, bad)["reason"]["message"]
    assert listed(scenario, bad)["complete"] is False
    scenario.define([bad], mapping=MAPPING)
    run = scenario.run()
    assert (run["status"], run["reason"]["code"]) == ("failed", "delimiterUnusable")

    files.put("broken/model.json", b'{"entities": [')
    try:
        found = scenario.api.get("/api/segments")
        assert [(each["code"], each["severity"]) for each in found["findings"]] == [
            ("modelNotJson", "warning")
        ]
        assert f"{files.folder}/broken/model.json" in found["findings"][0]["message"]
        scenario.define([hidden], mapping=MAPPING)
        run = scenario.run()
        assert (run["status"], run["reason"]["code"]) == ("failed", "segmentMissingBeside")
        assert f"{files.folder}/broken/model.json is not valid JSON" in run["reason"]["message"]
        korean = scenario.api.call(
            "GET", f"/api/runs/{run['id']}", headers={"Accept-Language": "ko"}
        ).json()
        assert "올바른 JSON이 아닙니다" in korean["reason"]["message"]
    finally:
        with ContainerClient.from_connection_string(
            scenario.running_app.storage, SEGMENTS
        ) as client:
            client.delete_blob(f"{files.folder}/broken/model.json")


def test_a_plain_file_in_an_export_with_every_refresh_is_reported_at_save_and_in_the_run(
    scenario: ExportScenario, files: Files
) -> None:
    plain, described = scenario.named("Plain"), scenario.named("Described")
    files.put(f"{plain}/1.csv", csv_bytes([NAMES, person(1)]))
    files.put("with/d.csv", csv_bytes([NAMES, person(2)]))
    files.model(entity(described, NAMES, ["d.csv"]), folder="with/")
    schedule = {"enabled": True, "repeat": "everyRefresh"}
    saved = scenario.define([plain, described], mapping=MAPPING, schedule=schedule)
    path = f"/exports/{saved['id']}?done=saved"
    try:
        page = scenario.api.call("GET", path).text
        run = scenario.run()
    finally:
        scenario.api.call("DELETE", f"/api/exports/{saved['id']}")

    (message,) = (f["message"] for f in saved["findings"] if f["code"] == "refreshNotAnnounced")
    assert plain in message
    assert message in page
    assert texts(run)["refreshNotAnnounced"] == message


def test_o_and_x_are_answers_under_a_korean_name(scenario: ExportScenario, files: Files) -> None:
    gold = scenario.named("Gold")
    names = ["CustomerId", "EMail", "마케팅 수신동의", "Consent"]
    answers = ["O", "Ｏ", "○", "X", "×", ""]
    rows = [[f"{n:032x}", f"p{n}@example.com", each, each] for n, each in enumerate(answers)]
    files.put("g.csv", csv_bytes([names, *rows]))
    files.model(entity(gold, names, ["g.csv"]))

    def run_with(attribute: str) -> dict[str, Any]:
        new_contacts = {"status": "subscribed", "consentAttribute": attribute}
        segment = {"name": gold, "tag": f"{gold} {attribute}"}
        scenario.define([segment], mapping={"email": "EMail"}, newContacts=new_contacts)
        return scenario.run("preview")

    run = run_with(names[2])
    assert (run["counts"]["new"], "consentUnclear" in texts(run)) == (3, False)
    run = run_with(names[3])
    assert (run["counts"]["new"], "consentUnclear" in texts(run)) == (0, True)


def test_a_spreadsheet_error_is_an_empty_value_but_not_in_a_consent_attribute(
    scenario: ExportScenario, files: Files
) -> None:
    gold = scenario.named("Gold")
    names = ["CustomerId", "EMail", "FirstName", "OptOut"]
    answers = ["", "#N/A", "false", "true", "#REF!", "#WERT!", "#¿NOMBRE?"]
    rows = [[f"{n:032x}", f"p{n}@example.com", each, each] for n, each in enumerate(answers)]
    files.put("g.csv", csv_bytes([names, *rows]))
    files.model(entity(gold, names, ["g.csv"]))
    new_contacts = {"consentAttribute": "OptOut", "consentMeaning": "yesMustNotBeMailed"}
    mapping = {"email": "EMail", "firstName": "FirstName"}
    scenario.define([gold], mapping=mapping, newContacts=new_contacts)

    run = scenario.run()

    assert {a: m.merge_fields for a, m in scenario.audience.members().items()} == {
        "p0@example.com": {},
        "p1@example.com": {},
        "p2@example.com": {"FNAME": "false"},
    }
    assert texts(run)["consentUnclear"].startswith("3 rows have a value")
    assert texts(run)["nullMarkers"].startswith("5 cells")


def test_a_column_whose_name_has_several_lines_can_be_exported(
    scenario: ExportScenario, files: Files
) -> None:
    folder = scenario.named("Sheet")
    files.put(
        f"{folder}/a.csv", csv_bytes([["이메일\n주소", "First\r\nName"], ["p1@example.com", "Ann"]])
    )
    found = scenario.api.get(f"/api/attributes?segment={folder}")["value"]
    assert [each["name"] for each in found] == ["이메일 주소", "First Name"]
    scenario.define([folder], mapping={"email": "이메일 주소", "firstName": "First Name"})
    assert scenario.run()["status"] == "successful"
    assert scenario.audience.members()["p1@example.com"].merge_fields == {"FNAME": "Ann"}
