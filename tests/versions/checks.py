"""A kept state with the app at hand at work on it, and what must come of it."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from devhost.processes import running, start_app
from sandbox.mailchimp.box import Sandbox
from tests.e2e.running_app import Held, House, audience_as_is, held
from tests.e2e.stored_data import house_of
from tests.versions.make import settings, small_app, until
from tests.versions.stored_state import Change, KeptState, as_it_is


@contextmanager
def opened(
    kept: KeptState, storage: str, folder: Path, change: Change = as_it_is
) -> Iterator[House]:
    """The app on what is kept, for a `with` block; Mailchimp's rules are kept as well."""
    with Sandbox() as box:
        kept.put(storage, house_of(storage), box, change)
        assert audience_as_is(_audience(box, kept)) != _people(kept)
        app = start_app(
            settings(storage, box), app_dir=small_app(folder / "app"), log=folder / "app.log"
        )
        with running(app):
            yield House(storage, app, box)
        assert box.calls.statuses_contradicted == 0
        assert not box.calls.statuses_changed
        assert box.calls.peak_in_flight <= 10


def ended(house: House, run_id: str) -> dict[str, Any]:
    """A run at its end."""
    *_, last = house.portal.watch(run_id, every=0.05)
    return last


def half_sent_run_ends_right(house: House, kept: KeptState) -> None:
    """The audience is as the sample says, every row has its outcome, nothing is left to be sent."""
    story = kept.story
    run = ended(house, story["run"])

    assert run["status"] == "successful"
    people = _people(kept)
    assert audience_as_is(_audience(house.box, kept)) == people
    counts = run["counts"]
    assert counts["created"] == counts["new"] > 0
    assert counts["updated"] == counts["changed"] > 0
    assert counts["removed"] == counts["left"] > 0
    assert counts["notSent"] == counts["rejected"] == 0
    assert run["consentProof"]["statusesChanged"] == 0
    rows = csv.DictReader(io.StringIO(house.portal.outcomes(run["id"]).removeprefix("\ufeff")))
    assert {row["email"] for row in rows} == people.keys()
    again = house.portal.run(story["export"])
    assert again["calls"]["write"] == 0
    assert again["counts"]["distinct"] == counts["distinct"]


def everything_else_goes_on(house: House, kept: KeptState) -> None:
    """What is over shows itself, what waited for a yes goes on, an announced refresh is exported."""
    portal, story = house.portal, kept.story
    runs = {run["id"]: run for run in portal.get("/api/runs?top=100")["value"]}
    assert set(story["runs"].values()) <= runs.keys()
    for status in ("successful", "completedWithWarnings", "skipped", "failed", "canceled"):
        assert runs[story["runs"][status]]["status"] == status
    confirmed = portal.post(f"/api/runs/{story['runs']['awaitingConfirmation']}/confirm")
    assert ended(house, confirmed["id"])["status"] == "successful"
    found = portal.post("/api/people/search", {"email": story["erased"]})["value"]
    assert {one["code"] for one in found} == {"erased"}
    assert portal.get("/api/schedule")["times"] == ["05:30"]
    assert portal.get("/api/connections")["value"][0]["status"] == "connected"

    def refreshed() -> list[dict[str, Any]]:
        listed = portal.get(f"/api/runs?exportId={story['refreshing']}")["value"]
        return [run for run in listed if run["finishedAt"]]

    (run,) = until(refreshed)
    assert (run["trigger"], run["status"]) == ("refresh", "successful")
    assert tick(house) == "Succeeded"


def tick(house: House) -> str:
    """Let the timer look once; how that ended."""
    log = Path(house.app.log or "")
    before = log.read_text("utf-8", "replace").count("Executed 'tick'")
    house.portal.call("POST", "/admin/functions/tick", {"input": ""})

    def ends() -> list[str]:
        return log.read_text("utf-8", "replace").split("Executed 'tick' (")[before + 1 :]

    return until(ends)[0].partition(",")[0]


def _people(kept: KeptState) -> dict[str, Held]:
    """Everybody of the half-sent run, as they are to be."""
    return {
        address: held(status, fields, tags)
        for address, (status, fields, tags) in kept.story["people"].items()
    }


def _audience(box: Sandbox, kept: KeptState) -> Any:
    return next(one for one in box.audiences() if one.state.id == kept.story["audience"])
