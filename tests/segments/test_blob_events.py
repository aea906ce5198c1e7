"""Messages about new blobs: events of our container are recognized, others ignored."""

import copy
import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.segments.finding.blob_events import BlobCreated, read_events

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
    found = read_events(json.dumps(event), "landing", "segments")
    assert len(found) <= 1
    return found[0] if found else None


@pytest.mark.parametrize("event", [EVENT_GRID, CLOUD_EVENT], ids=["event grid", "cloud event"])
def test_both_schemas_are_equal(event: dict[str, object]) -> None:
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
    assert first.etag == second.etag != again.etag
    assert (again.blob, again.etag) == ("Export/model.json", "0x9")


def test_every_event_in_a_message_is_read() -> None:
    other = {**EVENT_GRID, "subject": SUBJECT.replace("Export", "Other")}
    strange = {**EVENT_GRID, "topic": "/elsewhere"}
    message = json.dumps([EVENT_GRID, strange, 7, CLOUD_EVENT, other])
    found = read_events(message, "landing", "segments")
    assert [each.blob for each in found] == [
        "Export/model.json",
        "Export/model.json",
        "Other/model.json",
    ]


def test_a_blob_renamed_after_upload_raises_an_event() -> None:
    data = {
        "api": "RenameFile",
        "sequencer": "00000000000004420000000000028963",
        "destinationUrl": "https://evil.example/model.json",
        "sourceUrl": "https://evil.example/model.json.tmp",
    }
    event = {**EVENT_GRID, "eventType": "Microsoft.Storage.BlobRenamed", "data": data}
    found = read(event)
    assert found is not None
    assert (found.blob, found.is_model) == ("Export/model.json", True)
    assert found.etag != read({**event, "data": {**data, "sequencer": "1"}}).etag


def test_a_manifest_describes_an_export_as_a_model_does() -> None:
    found = read({**EVENT_GRID, "subject": SUBJECT.replace("model.json", "x.manifest.cdm.json")})
    assert found is not None
    assert found.is_model


@pytest.mark.parametrize(
    "api",
    [
        "PutBlob",
        "PutBlockList",
        "FlushWithClose",
        "CopyBlob",
        "CopyBlobFromURL",
        "PutBlobFromUrl",
        "PutBlobFromURL",
        "SftpCommit",
    ],
)
def test_every_way_of_writing_a_blob_raises_an_event(api: str) -> None:
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
        {"data": {**DATA, "api": "SftpCreate"}},
        {"data": {**DATA, "api": None}},
        {"data": {**DATA, "eTag": ""}},
        {"data": [1]},
    ],
)
def test_events_of_other_containers_are_ignored(change: dict[str, object]) -> None:
    assert read({**copy.deepcopy(EVENT_GRID), **change}) is None


@pytest.mark.parametrize(
    "message", ["", "{", "[]", "null", "5", '"x"', "[" * 50_000, "x" * 100_000]
)
def test_a_malformed_event_is_ignored(message: str) -> None:
    assert read_events(message, "landing", "segments") == []


def test_names_are_used_unchanged() -> None:
    subject = "/blobServices/default/containers/segments/blobs/Gold people/한_1%20.csv"
    found = read({**EVENT_GRID, "subject": subject})
    assert found is not None
    assert found.blob == "Gold people/한_1%20.csv"
    assert not found.is_model


@given(st.text(max_size=80), st.text(max_size=40))
def test_no_message_names_a_blob_outside_the_container(name: str, container: str) -> None:
    subject = f"/blobServices/default/containers/{container}/blobs/{name}"
    found = read({**EVENT_GRID, "subject": subject})
    if found is not None:
        assert container == "segments"
        assert ".." not in found.blob.split("/")
