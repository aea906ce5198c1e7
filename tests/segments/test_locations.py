"""A location names a blob of our container or is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import ConfigError
from shared.segments.finding.locations import blob_names

OURS = "https://landing.blob.core.windows.net/segments"
AZURITE = "http://127.0.0.1:10000/devstoreaccount1/segments"
MODEL = "CustomerInsights_1/Export/model.json"


def name_of(location: str, container: str = OURS, model: str = MODEL) -> str:
    return blob_names(location, container, model, "Gold, P1")[0]


@pytest.mark.parametrize(
    ("location", "name"),
    [
        (f"{OURS}/a/Gold_1.csv", "a/Gold_1.csv"),
        ("https://landing.dfs.core.windows.net/segments/a/Gold_1.csv", "a/Gold_1.csv"),
        ("abfss://segments@landing.dfs.core.windows.net/a/Gold_1.csv", "a/Gold_1.csv"),
        ("ABFS://segments@LANDING.dfs.core.windows.net/한 글.csv?sig=x", "한 글.csv"),
        ("wasbs://segments@landing.blob.core.windows.net/a.csv", "a.csv"),
        ("https://LANDING.blob.core.windows.net:443/segments/a.csv", "a.csv"),
        (f"{OURS}/a.csv?snapshot=2018-11-14T19:37:51.7526830Z", "a.csv"),
        (f"{OURS}/a.csv?sv=2020&sig=x", "a.csv"),
        (f"{OURS}/Gold%20people/%ED%95%9C.csv", "Gold people/한.csv"),
        (f"{OURS}/100%.csv", "100%.csv"),
        (f"{OURS}/a%2520b.csv", "a%20b.csv"),
        (
            "Gold/2020/08/24/1433/Gold_1.csv",
            "CustomerInsights_1/Export/Gold/2020/08/24/1433/Gold_1.csv",
        ),
        (" Gold_1.csv ", "CustomerInsights_1/Export/Gold_1.csv"),
    ],
)
def test_locations_of_our_container_become_blob_names(location: str, name: str) -> None:
    assert name_of(location) == name


def test_a_name_next_to_a_model_at_the_root_is_at_the_root() -> None:
    assert name_of("Gold_1.csv", model="model.json") == "Gold_1.csv"


def test_the_local_emulator_has_its_account_in_the_path() -> None:
    assert name_of(f"{AZURITE}/a/b.csv", AZURITE) == "a/b.csv"


@pytest.mark.parametrize(
    "location",
    [
        "",
        "https://other.blob.core.windows.net/segments/a.csv",
        "https://landing.blob.core.windows.net/other/a.csv",
        "https://landing.blob.core.windows.net/segments",
        "https://landing.blob.core.windows.net/segments/",
        "https://landing.blob.core.windows.net/segmentsx/a.csv",
        "https://landing.file.core.windows.net/segments/a.csv",
        "https://landing.blob.core.windows.net.evil.example/segments/a.csv",
        "https://landing.blob.core.chinacloudapi.cn/segments/a.csv",
        "https://landing.blob.core.windows.net@evil.example/segments/a.csv",
        "https://user:x@landing.blob.core.windows.net/segments/a.csv",
        "https://landing.blob.core.windows.net:8443/segments/a.csv",
        "https://landing.blob.core.windows.net:99999/segments/a.csv",
        "http://landing.blob.core.windows.net/segments/a.csv",
        "http://169.254.169.254/metadata/instance",
        "http://127.0.0.1:10000/devstoreaccount1/segments/a.csv",
        "https://data.contoso.com/segments/a.csv",
        "//landing.blob.core.windows.net/segments/a.csv",
        "abfss://segments@other.dfs.core.windows.net/a.csv",
        "abfss://other@landing.dfs.core.windows.net/a.csv",
        "abfss://@landing.dfs.core.windows.net/segments/a.csv",
        "abfss://segments:x@landing.dfs.core.windows.net/a.csv",
        "abfss://segments@landing.dfs.core.windows.net",
        "abfss://segments@landing.dfs.core.windows.net/../other/a.csv",
        "abfss://landing.dfs.core.windows.net/segments/a.csv",
        "adl://landing.azuredatalakestore.net/a.csv",
        "https://onelake.dfs.fabric.microsoft.com/segments/a.csv",
        "file:///etc/passwd",
        "/etc/passwd",
        "../other/a.csv",
        "a/../../b.csv",
        "a\\b.csv",
        "%2e%2e/b.csv",
        f"{OURS}/a%2Fb.csv",
        f"{OURS}/a%5cb.csv",
        f"{OURS}/a%252fb.csv",
        f"{OURS}/%2e%2e/b.csv",
        f"{OURS}/a%00.csv",
        f"{OURS}/a%0d%0ab.csv",
        f"{OURS}/a\nb.csv",
        f"{OURS}/%ff.csv",
        f"{OURS}/{'a' * 1100}.csv",
        "https://[::1/segments/a.csv",
    ],
)
def test_any_other_location_is_refused_with_entity_and_partition(location: str) -> None:
    with pytest.raises(ConfigError, match="Gold, P1") as caught:
        name_of(location)
    assert caught.value.code == "locationRefused"
    assert caught.value.values["expected"] == OURS
    assert OURS in str(caught.value)


def test_a_refused_location_is_shown_without_its_secrets() -> None:
    with pytest.raises(ConfigError) as caught:
        name_of("https://user:word@other.blob.core.windows.net/segments/a.csv?sig=secret")
    shown = caught.value.values["location"]
    assert shown == "https://other.blob.core.windows.net/segments/a.csv"
    assert "word" not in str(caught.value)
    assert "secret" not in str(caught.value)


def test_a_refused_location_shows_its_container() -> None:
    location = "abfss://other@landing.dfs.core.windows.net/a.csv"
    with pytest.raises(ConfigError, match=location):
        name_of(f"{location}?sig=secret")


@pytest.mark.parametrize(
    ("location", "names"),
    [
        (
            "./Gold.csv",
            ["CustomerInsights_1/Export/./Gold.csv", "CustomerInsights_1/Export/Gold.csv"],
        ),
        (f"{OURS}/a//Gold.csv", ["a//Gold.csv", "a/Gold.csv"]),
        (f"{OURS}/Gold #1.csv", ["Gold #1.csv"]),
        (f"{OURS}/Gold%231.csv", ["Gold#1.csv"]),
        (f"{OURS}/Gold%201.csv", ["Gold 1.csv", "Gold%201.csv"]),
    ],
)
def test_all_possible_names_of_a_location_are_returned(location: str, names: list[str]) -> None:
    assert list(blob_names(location, OURS, MODEL, "here")) == names


@given(st.text(max_size=60))
def test_no_location_leaves_the_container(text: str) -> None:
    for location in (text, f"{OURS}/{text}", f"https://{text}/segments/a.csv"):
        try:
            name = name_of(location)
        except ConfigError:
            continue
        assert ".." not in name.split("/")
        assert not name.startswith("/")
        assert name.isprintable() or not any(ord(each) < 32 for each in name)
