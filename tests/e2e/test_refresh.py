"""A refresh written to the container starts the exports once, through the events of the dev host."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from azure.storage.blob import ContainerClient

from devhost.processes import ROOT, Azurite, running, start_app
from sandbox.mailchimp.sandbox import Sandbox
from tests.e2e.running_app import ExportScenario, RunningApp, fast_polling_app, settings_for
from tests.e2e.stored_data import app_on
from tests.held_calls import held_calls
from tests.waiting import until

SEGMENTS = "segments"
QUIET = 2.0

# The app itself, with shorter waiting times: a refresh counts as written after 2 seconds without a
# change, not 10, and a run that was started by hand waits as long for missing files, not an hour.
QUICK_APP = f"""
import importlib.util
from datetime import timedelta
import shared.app
from shared.planning import planner
from shared.planning.reading import settled_source
from shared.scheduling.refresh_progress import WaitingTimes

planner.LONGEST_WAIT = timedelta(seconds={QUIET})
settled_source.UNCHANGED = timedelta(seconds={QUIET})
shared.app.scheduling.WaitingTimes = lambda: WaitingTimes(unchanged={QUIET})
spec = importlib.util.spec_from_file_location("the_app", {str(ROOT / "function_app.py")!r})
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
app = module.app
"""


@pytest.fixture(scope="module")
def refreshed(
    separate_storage: Callable[[], Azurite],
    mailchimp: Sandbox,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[RunningApp]:
    """An app with its own storage, because the dev host watches all of it."""
    folder = tmp_path_factory.mktemp("refreshed")
    program = folder / "quick_app.py"
    program.write_text(QUICK_APP, "utf-8")
    storage = separate_storage().connection_string
    ContainerClient.from_connection_string(storage, SEGMENTS).create_container()
    app = start_app(
        settings_for(storage, mailchimp),
        app_dir=fast_polling_app(folder / "app", program=program),
        log=folder / "app.log",
        options=["--blob-events"],
    )
    with running(app):
        yield RunningApp(storage, app, mailchimp)


@dataclass
class Folder:
    """A segment as Customer Insights writes it: two files in a dated folder, and model.json."""

    running_app: RunningApp
    segment: str
    addresses: tuple[str, ...]
    hour: int = 6
    client: ContainerClient = field(init=False)

    def __post_init__(self) -> None:
        self.client = ContainerClient.from_connection_string(self.running_app.storage, SEGMENTS)

    def part(self, number: int) -> None:
        """Write file 1 or 2: half of the people each."""
        mine = self.addresses[number - 1 :: 2]
        rows = "".join(f'"{address}-id","{address}"\n' for address in mine)
        self._put(self._name(number), f'"CustomerId","EMail"\n{rows}')

    def model(self) -> None:
        """Write model.json."""
        attributes = [{"name": name, "dataType": "string"} for name in ("CustomerId", "EMail")]
        partitions = [
            {
                "name": f"{self.segment}_{number}",
                "location": f"{self.client.url}/{self._name(number)}",
                "fileFormatSettings": {"$type": "CsvFormatSettings", "columnHeaders": True},
            }
            for number in (1, 2)
        ]
        entity = {
            "$type": "LocalEntity",
            "name": self.segment,
            "attributes": attributes,
            "partitions": partitions,
        }
        document = {"name": "Export", "version": "1.0", "entities": [entity]}
        self._put(f"{self.segment}-export/model.json", json.dumps(document))

    def all(self) -> None:
        """Write everything, model.json last."""
        self.part(1)
        self.part(2)
        self.model()

    def _name(self, number: int) -> str:
        when = f"2026/11/23/{self.hour:02d}00"
        return f"{self.segment}-export/{self.segment}/{when}/{self.segment}_{number}.csv"

    def _put(self, name: str, text: str) -> None:
        self.client.upload_blob(name, text.encode(), overwrite=True)


def people(count: int) -> tuple[str, ...]:
    return tuple(f"person{number}@example.org" for number in range(count))


def an_export(scenario: ExportScenario, segment: str) -> None:
    """An export that runs with every refresh, the default."""
    scenario.define([segment], mapping={"email": "EMail"}, schedule={"enabled": True})


def runs(scenario: ExportScenario) -> list[dict[str, Any]]:
    """The export's runs, oldest first."""
    found: list[dict[str, Any]] = scenario.api.get(f"/api/runs?exportId={scenario.export['id']}")[
        "value"
    ]
    return found[::-1]


