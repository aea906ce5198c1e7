"""Storage that answers 500 or 503 by itself, hangs or cuts, while the real app sends."""

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from devhost.api_client import PortalError
from devhost.processes import Azurite, running, start_app
from sandbox.mailchimp.box import Sandbox
from tests.e2e.running_app import (
    House,
    Place,
    audience_as_is,
    audience_to_be,
    impatient_app,
    settings_for,
)
from tests.faults.storage_proxy import KINDS, Trouble, rough_way

SEEDS = max(1, int(os.environ.get("FAULT_SEEDS") or 1) // 25)
pytestmark = pytest.mark.usefixtures("consent_is_kept")
PEOPLE = 6_000


@pytest.fixture(scope="module")
def trouble() -> Trouble:
    return Trouble(seed=1)


@pytest.fixture(scope="module")
def house(
    emulator: Azurite, box: Sandbox, trouble: Trouble, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[House]:
    """An app that reaches its storage by the rough way only."""
    folder = tmp_path_factory.mktemp("house")
    with (
        rough_way(emulator, trouble) as storage,
        running(
            start_app(
                settings_for(storage, box),
                app_dir=impatient_app(folder / "app", lease_seconds=15, storage_seconds=2.0),
                log=folder / "app.log",
                options=["--queue-lease", "20"],
            )
        ) as app,
    ):
        yield House(storage, app, box)  # model.json names the address by which it is read


def state_of(house: House, run_id: str) -> dict | None:
    """A run, or None while the app cannot read its storage and says so."""
    try:
        return house.portal.get(f"/api/runs/{run_id}")
    except PortalError as error:
        if error.status != 503:
            raise
        return None


def end_of(house: House, run_id: str) -> dict:
    """A run's end, asked for until the app can tell it; the timer comes when nothing moves."""
    deadline = time.monotonic() + 240
    while time.monotonic() < deadline:
        # Only storage that does not answer is an excuse; the portal fails on anything else.
        run = state_of(house, run_id)
        if run is not None and run["finishedAt"]:
            return run
        time.sleep(0.3)
    message = "the run does not come to an end"
    raise AssertionError(message)


@pytest.mark.parametrize("seed", range(SEEDS))
def test_storage_that_fails_now_and_then_changes_nothing(
    house: House, trouble: Trouble, tmp_path: Path, seed: int
) -> None:
    place = Place(house, tmp_path)
    before = place.sample(PEOPLE, 0.6, 0.6)
    place.refresh(before)
    place.define(before)
    with trouble.of(seed, share=0.05):
        first = end_of(house, place.start()["id"])
    sample = before.later(changed=0.3, arriving=700, leaving=300, moving=0.05)
    place.refresh(sample)
    with trouble.of(seed + 1000, share=0.05):
        second = end_of(house, place.start()["id"])

    old, new = audience_to_be(before), audience_to_be(sample)
    now = audience_as_is(place.audience)
    assert len(trouble.struck) >= len(KINDS) - 2
    assert (first["status"], second["status"]) == ("successful", "successful"), (first, second)
    assert first["counts"]["created"] == len(old)
    assert second["counts"]["created"] == len(new.keys() - old.keys())
    assert {address: now[address] for address in new} == new
    assert not any(now[address].tags for address in old.keys() - new.keys())
    assert place.run()["calls"]["write"] == 0


def test_an_outage_of_storage_is_waited_for(
    house: House, box: Sandbox, trouble: Trouble, tmp_path: Path
) -> None:
    place = Place(house, tmp_path)
    sample = place.sample(PEOPLE, 0.6, 0.6)
    place.refresh(sample)
    place.define(sample)
    box.set(call_ms=500)
    started = place.start()
    while not place.audience.statuses():
        time.sleep(0.01)

    trouble.outage = True
    time.sleep(8)
    assert house.portal.get("/api/health") == {"status": "ok"}
    with pytest.raises(PortalError) as refused:
        house.portal.get(f"/api/runs/{started['id']}")
    trouble.outage = False
    run = end_of(house, started["id"])
    box.set(call_ms=0)

    assert refused.value.status == 503
    expected = audience_to_be(sample)
    assert audience_as_is(place.audience) == expected
    assert run["status"] == "successful", run
    assert run["counts"]["created"] == len(expected)
