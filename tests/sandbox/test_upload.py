"""Sample segments in Blob Storage, as Customer Insights writes them."""

import json
import uuid
from datetime import UTC, datetime
from pathlib import Path

import pytest
from azure.storage.blob import ContainerClient

from sandbox import samples
from sandbox.samples import Sample
from sandbox.upload import ModelAt, upload

WHEN = datetime(2026, 11, 1, 6, 30, tzinfo=UTC)
FOLDER = "CustomerInsights_abc/Export"


def test_later_refreshes_are_added_and_model_json_is_replaced(tmp_path: Path, storage: str) -> None:
    container = f"segments-{uuid.uuid4().hex}"
    sample = Sample(30)
    for day in (1, 2):
        samples.write(sample, tmp_path, WHEN.replace(day=day), partitions=2)
        upload(tmp_path, storage, container, FOLDER)
        sample = sample.later(changed=0.5)

    with ContainerClient.from_connection_string(storage, container) as client:
        names = sorted(client.list_blob_names())
        model = json.loads(client.download_blob(f"{FOLDER}/model.json").readall())
        url = client.url
    assert names == [
        f"{FOLDER}/Customers/2026/11/01/0630/Customers_1.csv",
        f"{FOLDER}/Customers/2026/11/01/0630/Customers_2.csv",
        f"{FOLDER}/Customers/2026/11/02/0630/Customers_1.csv",
        f"{FOLDER}/Customers/2026/11/02/0630/Customers_2.csv",
        f"{FOLDER}/model.json",
    ]
    assert [p["location"] for p in model["entities"][0]["partitions"]] == [
        f"{url}/{name}" for name in names[2:4]
    ]


@pytest.mark.parametrize(("at", "places"), [("first", [0]), ("last", [2]), ("never", [])])
def test_model_json_may_come_first_last_or_never(
    tmp_path: Path, storage: str, at: ModelAt, places: list[int]
) -> None:
    samples.write(Sample(10), tmp_path, WHEN, partitions=2)

    names = upload(tmp_path, storage, f"segments-{uuid.uuid4().hex}", FOLDER, model=at)

    assert [n for n, name in enumerate(names) if name.endswith("model.json")] == places
    assert len(names) == 2 + len(places)
