"""The catalogue of segments and attributes."""

import cProfile
import gzip
import pstats
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from shared.errors import InputError, NotFound, Unavailable
from shared.model.source import Attribute, CsvFormat
from shared.segments.choosing.catalogue import Catalogue
from shared.segments.container import BlobEntry, LandingContainer
from shared.segments.finding.model_json import read_model
from shared.segments.suggestions import looks_like_addresses, suggest
from shared.segments.weighted_cache import WeightedCache
from tests import reused_databases
from tests.segments.landing import ROOT, Landing
from tests.segments.segment_files import (
    csv_bytes,
    entity,
    load_bytes,
    model_json,
)
from tests.segments.small_csv_files import counted

PEOPLE = [["CustomerId", "EMail"], *([f"{n}", f"p{n}@example.com"] for n in range(1, 8))]


class Remembered:
    """Counts kept in memory, and how often they were read and written."""

    def __init__(self) -> None:
        self.kept: dict[str, int] = {}
        self.reads = 0
        self.writes = 0

    def read(self) -> dict[str, int]:
        self.reads += 1
        return dict(self.kept)

    def write(self, counts: Mapping[str, int]) -> None:
        self.kept = dict(counts)
        self.writes += 1


def catalogue(landing: Landing, counts: Remembered | None = None, **more: Any) -> Catalogue:
    return Catalogue(landing.container, "", counts or Remembered(), **more)


def test_segments_have_their_size_age_and_name(landing: Landing) -> None:
    landing.put(f"{ROOT}/Gold_1.csv", csv_bytes(PEOPLE))
    landing.put(f"{ROOT}/Gold_2.csv.gz", gzip.compress(csv_bytes(PEOPLE)))
    landing.model(
        entity("Gold", PEOPLE[0], ["Gold_1.csv", "Gold_2.csv.gz"], friendlyName="Gold members"),
        entity("Empty", PEOPLE[0], []),
    )
    empty, gold = catalogue(landing).listing().segments
    assert (gold.name, gold.display_name, gold.member_count) == ("Gold", "Gold members", 14)
    assert gold.complete
    assert gold.refreshed_at is not None
    assert (empty.name, empty.member_count, empty.complete) == ("Empty", 0, True)


def test_a_segment_that_is_being_written_is_shown_as_incomplete(landing: Landing) -> None:
    landing.model(entity("Gold", PEOPLE[0], ["Gold_1.csv"]))
    (gold,) = catalogue(landing).listing().segments
    assert (gold.member_count, gold.complete) == (None, False)


@pytest.mark.parametrize(
    ("hours", "code"), [(0, "refreshIncomplete"), (2, "filesMissing")], ids=["new", "old"]
)
def test_a_segment_says_which_files_are_missing(landing: Landing, hours: int, code: str) -> None:
    landing.model(entity("Gold", ["EMail"], ["Gold_1.csv"]))
    found = catalogue(landing, now=lambda: datetime.now(UTC) + timedelta(hours=hours))
    [gold] = found.listing().segments
    assert gold.reason is not None
    assert (gold.complete, gold.reason.code) == (False, code)
    assert gold.reason.values["files"] == f"{ROOT}/Gold_1.csv"


def test_a_sample_has_the_values_of_the_first_chosen_segment(landing: Landing) -> None:
    for name, city in (("Gold", "Seoul"), ("Silver", "Busan")):
        rows = [
            ["CustomerId", "EMail", "City"],
            *([str(n), "a@example.com", city] for n in range(300)),
        ]
        landing.put(f"{ROOT}/{name}.csv", csv_bytes(rows))
    columns = ["CustomerId", "EMail", "City"]
    landing.model(
        entity("Empty", columns, []),
        *(entity(name, columns, [f"{name}.csv"]) for name in ("Gold", "Silver")),
    )
    found = catalogue(landing)
    sample = found.sample(["Empty", "Silver"])
    assert sample is not None
    assert sample.segment == "Silver"
    assert sample.values["City"] == ["Busan"] * 300
    other = found.sample(["Gone"])
    assert other is not None
    assert other.segment == "Gold"


