"""A real process, killed (SIGKILL) at a write to storage: what the simulation does everywhere
(test_killed_at_every_write.py), seen with real leases, queues and tables at places that a seed draws.
"""

import os
import random
from pathlib import Path

import pytest

from devhost.processes import App, Azurite, start_app
from sandbox.mailchimp.box import Sandbox
from tests.e2e.running_app import (
    House,
    Place,
    audience_as_is,
    audience_to_be,
    impatient_app,
    settings_for,
)
from tests.faults.storage_proxy import Trouble, rough_way

SEEDS = max(1, int(os.environ.get("FAULT_SEEDS") or 1) // 25)
pytestmark = pytest.mark.usefixtures("consent_is_kept")


class Lives:
    """An app that is followed by another one when it is killed."""

    def __init__(self, storage: str, box: Sandbox, folder: Path) -> None:
        self._storage, self._box, self._folder = storage, box, folder
        self._program = impatient_app(folder / "app", lease_seconds=15)
        self.all: list[App] = []
        self.begin()

    def begin(self) -> App:
        log = self._folder / f"app{len(self.all)}.log"
        app = start_app(
            settings_for(self._storage, self._box),
            app_dir=self._program,
            log=log,
            options=["--queue-lease", "3"],
        )
        self.all.append(app)
        return app

    @property
    def house(self) -> House:
        return House(self._storage, self.all[-1], self._box)

    def end(self) -> None:
        for app in self.all:
            app.stop()


@pytest.mark.parametrize("seed", range(SEEDS))
def test_a_process_killed_at_a_write_is_followed_by_one_that_ends_the_run(
    emulator: Azurite, box: Sandbox, tmp_path: Path, seed: int
) -> None:
    dice = random.Random(seed)
    trouble = Trouble()
    with rough_way(emulator, trouble) as storage:
        lives = Lives(storage, box, tmp_path)
        try:
            place = Place(lives.house, tmp_path)
            before = place.sample(4_000, 0.6, 0.6)
            place.refresh(before)
            place.define(before)
            assert place.run()["status"] == "successful"
            sample = before.later(changed=0.4, arriving=800, leaving=200, moving=0.05)
            place.refresh(sample)
            started = place.start()
            trouble.kill = lives.all[-1].kill
            trouble.kill_applied = dice.random() < 0.5
            trouble.kill_at = trouble.writes + dice.randint(1, 90)
            lives.all[-1].popen.wait(60)
            lives.begin()
            place.portal = lives.house.portal
            run = place.wait(started)
            left = place.run()
        finally:
            lives.end()

    old, new = audience_to_be(before), audience_to_be(sample)
    now = audience_as_is(place.audience)
    assert len(lives.all) == 2
    assert {address: now[address] for address in new} == new
    assert now.keys() == old.keys() | new.keys()
    assert not any(now[address].tags for address in old.keys() - new.keys())
    assert run["status"] == "successful"
    counts = run["counts"]
    assert counts["created"] == counts["new"] == len(new.keys() - old.keys())
    assert counts["updated"] == counts["changed"]
    assert counts["removed"] == counts["left"]
    assert left["calls"]["write"] == 0
