"""Sample segments are repeatable and well-formed, have the requested flaws, and match their expected contacts."""

import csv
import gzip
import json
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import jsonschema
import pytest

from sandbox import people, samples, wrap
from sandbox.cdm import Format
from sandbox.samples import DEMO, Flaws, Sample, Segment

SHARED = Path(__file__).parents[3] / "shared" / "samples"
WHEN = datetime(2026, 11, 1, 6, 30, tzinfo=UTC)
SMALL = Sample(
    people=400,
    segments=(Segment("Gold", 0.5), Segment("News", 0.7)),
    flaws=Flaws(missing=0.05, malformed=0.05, short=0.02, long=0.02, untidy=0.2, shared=0.2),
)


def read(root: Path, entity: str) -> list[list[str]]:
    """All rows of an entity, in the order of the partitions, without headers."""
    rows = []
    for path in sorted((root / entity).rglob("*.csv")):
        with path.open(encoding="utf-8-sig", newline="") as text:
            lines = list(csv.reader(text))
        assert lines[0][0] == "CustomerId"
        rows += lines[1:]
    return rows


def arrived(root: Path, sample: Sample) -> dict[str, set[str]]:
    """Address -> segments, read from the files by the rules of an export."""
    found: dict[str, set[str]] = {}
    for segment in sample.segments:
        for row in read(root, segment.name):
            if len(row) == 15:
                address = row[4].strip().lower()
                local, at, domain = address.partition("@")
                if local and at and "." in domain and "@" not in domain and " " not in address:
                    found.setdefault(address, set()).add(segment.name)
    return found


@pytest.mark.parametrize(
    "sample",
    [
        SMALL,
        SMALL.later(changed=0.1, arriving=30, leaving=20, moving=0.1),
        SMALL.later(arriving=5).later(moving=0.5, changed=0.5),
    ],
)
def test_the_expected_contacts_match_the_files(tmp_path: Path, sample: Sample) -> None:
    samples.write(sample, tmp_path, WHEN)

    expected = {e.address: set(e.segments) for e in samples.truth(sample)}
    found = arrived(tmp_path, sample)
    totals = samples.totals(sample)

    assert found == expected
    assert totals.distinct == len(found)
    assert totals.people == Counter(name for names in found.values() for name in names)
    assert totals.rows == {s.name: len(read(tmp_path, s.name)) for s in sample.segments}


def test_profiles_are_read_as_written(tmp_path: Path) -> None:
    samples.write(SMALL, tmp_path, WHEN)

    written = {
        row[0]: row for s in SMALL.segments for row in read(tmp_path, s.name) if len(row) == 15
    }
    for expected in samples.truth(SMALL):
        for profile in expected.profiles:
            row = written[profile.customer_id]
            assert (*row[:4], row[4].strip().lower(), *row[5:]) == tuple(profile)


def test_the_sample_contains_the_requested_faults(tmp_path: Path) -> None:
    samples.write(SMALL, tmp_path, WHEN)

    totals = samples.totals(SMALL)
    lengths = Counter(len(row) for row in read(tmp_path, "News"))
    addresses = [row[4] for row in read(tmp_path, "News") if len(row) == 15]

    assert lengths[3] == totals.rejected["News", samples.SHORT] > 0
    assert lengths[17] == totals.rejected["News", samples.LONG] > 0
    assert addresses.count("") == totals.rejected["News", samples.MISSING] > 0
    assert any(address != address.strip() for address in addresses)
    assert totals.shared > 0


def test_a_broken_row_affects_only_its_own_line(tmp_path: Path) -> None:
    sample = Sample(200, flaws=Flaws(broken=0.1))
    samples.write(sample, tmp_path, WHEN, partitions=1)

    text = next((tmp_path / "Customers").rglob("*.csv")).read_text(encoding="utf-8")
    broken = samples.totals(sample).rejected["Customers", samples.BROKEN]

    assert text.count('" and more') == broken > 0
    assert len(read(tmp_path, "Customers")) == 200


def test_the_same_sample_gives_the_same_files(tmp_path: Path) -> None:
    for name in ("one", "two"):
        samples.write(SMALL, tmp_path / name, WHEN)

    for path in (tmp_path / "one").rglob("*_*.csv"):
        twin = tmp_path / "two" / path.relative_to(tmp_path / "one")
        assert path.read_bytes() == twin.read_bytes()


def test_a_refresh_updates_the_listing() -> None:
    clean = Sample(2000, (Segment("Gold", 0.5), Segment("News", 0.7)))
    before = {e.address: e for e in samples.truth(clean)}
    later = clean.later(changed=0.05, arriving=40, leaving=30)
    after = {e.address: e for e in samples.truth(later)}

    stayed = before.keys() & after.keys()
    changed = sum(before[a].profiles != after[a].profiles for a in stayed)

    assert len(later.numbers) == 2010
    assert 0 < len(before.keys() - after.keys()) <= 30
    assert 0 < len(after.keys() - before.keys()) <= 40
    assert 0.03 < changed / len(stayed) < 0.07
    assert all(before[a].segments == after[a].segments for a in stayed)
    moved = {e.address: e for e in samples.truth(clean.later(moving=0.1))}
    assert any(moved[a].segments != before[a].segments for a in moved.keys() & before.keys())


