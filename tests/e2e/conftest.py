"""One house for all end-to-end tests, and a place of its own in it for each."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from devhost.processes import Azurite, running, start_azurite
from sandbox.mailchimp.box import Sandbox
from tests.e2e.running_app import House, Place, open_house

# More than any sample that is sent here, few enough to be gone beyond.
MAX_PROFILES = 5_100
# Fewer than a run of that size has chunks, so that lanes take several.
CONNECTIONS = 4


@pytest.fixture(scope="session")
def mailchimp() -> Iterator[Sandbox]:
    with Sandbox() as box:
        yield box


@pytest.fixture(scope="session")
def house(
    azurite: Azurite, mailchimp: Sandbox, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[House]:
    folder = tmp_path_factory.mktemp("house")
    settings = {"MAX_PROFILES": str(MAX_PROFILES), "MAILCHIMP_CONNECTIONS": str(CONNECTIONS)}
    with open_house(azurite.connection_string, mailchimp, folder, **settings) as opened:
        yield opened


@pytest.fixture(scope="module")
def house_alone(mailchimp: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A house of its own, for tests that would meet the exports of all others."""
    folder = tmp_path_factory.mktemp("alone")
    settings = {"MAX_PROFILES": str(MAX_PROFILES), "MAILCHIMP_CONNECTIONS": str(CONNECTIONS)}
    with (
        running(start_azurite(folder / "azurite")) as azurite,
        open_house(azurite.connection_string, mailchimp, folder, **settings) as opened,
    ):
        yield opened


@pytest.fixture
def new_place(house: House, tmp_path: Path) -> Callable[..., Place]:
    """Makes places: `new_place(double_optin=True)`."""
    return lambda **more: Place(house, tmp_path, **more)


@pytest.fixture
def place(house: House, tmp_path: Path) -> Place:
    return Place(house, tmp_path)


@pytest.fixture(autouse=True)
def _as_found(mailchimp: Sandbox) -> Iterator[None]:
    """Whatever a test broke in Mailchimp is whole again for the next one."""
    before = mailchimp.world.options
    yield
    mailchimp.disarm()
    mailchimp.world.options = before
