"""A process that is asked to end finishes the call under way, and leaves nothing claimed or hidden."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import requests
from azure.storage.blob import ContainerClient
from azure.storage.queue import QueueClient

from devhost.api_client import ApiClient
from devhost.mailchimp import start_mailchimp
from devhost.processes import ROOT, App, Azurite, running, start_app, start_azurite
from sandbox import samples, upload
from tests.devhost.interpreters import ENGINES, interpreter_for

PEOPLE = 20_000
CALL_MS = 1500


@pytest.fixture(scope="module")
def mailchimp(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    folder = tmp_path_factory.mktemp("mailchimp")
    options = ("--call-ms", str(CALL_MS), "--read-ms", "5")
    names = [option for engine in ENGINES for option in ("--audience", engine)]
    process, sandbox = start_mailchimp(folder, (*options, *names))
    with running(process):
        yield sandbox


def calls(sandbox: dict[str, Any]) -> dict[str, Any]:
    answer: dict[str, Any] = requests.get(f"{sandbox['url']}/sandbox/calls", timeout=30).json()
    return answer


def start(azurite: Azurite, sandbox: dict[str, Any], log: Path, engine: str) -> App:
    settings = {
        "AzureWebJobsStorage": azurite.connection_string,
        "MAILCHIMP_API_URL": f"{sandbox['url']}/3.0",
    }
    # A message that stays hidden is hidden for longer than this test lasts.
    options = ("--settings", "sample", "--engine", engine, "--queue-lease", "600", "--grace", "20")
    return start_app(settings, log=log, options=options, python=interpreter_for(engine))


def begin(
    api: ApiClient, azurite: Azurite, sandbox: dict[str, Any], folder: Path, audience: str
) -> str:
    sample = samples.Sample(PEOPLE, (samples.Segment("Everybody", 1.0),), seed=3)
    samples.write(sample, folder / "segments", datetime.now(UTC))
    upload.upload(folder / "segments", azurite.connection_string, "segments")
    connection = api.connect(sandbox["apiKey"])
    export = api.define(
        displayName="Shutdown",
        connectionId=connection["id"],
        audienceId=sandbox["audiences"][audience],
        mapping={"email": "EMail", "firstName": "FirstName", "lastName": "LastName"},
        segments=[{"name": "Everybody"}],
    )
    for run in api.watch(api.start(export["id"])["id"]):
        if run["progress"]["chunksDone"] >= 5:
            return str(run["id"])
    raise AssertionError("the run ended before it could be interrupted")


@pytest.mark.parametrize("engine", ENGINES)
def test_lanes_finish_their_calls_and_release_what_they_claimed(
    engine: str, mailchimp: dict[str, Any], tmp_path: Path
) -> None:
    with running(start_azurite(tmp_path / "azurite")) as azurite:
        with running(start(azurite, mailchimp, tmp_path / "first.log", engine)) as app:
            run_id = begin(ApiClient(app.url), azurite, mailchimp, tmp_path, engine)
            asked = time.monotonic()
            app.popen.terminate()
            assert app.popen.wait(25) == 0
            took = time.monotonic() - asked
        assert took < 15, f"the process needed {took:.0f} s"
        assert "still running" not in (tmp_path / "first.log").read_text()

        connection = azurite.connection_string
        with ContainerClient.from_connection_string(connection, "leases") as leases:
            held = [blob.name for blob in leases.list_blobs() if blob.lease.state == "leased"]
        assert [name for name in held if "/slot-" in name] == []
        with QueueClient.from_connection_string(connection, "send-lanes") as queue:
            due = list(queue.peek_messages(max_messages=32))
            for _ in range(40):
                if len(due) == queue.get_queue_properties().approximate_message_count:
                    break
                time.sleep(0.25)
                due = list(queue.peek_messages(max_messages=32))
        assert len(due) >= 10, "messages of lanes are hidden"

        with running(start(azurite, mailchimp, tmp_path / "second.log", engine)) as app:
            api = ApiClient(app.url)
            runs = list(api.watch(run_id, every=0.5))
        assert runs[-1]["status"] == "successful"
        assert runs[-1]["counts"]["created"] + runs[-1]["counts"]["rejected"] > 0.9 * PEOPLE
        assert calls(mailchimp)["peakInFlight"] <= 10


def ended(code: str) -> subprocess.CompletedProcess[str]:
    """A process without a handler of its own, as a worker of the platform is, that gets SIGTERM."""
    process = subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGTERM)
    output, _ = process.communicate(timeout=30)
    return subprocess.CompletedProcess([], process.returncode, output)


def test_a_worker_of_the_platform_ends_when_its_work_has_ended() -> None:
    done = ended(
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
    began = time.monotonic()
    done = ended(
        "import time\n"
        "from shared.shutdown import Shutdown\n"
        "process = Shutdown(grace=0.3)\n"
        "process.install()\n"
        "with process.working():\n"
        "    print('ready', flush=True)\n"
        "    time.sleep(60)\n"
    )
    assert done.returncode == 128 + signal.SIGTERM
    assert time.monotonic() - began < 20
