"""Separate storage for every test that loads a stored state."""

from collections.abc import Callable

import pytest

from devhost.processes import Azurite


@pytest.fixture
def emulator(separate_storage: Callable[[], Azurite]) -> Azurite:
    return separate_storage()
