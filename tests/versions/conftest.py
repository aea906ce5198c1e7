"""A separate emulator for every test that loads a stored state."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from devhost.processes import Azurite, running, start_azurite


@pytest.fixture
def emulator(tmp_path: Path) -> Iterator[Azurite]:
    with running(start_azurite(tmp_path / "azurite")) as found:
        yield found