def test_a_sample_is_read_with_the_delimiter_and_the_columns_of_the_file(landing: Landing) -> None:
    rows = [["City", "EMail", "CustomerId"], ["Seoul, Korea", "a@example.com", "1"]]
    landing.put(f"{ROOT}/Gold.csv", b"all members\n" + csv_bytes(rows, delimiter=";"))
    landing.put(f"{ROOT}/Empty.csv", csv_bytes([rows[0]]))
    landing.model(entity("Gold", ["CustomerId", "EMail", "City"], ["Empty.csv", "Gold.csv"]))
    sample = catalogue(landing).sample(["Gold"])
    assert sample is not None
    assert sample.values == {
        "CustomerId": ["1"],
        "EMail": ["a@example.com"],
        "City": ["Seoul, Korea"],
    }


class Counted:
    """A container that counts what is asked of it."""

    def __init__(self, container: LandingContainer) -> None:
        self._container = container
        self.url = container.url
        self.asked: Counter[str] = Counter()

    def entries(self, prefix: str = "") -> Iterator[BlobEntry]:
        self.asked["list"] += 1
        return self._container.entries(prefix)

    def read(self, entry: BlobEntry, limit: int) -> bytes:
        self.asked["read"] += 1
        return self._container.read(entry, limit)

    def pieces(self, name: str, etag: str, length: int | None = None) -> Iterator[bytes]:
        self.asked["pieces"] += 1
        return self._container.pieces(name, etag, length)


def test_three_hundred_unchanged_segments_are_listed_from_one_listing_of_blobs(
    landing: Landing,
) -> None:
    names = ["CustomerId", "EMail", *(f"Attribute{n}" for n in range(100))]
    data = csv_bytes([names, ["1", "a@example.com", *["x"] * 100]])
    for n in range(60):
        landing.put(f"{ROOT}/Shared_{n}.csv", data)
        landing.put(f"Plain{n % 5}/Plain{n % 5}_{n}.csv", data)
    entities = [entity(f"S{n}", names, [f"Shared_{n % 60}.csv"]) for n in range(300)]
    landing.model(*entities)
    for n in range(65):
        landing.model(entity(f"M{n}", names, []), folder=f"More/{n}")
    counts = Remembered()
    counted = Counted(landing.container)
    found = Catalogue(cast("LandingContainer", counted), "", counts)
    listing, attributes = found.overview()
    assert (len(listing.segments), len(attributes)) == (370, 102)
    counted.asked.clear()
    counts.kept.clear()
    profile = cProfile.Profile()
    again, _ = profile.runcall(found.overview)
    assert again == listing
    assert dict(counted.asked) == {"list": 1}
    assert (counts.reads, counts.writes) == (1, 1)
    # Calls of our own functions, because seconds differ between machines; there are about 19,000.
    calls = pstats.Stats(profile).stats.items()  # type: ignore[attr-defined]
    assert 0 < sum(times for (file, _, _), (_, times, *_) in calls if "/shared/" in file) < 25_000


def test_a_cache_is_bounded_by_weight() -> None:
    cache: WeightedCache[str] = WeightedCache(10)
    for name in ("a", "b", "c"):
        cache.put(name, name, 3)
    assert cache.get("a") == "a"
    cache.put("d", "d", 3)
    assert [cache.get(name) for name in "abcd"] == ["a", None, "c", "d"]
    cache.put("a", "huge", 11)
    assert cache.get("a") is None
    cache.put("e", "e", 10)
    assert [cache.get(name) for name in "cde"] == [None, None, "e"]


def test_a_large_model_takes_little_memory_because_its_attributes_are_shared() -> None:
    names = [f"Attribute number {n} of the unified profile" for n in range(300)]
    data = model_json(*(entity(f"S{n}", names, ["x.csv"]) for n in range(100)))
    assert len(data) > 2_000_000
    model = read_model(data, "m")
    assert len({id(each.attributes) for each in model.entities}) == 1
    assert model.weight < 250_000


def test_the_profile_table_and_tables_without_people_are_not_segments(landing: Landing) -> None:
    landing.model(
        entity("Customer", ["CustomerId", "EMail"], []),
        entity("Measure", ["Region", "Sum"], []),
        entity("Keyed", ["Id"], [], annotations=[{"name": "c360:PrimaryKey", "value": "Id"}]),
        entity("Mailing", ["E-Mail"], []),
    )
    assert [each.name for each in catalogue(landing).listing().segments] == ["Keyed", "Mailing"]


