"""Fixtures for the tests of schedules and refreshes."""

from __future__ import annotations

import pytest

from tests.scheduling.refresh_world import World


@pytest.fixture
def world() -> World:
    world = World()
    world.export()
    return world
