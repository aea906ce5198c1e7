"""Access of tests to the app's own storage."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

from azure.storage.blob import ContainerClient

from shared.app import App, build
from shared.settings import load
from tests import reused_databases

T = TypeVar("T")


def app_on(storage: str) -> App:
    """Build an app on this storage, in this process."""
    return build(load({"AzureWebJobsStorage": storage, "MAILCHIMP_API_URL": "http://127.0.0.1:9"}))


def blobs(storage: str, container: str, prefix: str = "") -> dict[str, bytes]:
    """Return the content of all blobs with a prefix, by name; {} without the container."""
    with ContainerClient.from_connection_string(storage, container) as client:
        if not client.exists():
            return {}
        names = list(client.list_blob_names(name_starts_with=prefix))
        return {name: client.download_blob(name).readall() for name in names}


def parquet_rows(data: bytes, folder: Path) -> list[tuple[object, ...]]:
    """Return the rows of a Parquet file."""

    local = folder / "read.parquet"
    local.write_bytes(data)
    with reused_databases.connect() as db:
        return db.execute("SELECT * FROM read_parquet(?)", [str(local)]).fetchall()