class ReplacedAfterListing(LandingContainer):
    """A container in which someone writes a blob again as soon as it is listed."""

    replaced = ""

    def entries(self, prefix: str = "") -> Iterator[BlobEntry]:
        yield from super().entries(prefix)
        content = self._client.download_blob(self.replaced).readall()
        self._client.upload_blob(self.replaced, content, overwrite=True)


@pytest.mark.parametrize("replaced", [f"{ROOT}/model.json", "Plain.csv"])
def test_attributes_can_be_requested_again_if_a_file_is_replaced_while_it_is_read(
    landing: Landing, replaced: str
) -> None:
    landing.put("Plain.csv", csv_bytes(PEOPLE))
    landing.model(entity("Gold", PEOPLE[0], []))
    container = ReplacedAfterListing(landing.client)
    container.replaced = replaced
    found = Catalogue(container, "", Remembered())
    with pytest.raises(Unavailable, match="replaced while the app read it") as raised:
        found.attributes("Plain")
    assert raised.value.retry_after


def test_rows_of_an_unchanged_file_are_counted_once(landing: Landing) -> None:
    counts = Remembered()
    landing.put("Gold.csv", csv_bytes(PEOPLE))
    assert catalogue(landing, counts).listing().segments[0].member_count == 7
    assert catalogue(landing, counts).listing().segments[0].member_count == 7
    assert (counts.reads, counts.writes) == (2, 1)
    landing.put("Gold.csv", csv_bytes(PEOPLE[:3]))
    assert catalogue(landing, counts).listing().segments[0].member_count == 2


def test_the_number_of_counted_files_per_call_is_limited(landing: Landing) -> None:
    counts = Remembered()
    for name in ("A", "B", "C"):
        landing.put(f"{name}.csv", csv_bytes(PEOPLE))
    limited = catalogue(landing, counts, counted_per_call=10)
    assert [each.member_count for each in limited.listing().segments] == [7, None, None]
    assert [each.member_count for each in limited.listing().segments] == [7, 7, None]
    assert [each.member_count for each in limited.listing().segments] == [7, 7, 7]


def test_the_files_of_a_large_segment_are_counted_in_several_calls(landing: Landing) -> None:
    counts = Remembered()
    files = [f"Gold/Gold_{n}.csv" for n in range(1, 31)]
    for name in files:
        landing.put(name, csv_bytes(PEOPLE))
    # Small files count as half a megabyte, because each takes time.
    limited = 6 * 1024 * 1024
    found = [
        catalogue(landing, counts, counted_per_call=limited).listing().segments[0].member_count
        for _ in range(4)
    ]
    assert found == [None, None, 7 * len(files), 7 * len(files)]
    # One number is stored in the end, however many files there are.
    assert list(counts.kept.values()) == [7 * len(files)]
    landing.put(files[0], csv_bytes(PEOPLE[:3]))
    assert catalogue(landing, counts).listing().segments[0].member_count == 7 * len(files) - 5


def test_an_unreadable_file_does_not_hide_the_others(landing: Landing) -> None:
    landing.put("Bad.csv", b"\x1f\x8bnot gzip")
    landing.put("Gold.csv", csv_bytes(PEOPLE))
    assert [(each.name, each.member_count) for each in catalogue(landing).listing().segments] == [
        ("Bad", None),
        ("Gold", 7),
    ]


def test_attributes_have_types_and_suggestions(landing: Landing) -> None:
    item = entity("Gold", ["CustomerId", "EMail", "FirstName", "Surname"], [])
    item["attributes"].append({"name": "Points", "dataType": "int64"})
    landing.model(item)
    assert [
        (a.name, a.data_type, a.suggested_for) for a in catalogue(landing).attributes("Gold")
    ] == [
        ("CustomerId", "string", None),
        ("EMail", "string", "email"),
        ("FirstName", "string", "firstName"),
        ("Surname", "string", "lastName"),
        ("Points", "int64", None),
    ]


def test_attributes_of_all_segments_are_listed_once(landing: Landing) -> None:
    landing.model(entity("A", ["CustomerId", "EMail"], []), entity("B", ["CustomerId", "City"], []))
    landing.put("Plain.csv", b"CustomerId,Shoe size\n1,43\n")
    names = [each.name for each in catalogue(landing).attributes()]
    assert names == ["CustomerId", "EMail", "City", "Shoe size"]


