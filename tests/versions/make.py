"""`python -m tests.versions.make`: runs the current app and stores its state for compatibility tests.

Run it once per released version; its files are never changed afterwards. It ends in the middle of a
run: some chunks are sent, and one is claimed by a killed process.
"""

from __future__ import annotations

import json
import tempfile
import tomllib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from azure.storage.blob import ContainerClient
from azure.storage.queue import QueueClient

from devhost.processes import ROOT, Azurite, running, start_app, start_azurite
from sandbox.mailchimp.sandbox import Sandbox
from sandbox.samples import Sample
from shared.connections.entra import PendingSignIn
from shared.model.connection import UsedNonce
from tests.e2e.running_app import (
    SEGMENTS,
    ContactState,
    ExportScenario,
    RunningApp,
    contact_state,
    expected_audience,
    fast_polling_app,
    settings_for,
)
from tests.e2e.stored_data import app_on
from tests.versions.stored_state import API_KEY, StoredState
from tests.waiting import until

HERE = Path(__file__).parent
MAX_PROFILES = 70
CHUNK = 5
CONNECTIONS = 2
LEASE = 3
ERASED = "erased.person@example.com"
# Small chunks, so that few people make a run of many.
PROGRAM = f"""
from shared.planning.writing import chunking
chunking.CHUNK_SIZE = {CHUNK}
"""


def small_app(folder: Path) -> Path:
    """The app with chunks of a few people."""
    path = fast_polling_app(folder) / "function_app.py"
    path.write_text(PROGRAM + path.read_text("utf-8"), "utf-8")
    return folder


def settings(storage: str, sandbox: Sandbox) -> dict[str, str]:
    """Return the settings of the story."""
    return settings_for(
        storage, sandbox, MAX_PROFILES=str(MAX_PROFILES), MAILCHIMP_CONNECTIONS=str(CONNECTIONS)
    )


class Story:
    """What happens before the state of the version is stored. `runs` are ids by how they ended."""

    def __init__(self, running_app: RunningApp, folder: Path) -> None:
        self._running_app = running_app
        self._folder = folder
        self.runs: dict[str, str] = {}

    def scenario(self) -> ExportScenario:
        return ExportScenario(self._running_app, self._folder)

    def _ended(self, run: dict[str, Any], expected: str, name: str = "") -> dict[str, Any]:
        if run["status"] != expected:
            message = f"a run ended as {run['status']}, not {expected}: {run['reason']}"
            raise AssertionError(message)
        self.runs[name or expected] = run["id"]
        return run

    def _exported(self, scenario: ExportScenario, sample: Sample, **more: Any) -> None:
        scenario.refresh(sample)
        scenario.define(sample, **more)

    def play(self) -> None:
        """Create runs of every kind, a schedule and an erasure."""
        sandbox, api = self._running_app.sandbox, self._running_app.api
        calm = self.scenario()
        sample = calm.sample(20, 0.7, 0.5)
        daily = {"enabled": True, "repeat": "daily", "times": ["06:00"], "timeZone": "Asia/Seoul"}
        self._exported(calm, sample, schedule=daily)
        calm.audience.add("someone.gone@example.com", status="unsubscribed")
        self._ended(calm.run(), "successful")
        self._ended(calm.run("preview"), "successful", "preview")
        self._ended(calm.run("full"), "successful", "full")

        refused = self.scenario()
        sample = refused.sample(15)
        self._exported(refused, sample)
        sandbox.set(refused_addresses=[min(expected_audience(sample))])
        run = self._ended(refused.run(), "completedWithWarnings")
        sandbox.set(refused_addresses=[])
        retried = refused.wait(api.post(f"/api/runs/{run['id']}/retry"))
        self._ended(retried, "successful", "retry")
        undone = refused.wait(api.post(f"/api/runs/{retried['id']}/undo"))
        self.runs["undo"] = undone["id"]

        many = self.scenario()
        self._exported(many, many.sample(MAX_PROFILES + 5))
        self._ended(many.run(), "skipped")

        nowhere = self.scenario()
        nowhere.define(["NoSuchSegment"])
        self._ended(nowhere.run(), "failed")

        shrunk = self.scenario()
        sample = shrunk.sample(24)
        self._exported(shrunk, sample)
        shrunk.run()
        shrunk.refresh(sample.later(leaving=16))
        self._ended(shrunk.run(), "awaitingConfirmation")

        stopped = self.scenario()
        self._exported(stopped, stopped.sample(60))
        sandbox.set(call_ms=400)
        run = stopped.start()
        until(lambda: api.get(f"/api/runs/{run['id']}")["progress"]["chunksDone"])
        api.post(f"/api/runs/{run['id']}/cancel")
        self._ended(stopped.wait(run), "canceled")
        sandbox.set(call_ms=0)

        api.post("/api/people/erase", {"email": ERASED, "deleteInMailchimp": False})
        api.call("PUT", "/api/schedule", {**daily, "times": ["05:30"]})
        api.get("/api/segments")
        api.call("POST", "/admin/functions/tick", {"input": ""})

    def expect_a_refresh(self) -> ExportScenario:
        """Create an export with an announced refresh that has not started a run yet."""
        scenario = self.scenario()
        scenario.define(scenario.sample(10), schedule={"enabled": True})
        scenario.refresh(scenario.sample(10))
        progress = app_on(self._running_app.storage).open_refreshes.progress
        until(lambda: progress.read(scenario.export["id"]))
        return scenario

    def half_send(self) -> tuple[ExportScenario, dict[str, Any], dict[str, ContactState]]:
        """Kill the app in the middle of a run with changed, new and leaving people."""
        scenario = self.scenario()
        before = scenario.sample(40, 0.6, 0.6)
        self._exported(scenario, before, removalGuard={"maxShare": 1.0})
        self._ended(scenario.run(), "successful", "before")
        sample = before.later(changed=0.4, arriving=25, leaving=6, moving=0.1)
        scenario.refresh(sample)
        self._running_app.sandbox.set(call_ms=500)
        run = scenario.start()

        def partly() -> bool:
            progress = self._running_app.api.get(f"/api/runs/{run['id']}")["progress"]
            return bool(progress["chunksDone"] >= 2)

        until(partly)
        self._running_app.process.kill()
        self._running_app.sandbox.set(call_ms=0)
        old, new = expected_audience(before), expected_audience(sample)
        left = {
            a: contact_state("subscribed", dict(old[a].fields), ()) for a in old.keys() - new.keys()
        }
        return scenario, run, new | left


