"""The real app with storage that returns 500 or 503, hangs or closes connections."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from devhost.api_client import ApiError
from devhost.processes import Azurite, running, start_app
from sandbox.mailchimp.sandbox import Sandbox
from tests.e2e.running_app import (
    ExportScenario,
    RunningApp,
    actual_audience,
    expected_audience,
    fast_polling_app,
    settings_for,
)
from tests.faults.storage_proxy import KINDS, StorageFaults, faulty_storage
from tests.held_calls import held_calls
from tests.waiting import until

SEEDS = max(1, int(os.environ.get("FAULT_SEEDS") or 1) // 25)
pytestmark = pytest.mark.usefixtures("consent_is_kept")
PEOPLE = 600


@pytest.fixture(scope="module")
def storage_faults() -> StorageFaults:
    return StorageFaults(seed=1)


@pytest.fixture(scope="module")
def running_app(
    emulator: Azurite,
    sandbox: Sandbox,
    storage_faults: StorageFaults,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[RunningApp]:
    """An app that reaches its storage only through the proxy with faults."""
    folder = tmp_path_factory.mktemp("app")
    with (
        faulty_storage(emulator, storage_faults) as storage,
        running(
            start_app(
                settings_for(storage, sandbox),
                app_dir=fast_polling_app(
                    folder / "app", lease_seconds=15, storage_seconds=2.0, chunk_size=50
                ),
                log=folder / "app.log",
                options=["--queue-lease", "20"],
            )
        ) as app,
    ):
        yield RunningApp(storage, app, sandbox)  # model.json names the address by which it is read


def state_of(running_app: RunningApp, run_id: str) -> dict | None:
    """Read a run; None while the app reports that its storage is unavailable."""
    try:
        return running_app.api.get(f"/api/runs/{run_id}")
    except ApiError as error:
        if error.status != 503:
            raise
        return None


def end_of(running_app: RunningApp, run_id: str) -> dict:
    """Poll a run until it ends; call the timer when it makes no progress."""

    def ended() -> dict | None:
        # Only storage that does not answer is accepted; the client fails on any other error.
        run = state_of(running_app, run_id)
        return run if run is not None and run["finishedAt"] else None

    found = until(ended, seconds=300, every=0.3)
    assert found is not None
    return found


@pytest.mark.long
@pytest.mark.parametrize("seed", range(SEEDS))
def test_random_storage_failures_change_nothing(
    running_app: RunningApp, storage_faults: StorageFaults, tmp_path: Path, seed: int
) -> None:
    scenario = ExportScenario(running_app, tmp_path)
    before = scenario.sample(PEOPLE, 0.6, 0.6)
    scenario.refresh(before)
    scenario.define(before)
    with storage_faults.of(seed, share=0.05):
        first = end_of(running_app, scenario.start()["id"])
    sample = before.later(changed=0.3, arriving=70, leaving=30, moving=0.05)
    scenario.refresh(sample)
    with storage_faults.of(seed + 1000, share=0.05):
        second = end_of(running_app, scenario.start()["id"])

    old, new = expected_audience(before), expected_audience(sample)
    now = actual_audience(scenario.audience)
    assert len(storage_faults.injected) >= len(KINDS) - 2
    assert (first["status"], second["status"]) == ("successful", "successful"), (first, second)
    assert first["counts"]["created"] == len(old)
    assert second["counts"]["created"] == len(new.keys() - old.keys())
    assert {address: now[address] for address in new} == new
    assert not any(now[address].tags for address in old.keys() - new.keys())
    assert scenario.run()["calls"]["write"] == 0


def test_a_run_continues_after_an_outage_of_storage(
    running_app: RunningApp, sandbox: Sandbox, storage_faults: StorageFaults, tmp_path: Path
) -> None:
    scenario = ExportScenario(running_app, tmp_path)
    sample = scenario.define_sample(PEOPLE, 0.6, 0.6)
    with held_calls(sandbox, skip=1) as held:
        started = scenario.start()
        held.until_waiting(5)
        storage_faults.outage = True
        before = storage_faults.injected.total()
        # The calls under way are answered now, and their outcomes cannot be stored.
        held.release_all()
        until(lambda: storage_faults.injected.total() >= before + 60)
        assert running_app.api.get("/api/health") == {"status": "ok"}
        with pytest.raises(ApiError) as refused:
            running_app.api.get(f"/api/runs/{started['id']}")
        storage_faults.outage = False
    run = end_of(running_app, started["id"])

    assert refused.value.status == 503
    expected = expected_audience(sample)
    assert actual_audience(scenario.audience) == expected
    assert run["status"] == "successful", run
    assert run["counts"]["created"] == len(expected)
