"""Sends blob events on this machine, because Azurite does not send those of Event Grid.

Lists a container every second and puts one BlobCreated event on the `blob-events` queue for each
`model.json` that is new or has a new ETag, in the form in which Event Grid writes to a Storage queue:
one event of the Event Grid schema per message, base64. There is no event for blobs that exist at the start.
https://learn.microsoft.com/azure/event-grid/event-schema-blob-storage
"""

from __future__ import annotations

import json
import logging
import threading
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC
from urllib.parse import urlsplit

from azure.core.exceptions import AzureError, ResourceNotFoundError
from azure.storage.blob import BlobProperties, ContainerClient

from devhost.configuration import connection_string
from devhost.queues import put

LOG = logging.getLogger("devhost.events")
QUEUE = "blob-events"
WATCHED = "model.json"
ACCOUNT_ID = (
    "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/local"
    "/providers/Microsoft.Storage/storageAccounts/"
)


@dataclass(frozen=True)
class Watch:
    """The container to list, and the queue of its events; only blobs below `prefix` are listed."""

    segments_connection: str
    container: str
    prefix: str
    queue_connection: str
    queue: str = QUEUE


class BlobEvents:
    """Sends events for new `model.json` blobs until `stop`."""

    def __init__(self, watch: Watch, every: float = 1.0) -> None:
        self._watch = watch
        self._every = every
        self._client = ContainerClient.from_connection_string(
            watch.segments_connection, watch.container
        )
        self._seen: dict[str, str] | None = None
        self._stopping = threading.Event()
        self._thread = threading.Thread(
            target=self._list_repeatedly, name="blob events", daemon=True
        )

    @classmethod
    def from_settings(cls, settings: Mapping[str, str]) -> BlobEvents:
        """Return the watch for the app's settings; raises StartError."""
        where = "the watch for blob events"
        own = connection_string("AzureWebJobsStorage", settings, where)
        return cls(
            Watch(
                segments_connection=settings.get("SEGMENTS_STORAGE") or own,
                container=settings.get("SEGMENTS_CONTAINER") or "segments",
                prefix=settings.get("SEGMENTS_ROOT", "").strip("/"),
                queue_connection=own,
            )
        )

    def start(self) -> None:
        """Remember the blobs that exist, then begin to list."""
        self._seen = self._list()
        self._thread.start()

    def stop(self) -> None:
        """Send no further event."""
        self._stopping.set()

    def look(self) -> int:
        """List once and send events for new blobs; returns the number of events."""
        try:
            found = {blob.name: blob for blob in self._blobs()}
        except AzureError as error:
            LOG.warning(
                "container %s cannot be listed: %s", self._watch.container, type(error).__name__
            )
            return 0
        known = self._seen or {}
        changed = [blob for blob in found.values() if known.get(blob.name) != blob.etag]
        texts = [json.dumps(self.event(blob)) for blob in changed]
        try:
            put(self._watch.queue_connection, self._watch.queue, texts, encode=True)
        except AzureError as error:  # the next listing finds them again
            LOG.warning("queue %s cannot be written: %s", self._watch.queue, type(error).__name__)
            return 0
        self._seen = {name: str(blob.etag) for name, blob in found.items()}
        return len(texts)

    def event(self, blob: BlobProperties) -> dict[str, object]:
        """The BlobCreated event of one blob."""
        client = self._client.get_blob_client(blob.name)
        account = client.account_name or urlsplit(client.url).path.split("/")[1]
        return {
            "topic": ACCOUNT_ID + account,
            "subject": f"/blobServices/default/containers/{self._watch.container}/blobs/{blob.name}",
            "eventType": "Microsoft.Storage.BlobCreated",
            "id": str(uuid.uuid4()),
            "data": {
                "api": "PutBlob",
                "clientRequestId": str(uuid.uuid4()),
                "requestId": str(uuid.uuid4()),
                "eTag": str(blob.etag).strip('"'),
                "contentType": blob.content_settings.content_type,
                "contentLength": blob.size,
                "blobType": "BlockBlob",
                "url": client.url,
                "sequencer": f"{int(blob.last_modified.timestamp() * 1000):032x}",
                "storageDiagnostics": {"batchId": str(uuid.uuid4())},
            },
            "dataVersion": "",
            "metadataVersion": "1",
            "eventTime": blob.last_modified.astimezone(UTC).isoformat().replace("+00:00", "Z"),
        }

    def _list_repeatedly(self) -> None:
        while not self._stopping.wait(self._every):
            self.look()

    def _list(self) -> dict[str, str]:
        try:
            return {blob.name: str(blob.etag) for blob in self._blobs()}
        except AzureError:
            return {}

    def _blobs(self) -> list[BlobProperties]:
        try:
            listed = self._client.list_blobs(name_starts_with=self._watch.prefix or None)
            return [blob for blob in listed if blob.name.endswith(WATCHED)]
        except ResourceNotFoundError:  # no such container yet
            return []
