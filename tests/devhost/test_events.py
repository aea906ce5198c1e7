"""New `model.json` blobs are announced once, as Event Grid announces them on a Storage queue."""

import base64
import json
import uuid

import pytest
from azure.storage.blob import ContainerClient
from azure.storage.queue import QueueClient

from devhost.events import BlobEvents, Watch


@pytest.fixture
def watch(storage):
    name = f"events-{uuid.uuid4().hex[:8]}"
    return Watch(storage, name, "", storage, name)


@pytest.fixture
def container(watch):
    with ContainerClient.from_connection_string(
        watch.segments_connection, watch.container
    ) as client:
        yield client


def received(watch: Watch) -> list[dict]:
    with QueueClient.from_connection_string(watch.queue_connection, watch.queue) as queue:
        messages = list(queue.receive_messages(max_messages=32))
        for message in messages:
            queue.delete_message(message)
    return [json.loads(base64.b64decode(one.content)) for one in messages]


def test_a_new_or_changed_model_is_announced_once(watch, container):
    events = BlobEvents(watch)
    assert events.look() == 0  # no container yet
    container.create_container()
    container.upload_blob("folder/Customer.csv", b"x")
    container.upload_blob("folder/model.json", b"{}")
    assert events.look() == 1
    assert events.look() == 0
    container.upload_blob("folder/model.json", b"{} ", overwrite=True)
    assert events.look() == 1
    assert len(received(watch)) == 2


def test_an_event_has_the_event_grid_form(watch, container):
    container.create_container()
    blob = container.upload_blob("folder/model.json", b"{}")
    BlobEvents(watch).look()
    (event,) = received(watch)
    assert event["eventType"] == "Microsoft.Storage.BlobCreated"
    expected = f"/blobServices/default/containers/{watch.container}/blobs/folder/model.json"
    assert event["subject"] == expected
    assert event["topic"].endswith("/Microsoft.Storage/storageAccounts/devstoreaccount1")
    assert event["data"]["eTag"] == blob.get_blob_properties().etag.strip('"')
    assert event["data"]["api"] == "PutBlob"
    assert event["data"]["contentLength"] == 2
    assert event["data"]["url"] == blob.url
    assert event["eventTime"].endswith("Z")


def test_blobs_that_exist_at_the_start_are_not_announced(watch, container):
    container.create_container()
    container.upload_blob("model.json", b"{}")
    events = BlobEvents(watch, every=3600)
    events.start()
    assert events.look() == 0
    events.stop()
