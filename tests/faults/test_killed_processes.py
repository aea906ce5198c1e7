"""A real process killed (SIGKILL) at a random write to storage.

test_killed_at_every_write.py simulates every write; here leases, queues and tables are real.
"""

import os
import random
from pathlib import Path

import pytest

from devhost.processes import App, Azurite, start_app
from sandbox.mailchimp.sandbox import Sandbox
from tests.e2e.running_app import (
    ExportScenario,
    RunningApp,
    actual_audience,
    expected_audience,
    fast_polling_app,
    settings_for,
)
from tests.e2e.stored_data import app_on
from tests.faults.storage_proxy import StorageFaults, faulty_storage
from tests.waiting import until

SEEDS = max(1, int(os.environ.get("FAULT_SEEDS") or 1) // 25)
pytestmark = pytest.mark.usefixtures("consent_is_kept")


class Processes:
    """The processes of an app: a killed one can be replaced."""

    def __init__(self, storage: str, sandbox: Sandbox, folder: Path) -> None:
        self._storage, self._box, self._folder = storage, sandbox, folder
        self._program = fast_polling_app(folder / "app", lease_seconds=15, chunk_size=50)
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
    def running_app(self) -> RunningApp:
        return RunningApp(self._storage, self.all[-1], self._box)

    def end(self) -> None:
        for app in self.all:
            app.stop()


@pytest.mark.parametrize("seed", range(SEEDS))
def test_a_process_killed_at_a_write_is_replaced_and_the_run_ends(
    emulator: Azurite, sandbox: Sandbox, tmp_path: Path, seed: int
) -> None:
    dice = random.Random(seed)
    storage_faults = StorageFaults()
    with faulty_storage(emulator, storage_faults) as storage:
        processes = Processes(storage, sandbox, tmp_path)
        try:
            scenario = ExportScenario(processes.running_app, tmp_path)
            before = scenario.sample(400, 0.6, 0.6)
            scenario.refresh(before)
            scenario.define(before)
            assert scenario.run()["status"] == "successful"
            sample = before.later(changed=0.4, arriving=80, leaving=20, moving=0.05)
            scenario.refresh(sample)
            started = scenario.start()
            killed = processes.all[-1]
            storage_faults.kill = killed.kill
            storage_faults.kill_applied = dice.random() < 0.5
            storage_faults.kill_at = storage_faults.writes + dice.randint(1, 90)
            runs = app_on(emulator.connection_string).runs
            until(lambda: not killed.is_running() or not runs.read(started["id"]).value.is_active)
            killed.kill()  # if the run made fewer writes
            processes.begin()
            scenario.running_app = processes.running_app
            run = scenario.wait(started)
            left = scenario.run()
        finally:
            processes.end()

    old, new = expected_audience(before), expected_audience(sample)
    now = actual_audience(scenario.audience)
    assert len(processes.all) == 2
    assert {address: now[address] for address in new} == new
    assert now.keys() == old.keys() | new.keys()
    assert not any(now[address].tags for address in old.keys() - new.keys())
    assert run["status"] == "successful"
    counts = run["counts"]
    assert counts["created"] == counts["new"] == len(new.keys() - old.keys())
    assert counts["updated"] == counts["changed"]
    assert counts["removed"] == counts["left"]
    assert left["calls"]["write"] == 0
