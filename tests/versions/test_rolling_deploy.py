"""Two versions on one storage, one of them shut down during a run."""

import json
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass
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
from tests.held_calls import HeldCalls, held_calls
from tests.versions.make import PROGRAM
from tests.waiting import until

LEASE = 15
NEW = "aFieldOfTomorrow"
PEOPLE = 200

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
    """A folder with the app, with short polling intervals, small chunks, and changes by programs.

    It takes half of the lanes at once, so that two of them share a run.
    """
    path = fast_polling_app(folder, lease_seconds=LEASE) / "function_app.py"
    host = json.loads((folder / "host.json").read_text("utf-8"))
    host["extensions"]["queues"] |= {"batchSize": 5, "newBatchThreshold": 0}
    (folder / "host.json").write_text(json.dumps(host), "utf-8")
    path.write_text("".join((PROGRAM, *programs, path.read_text("utf-8"))), "utf-8")
    return folder


@dataclass(frozen=True)
class ChunkRecord:
    """The state of a chunk, and whether the newer version wrote it last."""

    state: str
    is_newer: bool


class Deployment:
    """Storage and a Mailchimp, and versions of the app that start and end."""

    def __init__(self, storage: str, sandbox: Sandbox, folder: Path) -> None:
        self.storage = storage
        self.sandbox = sandbox
        self._folder = folder
        self._count = 0

    def start(self, *programs: str, grace: float = 5.0) -> App:
        """Start a version of the app."""
        self._count += 1
        folder = self._folder / f"version{self._count}"
        return start_app(
            settings_for(self.storage, self.sandbox),
            app_dir=app_folder(folder / "app", *programs),
            log=folder / "app.log",
            options=["--queue-lease", "3", "--grace", str(grace)],
        )

    def chunks(self, run_id: str) -> list[ChunkRecord]:
        """Return the state of a run's chunks, and whether the newer version wrote them last."""
        with TableClient.from_connection_string(self.storage, "chunks") as client:
            records = [
                json.loads(entity["json0"])
                for entity in client.query_entities(f"PartitionKey eq '{run_id}'")
            ]
        return [ChunkRecord(record["state"], NEW in record) for record in records]


@pytest.fixture
def deployment(emulator: Azurite, tmp_path: Path) -> Iterator[Deployment]:
    with Sandbox() as sandbox:
        yield Deployment(emulator.connection_string, sandbox, tmp_path)
        assert sandbox.calls.statuses_contradicted == 0
        assert not sandbox.calls.statuses_changed
        assert sandbox.calls.peak_in_flight <= 10


def end_when_its_calls_are_answered(old: App, held: HeldCalls) -> int:
    """Ask an app to end while its lanes wait for Mailchimp, then answer them."""
    old.popen.terminate()
    until(lambda: "no new messages are received" in log_of(old))
    held.release_all()
    return old.popen.wait(100)


def end_without_answers(old: App, _: HeldCalls) -> int:
    """Ask an app to end; it gives up its lanes, whose calls are not answered."""
    old.popen.terminate()
    return old.popen.wait(100)


def kill(old: App, _: HeldCalls) -> int:
    old.kill()
    return int(old.popen.returncode)


def log_of(app: App) -> str:
    assert app.log is not None
    return app.log.read_text("utf-8", errors="replace")


@pytest.mark.parametrize(
    ("leaving", "coming", "grace", "end", "code"),
    [
        pytest.param(
            "",
            OF_TOMORROW,
            100.0,
            end_when_its_calls_are_answered,
            0,
            id="an update, and the old one ends what it does",
        ),
        pytest.param(
            "",
            OF_TOMORROW,
            0.5,
            end_without_answers,
            0,
            id="an update, and the old one leaves its work behind",
            marks=pytest.mark.long,
        ),
        pytest.param(
            OF_TOMORROW,
            "",
            100.0,
            kill,
            -signal.SIGKILL,
            id="a rollback, and the new one is killed",
            marks=pytest.mark.long,
        ),
    ],
)
def test_shutting_down_an_old_version_during_a_rolling_deployment_loses_nothing(
    deployment: Deployment,
    tmp_path: Path,
    leaving: str,
    coming: str,
    grace: float,
    end: Callable[[App, HeldCalls], int],
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
        with held_calls(sandbox) as held:
            run = scenario.start()
            held.until_waiting()

            def has_chunks(state: str, *, of_old: bool) -> bool:
                record = ChunkRecord(state, is_newer=bool(leaving) is of_old)
                return record in deployment.chunks(run["id"])

            # Both versions have lanes, and the old one has sent a chunk and waits for the next.
            until(
                lambda: has_chunks("claimed", of_old=True) and has_chunks("claimed", of_old=False)
            )

            def old_has_sent() -> bool:
                held.release()
                return has_chunks("done", of_old=True) and has_chunks("claimed", of_old=True)

            until(old_has_sent)
            assert end(old, held) == code
        run = scenario.wait(run)

        assert actual_audience(scenario.audience) == expected
        assert run["status"] == "successful"
        counts = run["counts"]
        assert counts["created"] == counts["distinct"] == len(expected)
        assert counts["notSent"] == counts["rejected"] == 0
        # Both had a part in it, and each read what the other wrote.
        assert {one.is_newer for one in deployment.chunks(run["id"])} == {True, False}
        assert scenario.run()["calls"]["write"] == 0
