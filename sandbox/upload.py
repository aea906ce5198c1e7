"""Uploads a CDM folder to Blob Storage as Customer Insights does: folders stay, model.json is replaced.

It is not documented whether model.json comes first or last, so both are possible.
https://learn.microsoft.com/azure/storage/blobs/storage-blob-upload-python
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from azure.core.exceptions import ResourceExistsError
from azure.storage.blob import ContainerClient

ModelAt = Literal["first", "last", "never"]


def upload(
    root: Path,
    connection_string: str,
    container: str,
    folder: str = "CustomerInsights_sandbox/SegmentExport",
    *,
    model: ModelAt = "last",
) -> list[str]:
    """Upload `<root>/model.json` and the files it lists; returns the blob names in the order of writing.

    Locations in model.json are rewritten to where the blobs are now. The container is created if it does not exist.
    """
    client = ContainerClient.from_connection_string(connection_string, container)
    with client:
        with contextlib.suppress(ResourceExistsError):
            client.create_container()
        return list(_uploaded(client, root, folder.strip("/"), model))


def _uploaded(client: ContainerClient, root: Path, folder: str, at: ModelAt) -> Iterator[str]:
    listed = sorted(
        path.relative_to(root).as_posix() for path in root.rglob("*_*.*") if path.is_file()
    )
    content = json.loads((root / "model.json").read_text(encoding="utf-8"))
    wanted: list[str] = []
    for entity in content["entities"]:
        for partition in entity["partitions"]:
            name = next(path for path in listed if partition["location"].endswith(f"/{path}"))
            partition["location"] = f"{client.url}/{folder}/{name}"
            wanted.append(name)
    final = json.dumps(content, indent=2).encode()
    if at == "first":
        yield _put(client, f"{folder}/model.json", final)
    for name in wanted:
        with (root / name).open("rb") as data:
            client.upload_blob(f"{folder}/{name}", data, overwrite=True, max_concurrency=2)
        yield f"{folder}/{name}"
    if at == "last":
        yield _put(client, f"{folder}/model.json", final)


def _put(client: ContainerClient, name: str, content: bytes) -> str:
    client.upload_blob(name, content, overwrite=True)
    return name