def test_values_identify_the_address_column_if_names_do_not(landing: Landing) -> None:
    landing.put("Gold.csv", csv_bytes([["Key", "Contact"], *PEOPLE[1:]]))
    assert [a.suggested_for for a in catalogue(landing).attributes("Gold")] == [None, "email"]


def test_an_unknown_segment_is_not_found(landing: Landing) -> None:
    landing.model(entity("Customer", ["CustomerId"], []))
    with pytest.raises(NotFound):
        catalogue(landing).attributes("Customer")


def test_a_segment_without_a_header_is_marked_so(landing: Landing) -> None:
    landing.put("Gold.csv", b",,\n1,2,3\n")
    with pytest.raises(InputError, match=r"Gold\.csv"):
        catalogue(landing).attributes("Gold")


@pytest.mark.parametrize(
    ("names", "email"),
    [
        (["Mail", "EMail"], "Mail"),
        (["EMailAddress1"], "EMailAddress1"),
        (["DoNotEmail", "email_address"], "email_address"),
        (["Loyalty_Loyalty_EMail"], "Loyalty_Loyalty_EMail"),
        (["이메일 주소"], "이메일 주소"),
        (["EmailOptIn", "LastEmail", "City"], None),
    ],
)
def test_address_columns_are_recognized_by_name(names: list[str], email: str | None) -> None:
    found = {role: name for name, role in suggest([Attribute(each) for each in names]).items()}
    assert found.get("email") == email


def test_the_semantic_type_overrides_the_name() -> None:
    attributes = [Attribute("EMail"), Attribute("Contact", "string", "Identity.Service.Email")]
    assert suggest(attributes) == {"Contact": "email"}


def test_a_boolean_is_never_an_address() -> None:
    assert suggest([Attribute("Email", "boolean")]) == {}


def test_korean_column_names_are_recognized() -> None:
    assert suggest([Attribute("성"), Attribute("이름")]) == {"이름": "firstName", "성": "lastName"}


def test_a_column_with_mostly_addresses_is_suggested_as_address() -> None:
    assert looks_like_addresses(["a@example.com", "", "b@example.com", "x"])
    assert not looks_like_addresses(["a@example.com", "x", "y"])
    assert not looks_like_addresses([])


texts = st.lists(
    st.sampled_from(
        [
            *("a", "b", ",", '"', '""', "\n", "\r\n", "é", "name,other\n", '"x\ny"', ";"),
            *("name;other\n", " ", "\t", "\x1a", "\0", "\u3000", "\u2028"),
        ]
    ),
    max_size=20,
).map("".join)


@given(texts, st.booleans(), st.sampled_from([None, False, True]), st.booleans())
@example('"\n"', True, None, False)
@example("name,other\n1,a\n\x1a", True, None, False)
@example('name,other\n  \r\n \r\n"\u3000"\n\n1,a\n\0\n', True, None, False)
@example("name\tother\n1\ta\n\t\n", True, None, False)
@example("\r\r\nname,other\n1,a\n\r\r\n2,b\n", True, None, False)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)
def test_counting_finds_as_many_rows_as_the_reader(
    tmp_path: Path, text: str, quoted: bool, header: bool | None, packed: bool
) -> None:
    data = gzip.compress(text.encode()) if packed else text.encode()
    form = CsvFormat(header=header, quoted=quoted)
    try:
        rows, unreadable = load_bytes(data, ["name", "other"], tmp_path, form)
    except InputError as error:
        if error.code == "columnMissing":
            return  # counting needs no column
        with pytest.raises(InputError):
            counted(data, ["name", "other"], form, 7)
        return
    assert counted(data, ["name", "other"], form, 7) == len(rows) + len(unreadable)


def test_parquet_rows_are_counted(tmp_path: Path) -> None:
    with reused_databases.connect() as connection:
        connection.execute(f"COPY (SELECT range AS a FROM range(4321)) TO '{tmp_path}/p.parquet'")
    assert counted((tmp_path / "p.parquet").read_bytes(), ["a"], CsvFormat(), 10_000) == 4321
