"""Messages about new blobs: ours are understood, all others are nothing."""

import copy
import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.segments.events import BlobCreated, read_event

TOPIC = "/subscriptions/0000/resourceGroups/rg/providers/Microsoft.Storage/storageAccounts/landing"
SUBJECT = "/blobServices/default/containers/segments/blobs/Export/model.json"
DATA = {
    "api": "PutBlockList",
    "eTag": "0x8D4BCC2E4835CD0",
    "contentLength": 524288,
    "url": "https://evil.example/model.json",
    "sequencer": "00000000000004420000000000028963",
}
EVENT_GRID = {
    "topic": TOPIC,
    "subject": SUBJECT,
    "eventType": "Microsoft.Storage.BlobCreated",
    "eventTime": "2024-05-06T06:18:01.1234567Z",
    "id": "831e1650-001e-001b-66ab-eeb76e069631",
    "data": DATA,
    "dataVersion": "",
    "metadataVersion": "1",
}
CLOUD_EVENT = {
    "source": TOPIC,
    "subject": SUBJECT,
    "type": "Microsoft.Storage.BlobCreated",
    "time": "2024-05-06T06:18:01.1234567Z",
    "id": "831e1650-001e-001b-66ab-eeb76e069631",
    "data": DATA,
    "specversion": "1.0",
}


def read(event: object) -> BlobCreated | None:
    return read_event(json.dumps(event), "landing", "segments")


@pytest.mark.parametrize("event", [EVENT_GRID, CLOUD_EVENT], ids=["event grid", "cloud event"])
def test_both_schemas_say_the_same(event: dict[str, object]) -> None:
    found = read(event)
    assert found == BlobCreated(
        "Export/model.json",
        "0x8D4BCC2E4835CD0",
        datetime(2024, 5, 6, 6, 18, 1, 123456, UTC),
    )
    assert found.is_model
    assert read([event]) == found


def test_two_messages_about_one_write_are_the_same_event() -> None:
    first, second = read(EVENT_GRID), read({**EVENT_GRID, "id": "other"})
    again = read({**EVENT_GRID, "data": {**DATA, "eTag": '"0x9"'}})
    assert first is not None
    assert second is not None
    assert again is not None
    assert first.identity == second.identity != again.identity == ("Export/model.json", "0x9")


@pytest.mark.parametrize("api", ["PutBlob", "PutBlockList", "FlushWithClose", "CopyBlob"])
def test_every_way_of_writing_a_blob_counts(api: str) -> None:
    assert read({**EVENT_GRID, "data": {**DATA, "api": api}}) is not None


@pytest.mark.parametrize(
    "change",
    [
        {"topic": TOPIC.replace("landing", "another")},
        {"topic": TOPIC + "/blobServices/x"},
        {"topic": "/x/Microsoft.Storage/storageAccounts/landing"},
        {"topic": None},
        {"subject": SUBJECT.replace("containers/segments", "containers/other")},
        {"subject": SUBJECT.replace("/Export/", "/../")},
        {"subject": SUBJECT.replace("/Export/", "/Ex\nport/")},
        {"subject": "/blobServices/default/containers/segments"},
        {"eventType": "Microsoft.Storage.BlobDeleted"},
        {"eventType": "Microsoft.EventGrid.SubscriptionValidationEvent"},
        {"data": {**DATA, "api": "CreateFile"}},
        {"data": {**DATA, "api": None}},
        {"data": {**DATA, "eTag": ""}},
        {"data": [1]},
    ],
)
def test_what_is_not_about_our_container_is_nothing(change: dict[str, object]) -> None:
    assert read({**copy.deepcopy(EVENT_GRID), **change}) is None


@pytest.mark.parametrize(
    "message", ["", "{", "[]", "null", "5", '"x"', "[" * 50_000, "x" * 100_000]
)
def test_what_is_no_event_is_nothing(message: str) -> None:
    assert read_event(message, "landing", "segments") is None


def test_names_are_taken_as_they_stand() -> None:
    subject = "/blobServices/default/containers/segments/blobs/Gold people/한_1%20.csv"
    found = read({**EVENT_GRID, "subject": subject})
    assert found is not None
    assert found.blob == "Gold people/한_1%20.csv"
    assert not found.is_model


@given(st.text(max_size=80), st.text(max_size=40))
def test_no_message_names_a_blob_outside(name: str, container: str) -> None:
    subject = f"/blobServices/default/containers/{container}/blobs/{name}"
    found = read({**EVENT_GRID, "subject": subject})
    if found is not None:
        assert container == "segments"
        assert ".." not in found.blob.split("/")
