"""The deployments of tests/faults, and a database with the folder of a plan."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from duckdb import DuckDBPyConnection

from shared.workspace import workspace
from tests.faults.conftest import clock, mailchimp, new_deployment

__all__ = ["clock", "mailchimp", "new_deployment"]


@pytest.fixture
def opened() -> Iterator[tuple[DuckDBPyConnection, Path]]:
    with workspace() as opened:
        yield opened


@pytest.fixture
def db(opened: tuple[DuckDBPyConnection, Path]) -> DuckDBPyConnection:
    return opened[0]


@pytest.fixture
def scratch(opened: tuple[DuckDBPyConnection, Path]) -> Path:
    return opened[1]
