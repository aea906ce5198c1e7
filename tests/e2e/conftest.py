"""One app for all end-to-end tests, and an ExportScenario for each test."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from devhost.processes import Azurite
from sandbox.mailchimp.sandbox import Sandbox
from tests.e2e.running_app import ExportScenario, RunningApp, run_app

# More than any sample has, except the one that tests the limit.
MAX_PROFILES = 1_100
# So that few people make several calls.
CHUNK_SIZE = 100
# Fewer than the chunks of such a run, so that lanes take several.
CONNECTIONS = 4


@pytest.fixture(scope="session")
def mailchimp() -> Iterator[Sandbox]:
    with Sandbox() as sandbox:
        yield sandbox


@pytest.fixture(scope="session")
def running_app(
    azurite: Azurite, mailchimp: Sandbox, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningApp]:
    folder = tmp_path_factory.mktemp("app")
    settings = {"MAX_PROFILES": str(MAX_PROFILES), "MAILCHIMP_CONNECTIONS": str(CONNECTIONS)}
    with run_app(
        azurite.connection_string, mailchimp, folder, chunk_size=CHUNK_SIZE, **settings
    ) as opened:
        yield opened


@pytest.fixture(scope="module")
def separate_app(
    separate_storage: Callable[[], Azurite],
    mailchimp: Sandbox,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[RunningApp]:
    """A separate app, for tests that the exports of other tests would disturb."""
    folder = tmp_path_factory.mktemp("alone")
    settings = {"MAX_PROFILES": str(MAX_PROFILES), "MAILCHIMP_CONNECTIONS": str(CONNECTIONS)}
    storage = separate_storage().connection_string
    with run_app(storage, mailchimp, folder, chunk_size=CHUNK_SIZE, **settings) as opened:
        yield opened


@pytest.fixture
def new_scenario(running_app: RunningApp, tmp_path: Path) -> Callable[..., ExportScenario]:
    """Creates scenarios: `new_scenario(double_optin=True)`."""
    return lambda **more: ExportScenario(running_app, tmp_path, **more)


@pytest.fixture
def scenario(running_app: RunningApp, tmp_path: Path) -> ExportScenario:
    return ExportScenario(running_app, tmp_path)


@pytest.fixture(autouse=True)
def _reset_mailchimp(mailchimp: Sandbox) -> Iterator[None]:
    """Reset the faults and options of Mailchimp after each test."""
    before = mailchimp.world.options
    yield
    mailchimp.disarm()
    mailchimp.world.options = before