@pytest.mark.parametrize(
    "how",
    [
        Format(),
        Format(bom=True, newline="\r\n"),
        Format(header=False, quoting="needed"),
        Format(kind="gzip"),
        Format(kind="parquet"),
    ],
)
def test_every_format_gives_the_same_rows(tmp_path: Path, how: Format) -> None:
    sample = Sample(60, seed=3)
    samples.write(sample, tmp_path, WHEN, how=how, partitions=2)

    paths = sorted((tmp_path / "Customers/2026/11/01/0630").iterdir())
    names = [f"Customers_1{how.suffix}", f"Customers_2{how.suffix}"]
    assert [path.name for path in paths] == names
    rows: list[Any] = []
    for path in paths:
        if how.kind == "parquet":
            with duckdb.connect() as database:
                found = database.read_parquet(str(path)).fetchall()
            rows += [[value or "" for value in row] for row in found]  # empty is null in Parquet
            continue
        data = path.read_bytes()
        data = gzip.decompress(data) if how.kind == "gzip" else data
        assert data.startswith(b"\xef\xbb\xbf") == how.bom
        assert data.endswith(how.newline.encode())
        lines = list(csv.reader(data.decode("utf-8-sig").splitlines(keepends=True)))
        assert (lines[0][0] == "CustomerId") == how.header
        rows += lines[1:] if how.header else lines
    assert [tuple(row) for row in rows] == [e.profiles[0] for e in samples.truth(sample)]


@pytest.mark.parametrize("how", [Format(), Format(declare_header=False), Format(kind="parquet")])
def test_model_json_is_valid(tmp_path: Path, how: Format) -> None:
    schema = SHARED / "modeljsonschema.json"
    if not schema.is_file():
        pytest.skip("Microsoft's schema of model.json is not here (../shared/samples)")
    samples.write(SMALL, tmp_path, WHEN, how=how)

    model = json.loads((tmp_path / "model.json").read_text(encoding="utf-8"))

    jsonschema.Draft7Validator(json.loads(schema.read_text(encoding="utf-8"))).validate(model)
    assert [entity["name"] for entity in model["entities"]] == ["Gold", "News"]
    settings = model["entities"][0]["partitions"][0].get("fileFormatSettings", {})
    assert settings.get("columnHeaders") == (True if how == Format() else None)


def test_a_second_refresh_keeps_the_first_folder(tmp_path: Path) -> None:
    samples.write(SMALL, tmp_path, WHEN)
    first = {path: path.read_bytes() for path in tmp_path.rglob("*_*.csv")}

    samples.write(SMALL.later(changed=0.5), tmp_path, WHEN.replace(day=2))

    model = (tmp_path / "model.json").read_text(encoding="utf-8")
    assert all(path.read_bytes() == content for path, content in first.items())
    assert "/2026/11/02/0630/" in model
    assert "/2026/11/01/0630/" not in model


def test_the_demo_has_about_fifty_thousand_people_in_overlapping_segments() -> None:
    totals = samples.totals(DEMO)

    assert 49_000 < totals.distinct < 51_000
    assert sum(totals.people.values()) > totals.distinct + 10_000
    assert {flaw for _, flaw in totals.rejected} == {"missing", "malformed", "short", "long"}
    assert totals.shared > 0


def test_any_csv_becomes_a_segment_with_exact_changes(tmp_path: Path) -> None:
    source = tmp_path / "loyal.csv"
    lines = [f"L{n},p{n}@example.com,{n}" for n in range(500)]
    source.write_text("\n".join(["Id,EMail,RewardPoints", *lines]), encoding="utf-8")

    table = wrap.read(source)
    later = wrap.later(table, email="EMail", change="RewardPoints", leaving=50, arriving=40)
    wrap.write({"Loyal": later}, tmp_path / "cdm", WHEN)

    before = {row[1]: row for row in table.rows}
    after = {row[1]: row for row in later.rows}
    assert len(before.keys() - after.keys()) == 50
    assert len(after.keys() - before.keys()) == 40
    assert sum(after[a] != before[a] for a in after.keys() & before.keys()) == 4  # 1% of 450
    assert len(list((tmp_path / "cdm").rglob("Loyal_*.csv"))) == 2


def test_microsofts_sample_becomes_a_segment(tmp_path: Path) -> None:
    source = SHARED / "Customer-Loyalty.txt"
    if not source.is_file():
        pytest.skip("Customer-Loyalty.txt is not here (../shared/samples)")

    people.main([str(tmp_path), "--csv", str(source), "--segment", "Loyalty", "--refreshes", "1"])

    rows = 0
    for path in tmp_path.rglob("Loyalty_*.csv"):
        with path.open(encoding="utf-8", newline="") as text:
            rows += len(list(csv.reader(text))) - 1
    assert rows == len(wrap.read(source).rows)


def test_the_command_line_writes_segments_and_the_expected_contacts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    truth = tmp_path / "truth.jsonl"
    options = ["--people", "50", "--segment", "A:0.5", "--segment", "B", "--truth", str(truth)]

    assert people.main([str(tmp_path / "cdm"), *options, "--missing", "0.1"]) == 0

    assert capsys.readouterr().out == "50 people, some in no segment; 2 segments\n"
    lines = [json.loads(line) for line in truth.read_text(encoding="utf-8").splitlines()]
    assert 0 < len(lines) < 50
    assert all("B" in line["segments"] for line in lines)
