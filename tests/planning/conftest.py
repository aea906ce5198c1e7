"""The deployments of tests/faults, one with an export of rows, and a database with the folder of a plan."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from duckdb import DuckDBPyConnection

from shared.workspace import workspace
from tests.faults.conftest import clock, mailchimp, new_deployment
from tests.faults.simulated_deployment import NewDeployment
from tests.planning.row_deployment import RowDeployment

__all__ = ["clock", "mailchimp", "new_deployment"]


@pytest.fixture
def rows(new_deployment: NewDeployment) -> RowDeployment:
    """A deployment with the usual export of rows."""
    made = RowDeployment(new_deployment())
    made.define()
    return made


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
