"""Fixtures for all tests: one Azurite, no network access beyond this machine, repeatable examples."""

import gc
import ipaddress
import os
import socket
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import settings

from devhost.processes import ACCOUNT, Azurite, running, start_azurite
from shared import workspace
from tests import reused_databases

# A process of Azurite takes seconds to start, an account nothing.
SEPARATE_ACCOUNTS = tuple(f"separate{number}" for number in range(400))

# Their files take longest. They run first, so that no worker ends with a long file while others idle.
SLOW_FOLDERS = (
    "versions",
    "faults",
    "e2e",
    "browser",
    "sending",
    "devhost",
    "runs",
    "infra",
    "planning",
    "web",
    "segments",
)

# Child processes keep the bytecode of their imports, and requests reads no file for each call to
# this machine (a .netrc, the certificates of the machine).
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
os.environ.pop("REQUESTS_CA_BUNDLE", None)
os.environ.pop("CURL_CA_BUNDLE", None)
os.environ["NETRC"] = ""

settings.register_profile("local", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
settings.load_profile("ci" if os.environ.get("CI") else "local")


@pytest.fixture(scope="session")
def azurite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Azurite]:
    """One Azurite for the whole run, on free ports; tests use different names, so they do not affect each other."""
    folder = tmp_path_factory.mktemp("azurite")
    accounts = (ACCOUNT, *SEPARATE_ACCOUNTS)
    with running(start_azurite(folder, accounts=accounts, in_memory=True)) as emulator:
        yield emulator


@pytest.fixture(scope="session")
def separate_storage(azurite: Azurite) -> Callable[[], Azurite]:
    """Returns the same Azurite with an empty account, whose queues no other app listens to."""
    unused = iter(SEPARATE_ACCOUNTS)
    return lambda: replace(azurite, account=next(unused))


@pytest.fixture
def storage(azurite: Azurite) -> str:
    """The connection string of the session's Azurite."""
    return azurite.connection_string


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Skip tests that run for minutes, unless LONG_TESTS is set; run slow folders first."""
    long = [item for item in items if item.get_closest_marker("long")]
    if long and not os.environ.get("LONG_TESTS"):
        config.hook.pytest_deselected(items=long)
        items[:] = [item for item in items if not item.get_closest_marker("long")]
    tests = Path(__file__).parent

    def rank(item: pytest.Item) -> int:
        folder = item.path.relative_to(tests).parts[0]
        return SLOW_FOLDERS.index(folder) if folder in SLOW_FOLDERS else len(SLOW_FOLDERS)

    items.sort(key=rank)


def pytest_unconfigure() -> None:
    """Remove the callback that Hypothesis has added to the garbage collector.

    Python runs the collector once more at the end of the process, when the names that the callback uses are gone.
    Its error keeps objects alive, which DuckDB then reports as leaks.
    """
    gc.callbacks.clear()


class OutsideNetwork(RuntimeError):
    """A test tried to reach another machine."""


@pytest.fixture(autouse=True, scope="session")
def _only_loopback() -> Iterator[None]:
    """Refuse connections and DNS queries of this process beyond this machine."""
    patch = pytest.MonkeyPatch()
    connect, connect_ex = socket.socket.connect, socket.socket.connect_ex
    getaddrinfo = socket.getaddrinfo

    def check(host: object) -> None:
        name = host.decode() if isinstance(host, bytes) else str(host or "localhost")
        if name == "localhost" or name.endswith(".localhost"):
            return
        try:
            if ipaddress.ip_address(name.partition("%")[0]).is_loopback:
                return
        except ValueError:
            pass
        raise OutsideNetwork(f"tests may not connect to {name}")

    def checked(method):
        def call(self, address):
            if self.family in (socket.AF_INET, socket.AF_INET6):
                check(address[0])
            return method(self, address)

        return call

    def look_up(host, *args, **kwargs):
        check(host)
        return getaddrinfo(host, *args, **kwargs)

    patch.setattr(socket.socket, "connect", checked(connect))
    patch.setattr(socket.socket, "connect_ex", checked(connect_ex))
    patch.setattr(socket, "getaddrinfo", look_up)
    yield
    patch.undo()


@pytest.fixture(autouse=True, scope="session")
def _reused_databases() -> Iterator[None]:
    """Steps of the app in this process use databases of earlier ones."""
    patch = pytest.MonkeyPatch()
    patch.setattr(workspace, "_open", reused_databases.open_database)
    yield
    patch.undo()


@pytest.fixture
def project() -> Path:
    """The project's folder."""
    return Path(__file__).resolve().parent.parent
