"""Run the current app on a stored state and check the result."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from devhost.processes import running, start_app
from sandbox.mailchimp.sandbox import Sandbox
from tests.e2e.running_app import ContactState, RunningApp, actual_audience, contact_state
from tests.e2e.stored_data import app_on
from tests.versions.make import settings, small_app
from tests.versions.stored_state import Change, StoredState, unchanged
from tests.waiting import until


@contextmanager
def app_on_stored_state(
    stored_state: StoredState, storage: str, folder: Path, change: Change = unchanged
) -> Iterator[RunningApp]:
    """Run the app on a stored state during a `with` block, and check Mailchimp's rules at its end."""
    with Sandbox() as sandbox:
        stored_state.put(storage, app_on(storage), sandbox, change)
        assert actual_audience(_audience(sandbox, stored_state)) != _people(stored_state)
        app = start_app(
            settings(storage, sandbox), app_dir=small_app(folder / "app"), log=folder / "app.log"
        )
        with running(app):
            yield RunningApp(storage, app, sandbox)
        assert sandbox.calls.statuses_contradicted == 0
        assert not sandbox.calls.statuses_changed
        assert sandbox.calls.peak_in_flight <= 10


def finished(running_app: RunningApp, run_id: str) -> dict[str, Any]:
    """Wait for the end of a run."""
    *_, last = running_app.api.watch(run_id, every=0.15)
    return last


def half_sent_run_completes(running_app: RunningApp, stored_state: StoredState) -> None:
    """Check the audience, the outcome of every row, and that nothing is left to send."""
    story = stored_state.story
    run = finished(running_app, story["run"])

    assert run["status"] == "successful"
    people = _people(stored_state)
    assert actual_audience(_audience(running_app.sandbox, stored_state)) == people
    counts = run["counts"]
    assert counts["created"] == counts["new"] > 0
    assert counts["updated"] == counts["changed"] > 0
    assert counts["removed"] == counts["left"] > 0
    assert counts["notSent"] == counts["rejected"] == 0
    assert run["consentProof"]["statusesChanged"] == 0
    rows = csv.DictReader(io.StringIO(running_app.api.outcomes(run["id"]).removeprefix("\ufeff")))
    assert {row["email"] for row in rows} == people.keys()
    again = running_app.api.run(story["export"])
    assert again["calls"]["write"] == 0
    assert again["counts"]["distinct"] == counts["distinct"]


def everything_else_continues(
    running_app: RunningApp, stored_state: StoredState, *, unreadable: str = ""
) -> None:
    """Check finished runs, a run awaiting confirmation, an announced refresh and the timer.

    `unreadable` is a status: the stored run that ended with it is left to a newer version. The cleanup needs
    all records, so it waits, and the timer reports it.
    """
    api, story = running_app.api, stored_state.story
    runs = {run["id"]: run for run in api.get("/api/runs?top=100")["value"]}
    readable = {name: run_id for name, run_id in story["runs"].items() if name != unreadable}
    assert set(story["runs"].values()) & runs.keys() == set(readable.values())
    for status in ("successful", "completedWithWarnings", "skipped", "failed", "canceled"):
        if status in readable:
            assert runs[readable[status]]["status"] == status
    waiting = story["runs"]["awaitingConfirmation"]
    # The files were written again with the stored state. So the removals are planned again, and wait again.
    for status in ("awaitingConfirmation", "successful"):
        waiting = api.post(f"/api/runs/{waiting}/confirm")["id"]
        assert finished(running_app, waiting)["status"] == status
    found = api.post("/api/people/search", {"email": story["erased"]})["value"]
    assert {one["code"] for one in found} == {"erased"}
    assert api.get("/api/schedule")["times"] == ["05:30"]
    assert api.get("/api/connections")["value"][0]["status"] == "connected"

    def refreshed() -> list[dict[str, Any]]:
        listed = api.get(f"/api/runs?exportId={story['refreshing']}")["value"]
        return [run for run in listed if run["finishedAt"]]

    (run,) = until(refreshed)
    assert (run["trigger"], run["status"]) == ("refresh", "successful")
    assert tick(running_app) == ("Failed" if unreadable else "Succeeded")


def tick(running_app: RunningApp) -> str:
    """Run the timer function once and return its result."""
    log = Path(running_app.process.log or "")
    before = log.read_text("utf-8", "replace").count("Executed 'tick'")
    running_app.api.call("POST", "/admin/functions/tick", {"input": ""})

    def ends() -> list[str]:
        return log.read_text("utf-8", "replace").split("Executed 'tick' (")[before + 1 :]

    return until(ends)[0].partition(",")[0]


def _people(stored_state: StoredState) -> dict[str, ContactState]:
    """Return the expected contacts of the half-sent run."""
    return {
        address: contact_state(status, fields, tags)
        for address, (status, fields, tags) in stored_state.story["people"].items()
    }


def _audience(sandbox: Sandbox, stored_state: StoredState) -> Any:
    return next(
        one for one in sandbox.audiences() if one.state.id == stored_state.story["audience"]
    )
