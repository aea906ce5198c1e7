"""An app and an ExportScenario for each end-to-end test, and one app as a process."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from devhost.processes import Azurite
from sandbox.mailchimp.sandbox import Sandbox
from shared import workspace
from shared.finishing import tag_check
from shared.planning import planner
from shared.planning.audience import already_subscribed
from shared.planning.writing import chunking
from shared.runs import commands
from tests.e2e.app_in_process import AppInProcess, app_in_process
from tests.e2e.running_app import ExportScenario, RunningApp, TestedApp, run_app

# More than any sample has, except the one that tests the limit.
MAX_PROFILES = 1_100
# So that few people make several calls.
CHUNK_SIZE = 100
# Fewer than the chunks of such a run, so that lanes take several.
CONNECTIONS = 4
SETTINGS = {"MAX_PROFILES": str(MAX_PROFILES), "MAILCHIMP_CONNECTIONS": str(CONNECTIONS)}


@pytest.fixture(scope="session")
def mailchimp() -> Iterator[Sandbox]:
    with Sandbox() as sandbox:
        yield sandbox


@pytest.fixture(scope="session")
def hosted_app(
    azurite: Azurite, mailchimp: Sandbox, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningApp]:
    """The app as a process, for the tests marked `hosted`."""
    folder = tmp_path_factory.mktemp("app")
    with run_app(
        azurite.connection_string, mailchimp, folder, chunk_size=CHUNK_SIZE, **SETTINGS
    ) as opened:
        yield opened


@pytest.fixture
def running_app(
    separate_storage: Callable[[], Azurite], mailchimp: Sandbox
) -> Iterator[AppInProcess]:
    """The app in this process, with the exports of this test only: an erasure looks through all exports."""
    with app_in_process(separate_storage().connection_string, mailchimp, **SETTINGS) as opened:
        yield opened


@pytest.fixture(autouse=True)
def _small_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """The app in this process has the chunks of the app as a process, and one thread for a database."""
    monkeypatch.setattr(workspace, "_THREADS", 1)
    for module in (chunking, already_subscribed, tag_check, commands):
        monkeypatch.setattr(module, "CHUNK_SIZE", CHUNK_SIZE)
    monkeypatch.setattr(planner, "LONGEST_WAIT", timedelta(seconds=20))


@pytest.fixture
def tested_app(request: pytest.FixtureRequest) -> TestedApp:
    """The app of a test: a process if the test is marked `hosted`, else the app in this process."""
    hosted = request.node.get_closest_marker("hosted")
    app: TestedApp = request.getfixturevalue("hosted_app" if hosted else "running_app")
    return app


@pytest.fixture
def new_scenario(tested_app: TestedApp, tmp_path: Path) -> Callable[..., ExportScenario]:
    """Creates scenarios: `new_scenario(double_optin=True)`."""
    return lambda **more: ExportScenario(tested_app, tmp_path, **more)


@pytest.fixture
def scenario(tested_app: TestedApp, tmp_path: Path) -> ExportScenario:
    return ExportScenario(tested_app, tmp_path)


@pytest.fixture(autouse=True)
def _reset_mailchimp(mailchimp: Sandbox) -> Iterator[None]:
    """Reset the faults and options of Mailchimp after each test."""
    before = mailchimp.world.options
    yield
    mailchimp.disarm()
    mailchimp.world.options = before
