"""Two versions on one storage, one of them shut down during a run."""

import json
import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from azure.data.tables import TableClient

from devhost.processes import App, Azurite, running, start_app
from sandbox.mailchimp.sandbox import Sandbox
from tests.e2e.running_app import (
    ExportScenario,
    RunningApp,
    actual_audience,
    expected_audience,
    fast_polling_app,
    settings_for,
)
from tests.versions.make import PROGRAM, until

LEASE = 15
NEW = "aFieldOfTomorrow"
PEOPLE = 450

# A future version: everything it writes has a field and a column that the current one does not know.
OF_TOMORROW = f"""
from shared.runs import plan_store
from shared.messaging.stamped_queue import StampedQueue
from shared.storage.record_entity import EntityForm

made, sent, planned = EntityForm.entity, StampedQueue.send, plan_store.plan_to_json

def entity(self, key, value, write):
    record = made(self, key, value, write)
    record["json0"] = '{{"{NEW}": {{"more": [1]}}, ' + record["json0"][1:]
    return record | {{"by_tomorrow": "a column"}}

EntityForm.entity = entity
StampedQueue.send = lambda self, queue, message, delay=0: sent(
    self, queue, {{**message, "{NEW}": 1}}, delay
)
plan_store.plan_to_json = lambda plan: b'{{"{NEW}": 1, ' + planned(plan)[1:]
"""


def app_folder(folder: Path, *programs: str) -> Path:
    """A folder with the app, quick to notice, in small chunks, and changed by programs.

    It takes half of the lanes at once, so that two of them share a run.
    """
    path = fast_polling_app(folder, lease_seconds=LEASE) / "function_app.py"
    host = json.loads((folder / "host.json").read_text("utf-8"))
    host["extensions"]["queues"] |= {"batchSize": 5, "newBatchThreshold": 0}
    (folder / "host.json").write_text(json.dumps(host), "utf-8")
    path.write_text("".join((PROGRAM, *programs, path.read_text("utf-8"))), "utf-8")
    return folder


def lanes_running_at_shutdown(app: App) -> int:
    """Count the functions that an app was running when it received SIGTERM."""
    assert app.log is not None
    told = re.search(r"received, (\d+) functions are running", app.log.read_text("utf-8"))
    return int(told[1]) if told else 0


class Deployment:
    """Storage and a Mailchimp, and versions of the app that come and go."""

    def __init__(self, storage: str, sandbox: Sandbox, folder: Path) -> None:
        self.storage = storage
        self.sandbox = sandbox
        self._folder = folder
        self._count = 0

    def start(self, *programs: str, grace: float = 5.0) -> App:
        """A version of the app at work."""
        self._count += 1
        folder = self._folder / f"version{self._count}"
        return start_app(
            settings_for(self.storage, self.sandbox),
            app_dir=app_folder(folder / "app", *programs),
            log=folder / "app.log",
            options=["--queue-lease", "3", "--grace", str(grace)],
        )

    def written_by_future_version(self, table: str, key: str) -> list[bool]:
        """Of the records of a partition: whether the newer version wrote them last."""
        with TableClient.from_connection_string(self.storage, table) as client:
            found = client.query_entities(f"PartitionKey eq '{key}'")
            return [NEW in entity["json0"] for entity in found]


@pytest.fixture
def deployment(emulator: Azurite, tmp_path: Path) -> Iterator[Deployment]:
    with Sandbox() as sandbox:
        yield Deployment(emulator.connection_string, sandbox, tmp_path)
        assert sandbox.calls.statuses_contradicted == 0
        assert not sandbox.calls.statuses_changed
        assert sandbox.calls.peak_in_flight <= 10


@pytest.mark.parametrize(
    ("leaving", "coming", "grace", "patience", "code"),
    [
        ("", OF_TOMORROW, 60.0, 90.0, 0),
        ("", OF_TOMORROW, 0.5, 30.0, 0),
        (OF_TOMORROW, "", 60.0, 0.5, -signal.SIGKILL),
    ],
    ids=[
        "an update, and the old one ends what it does",
        "an update, and the old one leaves its work behind",
        "a rollback, and the new one is killed",
    ],
)
def test_shutting_down_an_old_version_during_a_rolling_deployment_loses_nothing(
    deployment: Deployment,
    tmp_path: Path,
    leaving: str,
    coming: str,
    grace: float,
    patience: float,
    code: int,
) -> None:
    sandbox = deployment.sandbox
    with (
        running(deployment.start(leaving, grace=grace)) as old,
        running(deployment.start(coming)) as new,
    ):
        scenario = ExportScenario(RunningApp(deployment.storage, new, sandbox), tmp_path)
        sample = scenario.sample(PEOPLE, 0.6, 0.6)
        expected = expected_audience(sample)
        scenario.refresh(sample)
        scenario.define(sample)
        sandbox.set(call_ms=400)
        run = scenario.start()

        def done() -> int:
            return int(scenario.api.get(f"/api/runs/{run['id']}")["progress"]["chunksDone"])

        until(lambda: done() >= 12)
        assert old.stop(patience) == code
        assert lanes_running_at_shutdown(old)
        run = scenario.wait(run)
        sandbox.set(call_ms=0)

        assert actual_audience(scenario.audience) == expected
        assert run["status"] == "successful"
        counts = run["counts"]
        assert counts["created"] == counts["distinct"] == len(expected)
        assert counts["notSent"] == counts["rejected"] == 0
        # Both had a part in it, and each read what the other wrote.
        assert set(deployment.written_by_future_version("chunks", run["id"])) == {True, False}
        assert scenario.run()["calls"]["write"] == 0
