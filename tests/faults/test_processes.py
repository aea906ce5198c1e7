"""Real processes: killed during a run, two on one storage, and logs without personal data."""

import hashlib
import os
import random
import time
from pathlib import Path

import pytest

from devhost.processes import Azurite, running, start_app
from sandbox import wrap
from sandbox.mailchimp.faults import TEMPORARY, Fault
from sandbox.mailchimp.sandbox import Sandbox
from tests.e2e.running_app import (
    SUBSCRIBE,
    ExportScenario,
    RunningApp,
    actual_audience,
    expected_audience,
    fast_polling_app,
    run_app,
    settings_for,
)

SEEDS = max(1, int(os.environ.get("FAULT_SEEDS") or 1) // 50)
pytestmark = [pytest.mark.long, pytest.mark.usefixtures("consent_is_kept")]


def test_two_apps_on_one_storage_send_each_person_once(
    emulator: Azurite, sandbox: Sandbox, tmp_path: Path
) -> None:
    with (
        run_app(emulator.connection_string, sandbox, tmp_path / "one") as running_app,
        running(
            start_app(
                settings_for(emulator.connection_string, sandbox),
                app_dir=fast_polling_app(tmp_path / "two" / "app"),
                log=tmp_path / "two" / "app.log",
            )
        ),
    ):
        scenario = ExportScenario(running_app, tmp_path)
        sample = scenario.define_sample(12_000, 0.6, 0.6)
        sandbox.set(call_ms=50)

        with scenario.calls() as calls:
            run = scenario.run()

        expected = expected_audience(sample)
        assert actual_audience(scenario.audience) == expected
        assert run["status"] == "successful"
        assert run["counts"]["created"] == len(expected)
        assert calls[SUBSCRIBE] == -(-len(expected) // 500)
        assert sandbox.calls.throttled == 0


def test_duplicated_messages_send_no_one_twice_and_do_not_multiply(
    emulator: Azurite, sandbox: Sandbox, tmp_path: Path
) -> None:
    """Two runs share three connections, so lanes wait for a slot and try again repeatedly."""
    log = tmp_path / "app.log"
    with running(
        start_app(
            settings_for(emulator.connection_string, sandbox, MAILCHIMP_CONNECTIONS="3"),
            app_dir=fast_polling_app(tmp_path / "app", twice=True),
            log=log,
        )
    ) as app:
        running_app = RunningApp(emulator.connection_string, app, sandbox)
        scenarios = [ExportScenario(running_app, tmp_path) for _ in range(2)]
        samples = [scenario.sample(6_000, 0.6, 0.6) for scenario in scenarios]
        for scenario, sample in zip(scenarios, samples, strict=True):
            scenario.refresh(sample)
            scenario.define(sample)
        sandbox.set(call_ms=1500)

        with scenarios[0].calls() as calls:
            started = [scenario.start() for scenario in scenarios]
            runs = [scenario.wait(run) for scenario, run in zip(scenarios, started, strict=True)]
        sandbox.set(call_ms=0)

    people = [expected_audience(sample) for sample in samples]
    for scenario, run, expected in zip(scenarios, runs, people, strict=True):
        assert actual_audience(scenario.audience) == expected
        assert run["status"] == "successful"
        assert run["counts"]["created"] == len(expected)
    assert calls[SUBSCRIBE] == sum(-(-len(expected) // 500) for expected in people)
    worked = log.read_text("utf-8", errors="replace").count("Executed 'send_lane'")
    assert 6 <= worked < 150


def test_ten_lanes_with_random_faults_leave_the_audience_correct(
    emulator: Azurite, sandbox: Sandbox, tmp_path: Path
) -> None:
    """All kinds except hanging, which needs the real read timeout of 125 s (test_faulty_mailchimp.py has it)."""
    with run_app(emulator.connection_string, sandbox, tmp_path) as running_app:
        scenario = ExportScenario(running_app, tmp_path)
        sample = scenario.define_sample(12_000, 0.6, 0.6)
        sandbox.set(call_ms=50)
        kinds = [kind for kind in TEMPORARY if kind != "hang"]
        faults = [Fault(kind, times=None, probability=0.03, seed=n) for n, kind in enumerate(kinds)]
        for fault in faults:
            sandbox.arm(fault)

        for _ in range(5):
            run = scenario.run()
            assert run["consentProof"]["statusesChanged"] == 0
            if not run["counts"]["notSent"] and not run["counts"]["rejected"]:
                break

        assert sum(fault.affected for fault in faults) > 5
        assert actual_audience(scenario.audience) == expected_audience(sample)


@pytest.mark.parametrize("seed", range(SEEDS))
def test_an_app_killed_at_any_moment_is_replaced_and_the_run_ends(
    emulator: Azurite, sandbox: Sandbox, tmp_path: Path, seed: int
) -> None:
    dice = random.Random(seed)
    settings = settings_for(emulator.connection_string, sandbox)
    folder = fast_polling_app(tmp_path / "app", lease_seconds=15)

    def start() -> RunningApp:
        log = tmp_path / f"app{time.monotonic_ns()}.log"
        app = start_app(settings, app_dir=folder, log=log, options=["--queue-lease", "3"])
        return RunningApp(emulator.connection_string, app, sandbox)

    running_app = start()
    try:
        scenario = ExportScenario(running_app, tmp_path)
        before = scenario.sample(6000, 0.6, 0.6)
        scenario.refresh(before)
        scenario.define(before)
        assert scenario.run()["status"] == "successful"
        sample = before.later(changed=0.4, arriving=1500, leaving=400, moving=0.05)
        scenario.refresh(sample)
        sandbox.set(call_ms=200)
        run = scenario.start()
        for _ in range(dice.randint(1, 2)):
            time.sleep(dice.uniform(0.0, 2.0))
            running_app.process.kill()
            running_app = start()
        scenario.running_app = running_app
        run = scenario.wait(run)
        sandbox.set(call_ms=0)

        old, new = expected_audience(before), expected_audience(sample)
        now = actual_audience(scenario.audience)
        assert {address: now[address] for address in new} == new
        gone = old.keys() - new.keys()
        assert now.keys() == old.keys() | new.keys()
        assert all(now[a].fields == old[a].fields and not now[a].tags for a in gone)
        assert run["status"] == "successful"
        counts = run["counts"]
        assert counts["created"] == len(new.keys() - old.keys())
        assert counts["created"] == counts["new"]
        assert counts["updated"] == counts["changed"]
        assert counts["removed"] == counts["left"]
        # What the ledger holds is what was sent: nothing is left to be done.
        assert scenario.run()["calls"]["write"] == 0
    finally:
        running_app.process.stop()


SECRETS = ("Zaphodine", "Quuxington", "Wumpusburg", "zq-4711-profile", "xyzzy-4711")


def test_a_debug_log_contains_no_personal_data(
    emulator: Azurite, sandbox: Sandbox, tmp_path: Path
) -> None:
    def row(number: int, address: str) -> tuple[str, ...]:
        who = f"zq-4711-profile-{number}"
        return (who, address, f"Zaphodine{number}", f"Quuxington{number}", f"Wumpusburg{number}")

    addresses = [f"xyzzy-4711-{number}@example.com" for number in range(700)]
    rows = [row(number, address) for number, address in enumerate(addresses)]
    rows += [row(800, "xyzzy-4711 not an address"), row(801, ""), row(802, addresses[3])]
    columns = ("CustomerId", "EMail", "FirstName", "LastName", "City")
    mapping = {
        "email": "EMail",
        "firstName": "FirstName",
        "lastName": "LastName",
        "attributes": [
            {"attribute": "City", "mergeField": "CITY", "create": {"name": "City", "type": "text"}}
        ],
    }
    sandbox.set(
        refused_addresses=[addresses[10]],
        throttled_addresses=[addresses[11]],
        poison_addresses=[addresses[12]],
    )
    with run_app(emulator.connection_string, sandbox, tmp_path, debug=True) as running_app:
        scenario = ExportScenario(running_app, tmp_path)
        for number, status in enumerate(("unsubscribed", "cleaned", "archived", "subscribed")):
            scenario.audience.add(addresses[20 + number], status=status)
        name = scenario.named("Private")
        scenario.refresh_table({name: wrap.Table(columns, tuple(rows))})
        scenario.define([name], mapping=mapping)
        for number, kind in enumerate(("429", "reset-applied", "truncated", "500")):
            sandbox.arm(Fault(kind, skip=3 + 2 * number))
        first = scenario.run()
        scenario.refresh_table({name: wrap.Table(columns, tuple(rows[100:]))})
        second = scenario.run("full")
        scenario.outcomes(first)
        scenario.api.post("/api/people/search", {"email": addresses[30]})
        log = running_app.process.log
        assert log is not None
    sandbox.set(refused_addresses=[], throttled_addresses=[], poison_addresses=[])

    assert first["counts"]["created"] == 693
    assert first["counts"]["rejected"] == 5
    assert second["counts"]["removed"] > 90
    written = log.read_text("utf-8", errors="replace").lower()
    assert written.count("debug") > 100
    hashes = [hashlib.md5(a.encode(), usedforsecurity=False).hexdigest() for a in addresses]
    named = [text for text in (*map(str.lower, SECRETS), *hashes) if text in written]
    assert named == []
