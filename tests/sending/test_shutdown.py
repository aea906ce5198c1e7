"""A process that is asked to end finishes the call under way, and leaves nothing claimed or hidden."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from azure.storage.blob import ContainerClient
from azure.storage.queue import QueueClient

from devhost.processes import ROOT, App, Azurite, running, start_app
from sandbox.mailchimp.sandbox import Sandbox
from tests.devhost.interpreters import interpreter_for
from tests.e2e.running_app import (
    ExportScenario,
    RunningApp,
    actual_audience,
    expected_audience,
    fast_polling_app,
    settings_for,
)
from tests.held_calls import held_calls
from tests.waiting import until

LANES = 10
CHUNK = 20
PEOPLE = 3 * LANES * CHUNK


def start(storage: str, sandbox: Sandbox, folder: Path, engine: str) -> App:
    # A message that stays hidden is hidden for longer than this test lasts.
    options = ("--engine", engine, "--queue-lease", "600", "--grace", "100")
    return start_app(
        settings_for(storage, sandbox),
        app_dir=fast_polling_app(folder / "app", chunk_size=CHUNK),
        log=folder / "app.log",
        options=options,
        python=interpreter_for(engine),
    )


# tests/devhost/test_shutdown.py ends the host with both engines.
@pytest.mark.parametrize("engine", ["sdk", pytest.param("runtime", marks=pytest.mark.long)])
def test_lanes_finish_their_calls_and_release_what_they_claimed(
    engine: str, separate_storage: Callable[[], Azurite], tmp_path: Path
) -> None:
    storage = separate_storage().connection_string
    with Sandbox() as sandbox:
        with running(start(storage, sandbox, tmp_path / "first", engine)) as app:
            scenario = ExportScenario(RunningApp(storage, app, sandbox), tmp_path)
            sample = scenario.define_sample(PEOPLE)
            log = tmp_path / "first" / "app.log"
            with held_calls(sandbox, skip=5) as held:
                run = scenario.start()
                held.until_waiting(LANES)
                app.popen.terminate()
                until(lambda: "no new messages are received" in log.read_text("utf-8", "replace"))
                assert app.is_running()
            assert app.popen.wait(100) == 0
        assert "still running" not in log.read_text("utf-8", "replace")
        assert len(scenario.audience.members()) == (5 + LANES) * CHUNK

        with ContainerClient.from_connection_string(storage, "leases") as leases:
            blobs = [blob for blob in leases.list_blobs() if "/slot-" in blob.name]
        assert blobs
        assert [blob.name for blob in blobs if blob.lease.state == "leased"] == []
        with QueueClient.from_connection_string(storage, "send-lanes") as queue:
            # No message of a lane is hidden.
            until(
                lambda: (
                    len(queue.peek_messages(max_messages=32))
                    == queue.get_queue_properties().approximate_message_count
                    == LANES
                )
            )

        with running(start(storage, sandbox, tmp_path / "second", engine)) as app:
            scenario.running_app = RunningApp(storage, app, sandbox)
            ended = scenario.wait(run)
        assert ended["status"] == "successful"
        assert ended["counts"]["created"] == PEOPLE
        assert actual_audience(scenario.audience) == expected_audience(sample)
        assert sandbox.calls.peak_in_flight <= LANES


def terminated(code: str) -> subprocess.CompletedProcess[str]:
    """A process that installs no signal handler itself, as a worker of the platform, and gets SIGTERM."""
    process = subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGTERM)
    output, _ = process.communicate(timeout=100)
    return subprocess.CompletedProcess([], process.returncode, output)


def test_a_worker_of_the_platform_ends_when_its_work_has_ended() -> None:
    done = terminated(
        "import threading, time\n"
        "from shared.shutdown import PROCESS\n"
        "PROCESS.install()\n"
        "def work():\n"
        "    with PROCESS.working():\n"
        "        print('ready', flush=True)\n"
        "        while not PROCESS.requested(): time.sleep(0.01)\n"
        "        print('finished', flush=True)\n"
        "threading.Thread(target=work).start()\n"
        "time.sleep(60)\n"
    )
    assert done.returncode == 128 + signal.SIGTERM
    assert done.stdout == "finished\n"


def test_work_that_does_not_end_does_not_hold_the_process() -> None:
    done = terminated(
        "import time\n"
        "from shared.shutdown import Shutdown\n"
        "process = Shutdown(grace=0.3)\n"
        "process.install()\n"
        "with process.working():\n"
        "    print('ready', flush=True)\n"
        "    time.sleep(1000)\n"
    )
    assert done.returncode == 128 + signal.SIGTERM