def finished_at(run: dict[str, Any]) -> float:
    return datetime.fromisoformat(run["finishedAt"]).timestamp()


def ended(scenario: ExportScenario, count: int) -> list[dict[str, Any]]:
    """Wait until this number of runs has ended. Returns all runs."""
    until(lambda: sum(run["finishedAt"] is not None for run in runs(scenario)) >= count, every=0.4)
    return runs(scenario)


def test_model_json_first_and_late_duplicated_files_start_one_run_after_the_last_file(
    refreshed: RunningApp, tmp_path: Path
) -> None:
    scenario = ExportScenario(refreshed, tmp_path)
    segment = scenario.named("Late")
    an_export(scenario, segment)
    folder = Folder(refreshed, segment, people(20))

    folder.model()
    folder.part(1)
    folder.part(1)
    # Waited for in vain: however long this takes, no run may start.
    time.sleep(1.5 * QUIET)
    assert runs(scenario) == []
    folder.part(2)
    folder.part(1)
    folder.part(2)
    written_last = time.time()
    [run] = ended(scenario, 1)

    assert run["trigger"] == "refresh"
    assert run["status"] == "successful"
    assert run["counts"]["created"] == 20
    assert set(scenario.audience.members()) == set(people(20))
    assert finished_at(run) > written_last

    # The same files once more: nothing is sent again.
    with scenario.calls() as calls:
        folder.all()
        again = ended(scenario, 2)[1]
    assert len(runs(scenario)) == 2
    assert again["counts"]["created"] == again["counts"]["updated"] == 0
    assert not [call for call in calls if call.startswith("POST /lists/{list_id}")]

    # model.json alone: the segment has not changed. (Storage has a precision of seconds: written in the
    # second in which the run before began, it would count as read by that run.)
    time.sleep(1.1)
    folder.model()
    third = ended(scenario, 3)[2]
    assert (third["status"], third["reason"]["code"]) == ("skipped", "noNewData")


def test_a_refresh_during_a_run_starts_exactly_one_more(
    refreshed: RunningApp, tmp_path: Path
) -> None:
    scenario = ExportScenario(refreshed, tmp_path)
    segment = scenario.named("Busy")
    an_export(scenario, segment)
    with held_calls(refreshed.sandbox) as held:
        Folder(refreshed, segment, people(10)).all()
        held.until_waiting()
        Folder(refreshed, segment, people(12), hour=7).all()
        Folder(refreshed, segment, people(14), hour=8).all()
        progress = app_on(refreshed.storage).open_refreshes.progress
        until(lambda: progress.read(scenario.export["id"]))
        Folder(refreshed, segment, people(16), hour=9).all()
    first, second = ended(scenario, 2)

    assert first["counts"]["distinct"] == 10
    assert second["counts"]["distinct"] == 16
    assert second["queuedAt"] >= first["finishedAt"]
    assert len(scenario.audience.members()) == 16


def test_a_manual_run_before_all_files_exist_names_the_missing_ones(
    refreshed: RunningApp, tmp_path: Path
) -> None:
    scenario = ExportScenario(refreshed, tmp_path)
    segment = scenario.named("Partly")
    scenario.define([segment], mapping={"email": "EMail"})
    folder = Folder(refreshed, segment, people(4))
    folder.part(1)
    folder.model()

    run = scenario.run()

    assert (run["status"], run["reason"]["code"]) == ("failed", "refreshIncomplete")
    assert scenario.audience.members() == {}
