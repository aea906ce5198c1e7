"""Leases: at most one holder of a name, among all processes and instances.

A lease is an Azure lease of an empty blob with that name. It ends when its holder no longer renews it.
https://learn.microsoft.com/rest/api/storageservices/lease-blob
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus

from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from azure.storage.blob import BlobClient, BlobLeaseClient

from shared.errors import Changed, InputError, Unavailable
from shared.storage.clients import StorageClients
from shared.storage.failures import azure_errors, error_code
from shared.storage.files import with_container

_LOST = frozenset({HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT, HTTPStatus.PRECONDITION_FAILED})

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class BlobLease:
    """Implements Lease."""

    name: str
    blob: BlobClient
    lease_id: str

    def renew(self) -> None:
        """Extend the lease by its duration. Changed when it was lost."""
        with azure_errors(self.name):
            try:
                BlobLeaseClient(self.blob, self.lease_id).renew()
            except HttpResponseError as error:
                if error.status_code not in _LOST:
                    raise
                raise Changed("leaseLost", lease=self.name) from None

    def release(self) -> None:
        """Release the lease, unless it was lost. If Azure is unreachable, it expires."""
        try:
            with azure_errors(self.name):
                try:
                    BlobLeaseClient(self.blob, self.lease_id).release()
                except HttpResponseError as error:
                    if error.status_code not in _LOST:
                        raise
        except Unavailable:
            log.warning("A lease could not be released and will expire", extra={"lease": self.name})


@dataclass(frozen=True)
class BlobLeases:
    """Implements Leases with the blobs of a container."""

    clients: StorageClients
    container: str = "leases"
    new_id: Callable[[], uuid.UUID] = uuid.uuid4

    def acquire(self, name: str, seconds: int) -> BlobLease | None:
        """Acquire a lease for 15-60 seconds; None while another process holds it."""
        if not 15 <= seconds <= 60:
            raise InputError("leaseDuration", lease=name)
        container = self.clients.container(self.container)
        blob = container.get_blob_client(name)
        with azure_errors(name):
            try:
                return self._leased(blob, name, seconds)
            except ResourceNotFoundError:
                with_container(container, lambda: _create(blob))
            return self._leased(blob, name, seconds)

    def _leased(self, blob: BlobClient, name: str, seconds: int) -> BlobLease | None:
        # The id comes from here, so a retry after a lost response acquires the same lease.
        lease_id = str(self.new_id())
        try:
            BlobLeaseClient(blob, lease_id).acquire(lease_duration=seconds)
        except HttpResponseError as error:
            if error_code(error) != "LeaseAlreadyPresent":
                raise
            return None
        return BlobLease(name, blob, lease_id)


def _create(blob: BlobClient) -> None:
    """Create the empty blob, unless another process created or leased it meanwhile."""
    try:
        blob.upload_blob(b"", overwrite=False)
    except HttpResponseError as error:
        if error_code(error) not in ("BlobAlreadyExists", "LeaseIdMissing"):
            raise
