"""`python -m tests.versions.make`: plays a story with the app at hand and keeps what it leaves behind.

Run it once for every version that is released; what it writes is never changed afterwards. The story
ends in the middle of a run: some chunks are sent, one is claimed by a process that was killed.
"""

from __future__ import annotations

import json
import shutil
import tempfile
import time
import tomllib
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from azure.storage.blob import ContainerClient
from azure.storage.queue import QueueClient

from devhost.processes import ROOT, Azurite, running, start_app, start_azurite
from sandbox.mailchimp.box import Sandbox
from sandbox.samples import Sample
from shared.app import UsedNonce
from shared.connections.entra import PendingSignIn
from tests.e2e.running_app import (
    SEGMENTS,
    Held,
    House,
    Place,
    audience_to_be,
    held,
    impatient_app,
    settings_for,
)
from tests.e2e.stored_data import house_of
from tests.versions.stored_state import API_KEY, KeptState

HERE = Path(__file__).parent
MAX_PROFILES = 70
CHUNK = 5
CONNECTIONS = 2
LEASE = 3
ERASED = "erased.person@example.com"
# Small chunks, so that few people make a run of many.
PROGRAM = f"""
from shared.planning import chunking
chunking.CHUNK_SIZE = {CHUNK}
"""


def small_app(folder: Path) -> Path:
    """The app with chunks of a few people."""
    path = impatient_app(folder) / "function_app.py"
    path.write_text(PROGRAM + path.read_text("utf-8"), "utf-8")
    return folder


def settings(storage: str, box: Sandbox) -> dict[str, str]:
    """Those of the story."""
    return settings_for(
        storage, box, MAX_PROFILES=str(MAX_PROFILES), MAILCHIMP_CONNECTIONS=str(CONNECTIONS)
    )


def until(what: Callable[[], Any], seconds: float = 60.0) -> Any:
    """What a question answers as soon as it is true."""
    deadline = time.monotonic() + seconds
    while not (found := what()):
        if time.monotonic() > deadline:
            message = "the story did not go on"
            raise TimeoutError(message)
        time.sleep(0.05)
    return found


class Story:
    """What happens before the version is kept. `runs` are ids by how they ended."""

    def __init__(self, house: House, folder: Path) -> None:
        self._house = house
        self._folder = folder
        self.runs: dict[str, str] = {}

    def place(self) -> Place:
        return Place(self._house, self._folder)

    def _ended(self, run: dict[str, Any], expected: str, name: str = "") -> dict[str, Any]:
        if run["status"] != expected:
            message = f"a run ended as {run['status']}, not {expected}: {run['reason']}"
            raise AssertionError(message)
        self.runs[name or expected] = run["id"]
        return run

    def _exported(self, place: Place, sample: Sample, **more: Any) -> None:
        place.refresh(sample)
        place.define(sample, **more)

    def tell(self) -> None:
        """Runs of every kind, a schedule, an erasure."""
        box, portal = self._house.box, self._house.portal
        calm = self.place()
        sample = calm.sample(20, 0.7, 0.5)
        daily = {"enabled": True, "repeat": "daily", "times": ["06:00"], "timeZone": "Asia/Seoul"}
        self._exported(calm, sample, schedule=daily)
        calm.audience.add("someone.gone@example.com", status="unsubscribed")
        self._ended(calm.run(), "successful")
        self._ended(calm.run("preview"), "successful", "preview")
        self._ended(calm.run("full"), "successful", "full")

        refused = self.place()
        sample = refused.sample(15)
        self._exported(refused, sample)
        box.set(refused_addresses=[min(audience_to_be(sample))])
        run = self._ended(refused.run(), "completedWithWarnings")
        box.set(refused_addresses=[])
        retried = refused.wait(portal.post(f"/api/runs/{run['id']}/retry"))
        self._ended(retried, "successful", "retry")
        undone = refused.wait(portal.post(f"/api/runs/{retried['id']}/undo"))
        self.runs["undo"] = undone["id"]

        many = self.place()
        self._exported(many, many.sample(MAX_PROFILES + 5))
        self._ended(many.run(), "skipped")

        nowhere = self.place()
        nowhere.define(["NoSuchSegment"])
        self._ended(nowhere.run(), "failed")

        shrunk = self.place()
        sample = shrunk.sample(24)
        self._exported(shrunk, sample)
        shrunk.run()
        shrunk.refresh(sample.later(leaving=16))
        self._ended(shrunk.run(), "awaitingConfirmation")

        stopped = self.place()
        self._exported(stopped, stopped.sample(60))
        box.set(call_ms=400)
        run = stopped.start()
        until(lambda: portal.get(f"/api/runs/{run['id']}")["progress"]["chunksDone"])
        portal.post(f"/api/runs/{run['id']}/cancel")
        self._ended(stopped.wait(run), "canceled")
        box.set(call_ms=0)

        portal.post("/api/people/erase", {"email": ERASED, "deleteInMailchimp": False})
        portal.call("PUT", "/api/schedule", {**daily, "times": ["05:30"]})
        portal.get("/api/segments")
        portal.call("POST", "/admin/functions/tick", {"input": ""})

    def expect_a_refresh(self) -> Place:
        """An export whose refresh was announced and has not been started yet."""
        place = self.place()
        place.define(place.sample(10), schedule={"enabled": True})
        place.refresh(place.sample(10))
        watches = house_of(self._house.storage).refreshes.watches
        until(lambda: watches.read(place.export["id"]))
        return place

    def half_send(self) -> tuple[Place, dict[str, Any], dict[str, Held]]:
        """A second run, of changes, people who come and people who leave; until a part is sent."""
        place = self.place()
        before = place.sample(40, 0.6, 0.6)
        self._exported(place, before, removalGuard={"maxShare": 1.0})
        self._ended(place.run(), "successful", "before")
        sample = before.later(changed=0.4, arriving=25, leaving=6, moving=0.1)
        place.refresh(sample)
        self._house.box.set(call_ms=500)
        run = place.start()

        def partly() -> bool:
            progress = self._house.portal.get(f"/api/runs/{run['id']}")["progress"]
            return bool(progress["chunksDone"] >= 2)

        until(partly)
        self._house.app.kill()
        self._house.box.set(call_ms=0)
        old, new = audience_to_be(before), audience_to_be(sample)
        left = {a: held("subscribed", dict(old[a].fields), ()) for a in old.keys() - new.keys()}
        return place, run, new | left


