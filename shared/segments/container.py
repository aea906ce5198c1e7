"""Read-only access to the landing container: list blobs, read small ones whole and large ones in pieces.

Reading is pinned to an ETag, so a file that is replaced or deleted during the read is an error (Changed) and never a
mixture of both. SDK errors are translated here (see errors.py).
https://learn.microsoft.com/rest/api/storageservices/get-blob
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from azure.core import MatchConditions
from azure.core.exceptions import (
    AzureError,
    ClientAuthenticationError,
    HttpResponseError,
    ResourceModifiedError,
    ResourceNotFoundError,
)
from azure.storage.blob import ContainerClient

from shared.errors import Changed, ConfigError, InputError, Unavailable

# Seconds the service may take for one page or one piece: less than the client waits for it (storage/clients.py).
_TIMEOUT = 45


@dataclass(frozen=True)
class BlobEntry:
    """A blob in a listing."""

    name: str
    etag: str
    size: int
    modified_at: datetime


class LandingContainer:
    """The container that Customer Insights writes to."""

    def __init__(self, client: ContainerClient) -> None:
        self._client = client

    @property
    def url(self) -> str:
        """The container's own address, without a signature."""
        return str(self._client.url).partition("?")[0]

    @property
    def account(self) -> str:
        """The storage account's name, as Event Grid has it in its topics."""
        return str(self._client.account_name)

    @property
    def name(self) -> str:
        """The container's name."""
        return str(self._client.container_name)

    def etag(self, name: str) -> str | None:
        """The ETag that a blob has now; None when it does not exist."""
        try:
            with _translated(name):
                blob = self._client.get_blob_client(name)
                return _bare(blob.get_blob_properties(timeout=_TIMEOUT).etag)
        except Changed:
            return None

    def entries(self, prefix: str = "") -> Iterator[BlobEntry]:
        """All blobs below a prefix, in the order of their names; folders are omitted."""
        with _translated(prefix or "the landing container"):
            pages = self._client.list_blobs(
                name_starts_with=prefix or None, include=["metadata"], timeout=_TIMEOUT
            )
            for blob in pages:
                if _is_folder(blob.metadata or {}):
                    continue
                yield BlobEntry(
                    name=str(blob.name),
                    etag=_bare(blob.etag),
                    size=int(blob.size or 0),
                    modified_at=_utc(blob.last_modified),
                )

    def read(self, entry: BlobEntry, limit: int) -> bytes:
        """A small blob. InputError when it is larger than `limit`, Changed when its ETag differs."""
        if entry.size > limit:
            raise InputError("fileTooLarge", where=entry.name)
        return b"".join(self.pieces(entry.name, entry.etag))

    def pieces(self, name: str, etag: str, length: int | None = None) -> Iterator[bytes]:
        """The bytes of a blob, or the first `length` of them, as long as it has this ETag."""
        with _translated(name):
            stream = self._client.get_blob_client(name).download_blob(
                offset=0 if length is not None else None,
                length=length,
                etag=f'"{etag}"',
                match_condition=MatchConditions.IfNotModified,
                timeout=_TIMEOUT,
                max_concurrency=1,
            )
            yield from stream.chunks()


@contextmanager
def _translated(name: str) -> Iterator[None]:
    """Translate errors of the SDK."""
    try:
        yield
    except ResourceNotFoundError as error:
        if getattr(error, "error_code", "") == "ContainerNotFound":
            raise ConfigError("segmentsContainerMissing") from error
        raise Changed("segmentFileMissing", file=name) from error
    except ResourceModifiedError as error:
        raise Changed("segmentFileChanged", file=name) from error
    except ClientAuthenticationError as error:
        raise ConfigError("segmentsAccessRefused") from error
    except HttpResponseError as error:
        if error.status_code == 403:
            raise ConfigError("segmentsAccessRefused") from error
        if getattr(error, "error_code", "") == "BlobArchived":
            raise InputError("fileArchived", where=name) from error
        raise Unavailable("segmentsUnavailable") from error
    except AzureError as error:
        raise Unavailable("segmentsUnavailable") from error


def _is_folder(metadata: Mapping[str, str]) -> bool:
    """Whether a blob represents a folder; names of metadata ignore case (RFC 9110, 5.1)."""
    return any(
        name.casefold() == "hdi_isfolder" and str(value).casefold() == "true"
        for name, value in metadata.items()
    )


def _bare(etag: object) -> str:
    return str(etag).strip().removeprefix("W/").strip('"')


def _utc(moment: datetime | None) -> datetime:
    return (moment or datetime.fromtimestamp(0, UTC)).astimezone(UTC)