def store_sign_in_records(storage: str) -> None:
    """Store records of sign-ins, which no run creates."""
    app, now = app_on(storage), datetime.now(UTC)
    app.used_nonces.create("a-nonce", UsedNonce(now))
    pending = PendingSignIn({"state": "a-state", "scope": ["openid"]}, now)
    app.table("signins", PendingSignIn).create("a-state", pending)


def main() -> None:
    """Write the folder of the version in pyproject.toml."""
    version = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]
    stored_state = StoredState(HERE / version)
    if stored_state.folder.exists():
        raise SystemExit(f"the state of version {version} is stored already, and is never replaced")
    with (
        tempfile.TemporaryDirectory() as scratch,
        running(start_azurite(Path(scratch) / "azurite")) as emulator,
        Sandbox() as sandbox,
    ):
        _play(stored_state, emulator, sandbox, Path(scratch))
    print(f"stored in {stored_state.folder.relative_to(ROOT)}")


def _play(stored_state: StoredState, emulator: Azurite, sandbox: Sandbox, folder: Path) -> None:
    storage = emulator.connection_string
    # The host reports new files only in containers that exist at its start.
    with ContainerClient.from_connection_string(storage, SEGMENTS) as segments:
        segments.create_container()
    app = start_app(
        settings(storage, sandbox),
        app_dir=small_app(folder / "app"),
        log=folder / "app.log",
        options=["--queue-lease", str(LEASE), "--blob-events"],
    )
    with running(app):
        story = Story(RunningApp(storage, app, sandbox), folder)
        story.play()
        store_sign_in_records(storage)
        expecting = story.expect_a_refresh()
        scenario, run, people = story.half_send()
    # The messages of the killed process become visible again when their lease expires.
    with QueueClient.from_connection_string(storage, "send-lanes") as lanes:
        until(lambda: len(lanes.peek_messages(max_messages=32)) >= CONNECTIONS)
    erased_key = app_on(storage).secrets.get("erased-people-key") or ""
    secrets = {f"mailchimp-{scenario.connection}": API_KEY, "erased-people-key": erased_key}
    states = {stored.value.state for stored in app_on(storage).chunks.all(run["id"])}
    if states != {"done", "claimed", "pending"}:
        message = f"the app was not killed in the middle of the run ({states}): run this again"
        raise AssertionError(message)
    stored_state.take(storage, secrets, sandbox)
    story_data = {
        "run": run["id"],
        "export": scenario.export["id"],
        "audience": scenario.audience.id,
        "refreshing": expecting.export["id"],
        "erased": ERASED,
        "runs": story.runs,
        "people": {
            address: [one.status, dict(one.fields), sorted(one.tags)]
            for address, one in sorted(people.items())
        },
    }
    (stored_state.folder / "story.json").write_text(
        json.dumps(story_data, indent=1, ensure_ascii=False) + "\n"
    )


if __name__ == "__main__":
    main()