def kept_rarely(storage: str) -> None:
    """Records of sign-ins, which no run makes."""
    house, now = house_of(storage), datetime.now(UTC)
    house.used_nonces.create("a-nonce", UsedNonce(now))
    pending = PendingSignIn({"state": "a-state", "scope": ["openid"]}, now)
    house.table("signins", PendingSignIn).create("a-state", pending)


def main() -> None:
    """Writes the folder of the version in pyproject.toml."""
    version = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]
    kept = KeptState(HERE / version)
    shutil.rmtree(kept.folder, ignore_errors=True)
    with (
        tempfile.TemporaryDirectory() as scratch,
        running(start_azurite(Path(scratch) / "azurite")) as emulator,
        Sandbox() as box,
    ):
        _play(kept, emulator, box, Path(scratch))
    print(f"kept in {kept.folder.relative_to(ROOT)}")


def _play(kept: KeptState, emulator: Azurite, box: Sandbox, folder: Path) -> None:
    storage = emulator.connection_string
    # The host tells of new files in containers that are there when it starts.
    with ContainerClient.from_connection_string(storage, SEGMENTS) as segments:
        segments.create_container()
    app = start_app(
        settings(storage, box),
        app_dir=small_app(folder / "app"),
        log=folder / "app.log",
        options=["--queue-lease", str(LEASE), "--blob-events"],
    )
    with running(app):
        story = Story(House(storage, app, box), folder)
        story.tell()
        kept_rarely(storage)
        expecting = story.expect_a_refresh()
        place, run, people = story.half_send()
    # The messages of the killed process show themselves again when their lease is over.
    with QueueClient.from_connection_string(storage, "send-lanes") as lanes:
        until(lambda: len(lanes.peek_messages(max_messages=32)) >= CONNECTIONS)
    erased_key = house_of(storage).secrets.get("erased-people-key") or ""
    secrets = {f"mailchimp-{place.connection}": API_KEY, "erased-people-key": erased_key}
    states = {stored.value.state for stored in house_of(storage).chunks.all(run["id"])}
    if states != {"done", "claimed", "pending"}:
        message = f"the run was not met in its middle ({states}): run this again"
        raise AssertionError(message)
    kept.take(storage, secrets, box)
    told = {
        "run": run["id"],
        "export": place.export["id"],
        "audience": place.audience.id,
        "refreshing": expecting.export["id"],
        "erased": ERASED,
        "runs": story.runs,
        "people": {
            address: [one.status, dict(one.fields), sorted(one.tags)]
            for address, one in sorted(people.items())
        },
    }
    (kept.folder / "story.json").write_text(json.dumps(told, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
