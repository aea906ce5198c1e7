"""Fixtures of the segments room."""

import uuid
from collections.abc import Iterator

import pytest
from azure.storage.blob import BlobServiceClient

from tests.segments.landing import Landing


@pytest.fixture
def landing(storage: str) -> Iterator[Landing]:
    with BlobServiceClient.from_connection_string(storage, retry_total=0) as service:
        client = service.create_container(f"segments-{uuid.uuid4().hex}")
        yield Landing(client)
        client.delete_container()
