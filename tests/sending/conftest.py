"""Releases the slots that a test has taken."""

from collections.abc import Iterator

import pytest

from tests.capacity.new_slots import release_all


@pytest.fixture(autouse=True)
def _slots_are_released() -> Iterator[None]:
    yield
    release_all()
