"""Fixtures for the tests of segments."""

import uuid
from collections.abc import Iterator

import pytest
from azure.storage.blob import BlobServiceClient

from tests.segments.landing import Landing
from tests.segments.segment_files import close_duckdb


@pytest.fixture(autouse=True, scope="session")
def _duckdb_is_closed() -> Iterator[None]:
    yield
    close_duckdb()


@pytest.fixture
def landing(storage: str) -> Iterator[Landing]:
    with BlobServiceClient.from_connection_string(storage, retry_total=0) as service:
        client = service.create_container(f"segments-{uuid.uuid4().hex}")
        yield Landing(client)
        client.delete_container()
