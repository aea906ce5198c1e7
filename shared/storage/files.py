"""Blobs of one container, by name.

Uploads and downloads of local files hold two blocks (4 MB each) in memory. A blob written with
`once` never changes. The container is created by the first write.
https://learn.microsoft.com/rest/api/storageservices/blob-service-rest-api
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Iterator
from http import HTTPStatus
from pathlib import Path
from typing import Any

from azure.core import MatchConditions
from azure.core.exceptions import (
    HttpResponseError,
    ResourceExistsError,
    ResourceModifiedError,
    ResourceNotFoundError,
)
from azure.storage.blob import BlobClient, ContainerClient

from shared.errors import Changed, Conflict, InputError, NotFound
from shared.storage.clients import StorageClients
from shared.storage.failures import azure_errors, error_code, read_pages

_WRITE = "write"
_UPDATE_TRIES = 20
# A second block is on its way while storage answers for the first one.
_BLOCKS_AT_ONCE = 2
_NAME = re.compile(r"[^\x00-\x1f\x7f\\]{1,1024}")


def _random_id() -> str:
    return uuid.uuid4().hex


class BlobFiles:
    """Implements Files for one container. InputError when a name is not a relative path."""

    def __init__(
        self,
        clients: StorageClients,
        container: str = "state",
    ) -> None:
        self._clients = clients
        self._name = container

    def write(self, name: str, data: bytes, *, once: bool = False) -> None:
        """Write a blob. With `once`, Conflict when it exists."""
        blob = self._blob(name)
        write = _random_id()

        def put() -> None:
            blob.upload_blob(data, overwrite=not once, metadata={_WRITE: write})

        with azure_errors(self._name):
            try:
                with_container(self._container, put)
            except ResourceExistsError as error:
                if error_code(error) != "BlobAlreadyExists":
                    raise
                # After a lost response the SDK retries and finds the blob that it wrote itself.
                if self._wrote(blob, write):
                    return
                raise Conflict("fileExists", container=self._name) from None

    def read(self, name: str, start: int = 0, length: int | None = None) -> bytes:
        """Read a blob, or `length` bytes from `start`. NotFound when it does not exist.

        Returns fewer bytes where the blob ends earlier.
        """
        blob = self._blob(name)
        if length is not None and length <= 0:
            return b""
        with azure_errors(self._name):
            try:
                return blob.download_blob(offset=start, length=length).readall()
            except HttpResponseError as error:
                if error.status_code != HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
                    raise
                return b""

    def update(self, name: str, change: Callable[[bytes], bytes | None]) -> None:
        """Replace a small blob by `change` of its content; None leaves it unchanged.

        `change` is called again when another process wrote the blob in between. NotFound when it does
        not exist.
        """
        blob = self._blob(name)
        for _ in range(_UPDATE_TRIES):
            write = _random_id()
            with azure_errors(self._name):
                stored = blob.download_blob()
                etag = stored.properties.etag
                data = change(stored.readall())
                if data is None:
                    return
                try:
                    blob.upload_blob(
                        data,
                        overwrite=True,
                        metadata={_WRITE: write},
                        **_unless_modified(etag),
                    )
                except ResourceModifiedError:
                    # After a lost response the SDK retries and finds its own result.
                    if self._wrote(blob, write):
                        return
                    continue
                return
        raise Changed("storageChanged", resource=self._name)

    def upload(self, path: Path, name: str, etag: str | None = None) -> None:
        """Upload a local file in blocks. Changed when `etag` is given and no longer matches."""
        blob = self._blob(name)
        write = _random_id()
        condition = {} if etag is None else _unless_modified(etag)

        def put() -> None:
            with path.open("rb") as source:
                blob.upload_blob(
                    source,
                    length=path.stat().st_size,
                    overwrite=True,
                    max_concurrency=_BLOCKS_AT_ONCE,
                    metadata={_WRITE: write},
                    **condition,
                )

        try:
            with azure_errors(self._name):
                try:
                    with_container(self._container, put)
                except ResourceModifiedError:
                    # After a lost response the SDK retries and finds its own result.
                    if not self._wrote(blob, write):
                        raise
        except NotFound:
            if etag is None:
                raise
            # The blob was deleted.
            raise Changed("storageChanged", resource=self._name) from None

    def download(self, name: str, path: Path) -> str:
        """Download a blob to a local file in blocks. Returns its ETag. NotFound when it does not exist.

        The file appears only when it is complete.
        """
        blob = self._blob(name)
        partial = path.with_name(f"{path.name}.{_random_id()}.part")
        try:
            with azure_errors(self._name), partial.open("wb") as target:
                stored = blob.download_blob(max_concurrency=_BLOCKS_AT_ONCE)
                stored.readinto(target)
            partial.replace(path)
            return str(stored.properties.etag)
        finally:
            partial.unlink(missing_ok=True)

    def names(self, prefix: str) -> Iterator[str]:
        """List the names of the blobs with a prefix, in order."""
        with azure_errors(self._name):
            pages = self._container.list_blob_names(name_starts_with=prefix or None).by_page()
        for names in read_pages(pages, self._name):
            yield from names

    def delete(self, name: str) -> None:
        """Delete a blob; does nothing when it does not exist."""
        blob = self._blob(name)
        with azure_errors(self._name):
            try:
                blob.delete_blob(delete_snapshots="include")
            except ResourceNotFoundError:
                return

    @property
    def _container(self) -> ContainerClient:
        return self._clients.container(self._name)

    def _blob(self, name: str) -> BlobClient:
        parts = name.split("/")
        if not _NAME.fullmatch(name) or not all(parts) or {".", ".."} & set(parts):
            raise InputError("fileNameInvalid", container=self._name)
        return self._container.get_blob_client(name)

    def _wrote(self, blob: BlobClient, write: str) -> bool:
        return (blob.get_blob_properties().metadata or {}).get(_WRITE) == write


def _unless_modified(etag: str) -> dict[str, Any]:
    """The arguments that make an upload conditional."""
    return {"etag": etag, "match_condition": MatchConditions.IfNotModified}


def with_container(container: ContainerClient, write: Callable[[], None]) -> None:
    """Write; create the container and write again when it does not exist."""
    try:
        write()
    except ResourceNotFoundError as error:
        if error_code(error) != "ContainerNotFound":
            raise
    else:
        return
    try:
        container.create_container()
    except ResourceExistsError as error:
        if error_code(error) != "ContainerAlreadyExists":
            raise
    write()
