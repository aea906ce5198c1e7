"""The host stops in time, and messages survive both a shutdown and a crash."""

import json
import uuid
from pathlib import Path

import pytest
import requests

from devhost.processes import ROOT, App, running, start_app
from devhost.queues import put
from tests.waiting import until

SAMPLE = ROOT / "tests/devhost/sample"


@pytest.fixture
def settings(storage, tmp_path):
    return {
        "AzureWebJobsStorage": storage,
        "NOTES_DIR": str(tmp_path),
        "ORDERS": f"ending-{uuid.uuid4().hex[:8]}",
        "TICKS": "0 0 0 1 1 *",
    }


def start(settings: dict[str, str], *options: str) -> App:
    log = Path(settings["NOTES_DIR"]) / "app.log"
    return start_app(
        settings,
        app_dir=SAMPLE,
        log=log,
        options=("--engine", "sdk", "--queue-lease", "2", *options),
    )


def attempts(notes: Path) -> list[dict]:
    path = notes / "work"
    lines = path.read_text().splitlines() if path.exists() else []
    return [json.loads(line) for line in lines]


def until_attempts(notes: Path, count: int) -> list[dict]:
    until(lambda: len(attempts(notes)) >= count)
    return attempts(notes)


def end_functions(notes: Path) -> None:
    """End the running functions, which would otherwise run for a long time."""
    (notes / "end").touch()


def until_shutdown(log: Path) -> None:
    until(lambda: "no new messages are received; 1 functions are running" in log.read_text())


def test_a_message_of_a_killed_host_is_delivered_again_after_its_lease(settings, tmp_path):
    with running(start(settings)) as app:
        requests.post(app.url + "api/order", data="slow 100", timeout=60)
        until_attempts(tmp_path, 1)
        app.kill()
    assert not (tmp_path / "slow").exists()
    end_functions(tmp_path)
    with running(start(settings)):
        attempts = until_attempts(tmp_path, 2)
    assert [one["count"] for one in attempts] == [1, 2]


def test_running_functions_have_time_to_finish_at_shutdown(settings, tmp_path):
    with running(start(settings, "--grace", "100")) as app:
        requests.post(app.url + "api/order", data="slow 100", timeout=60)
        until_attempts(tmp_path, 1)
        app.popen.terminate()
        until_shutdown(tmp_path / "app.log")
        assert app.is_running()
        end_functions(tmp_path)
        assert app.popen.wait(100) == 0
    assert (tmp_path / "slow").exists()
    with running(start(settings)) as again:
        assert requests.get(again.url, timeout=100).text == "home"
    assert len(until_attempts(tmp_path, 1)) == 1


def test_a_host_that_is_shutting_down_receives_no_message(settings, tmp_path, storage):
    with running(start(settings, "--grace", "100")) as app:
        requests.post(app.url + "api/order", data="slow 100", timeout=60)
        until_attempts(tmp_path, 1)
        app.popen.terminate()
        until_shutdown(tmp_path / "app.log")
        put(storage, settings["ORDERS"], ["late"], encode=True)
        end_functions(tmp_path)
        assert app.popen.wait(100) == 0
    assert (tmp_path / "slow").exists()
    assert [one["text"] for one in until_attempts(tmp_path, 1)] == ["slow 100"]
    with running(start(settings)):
        until_attempts(tmp_path, 2)
    assert "late" in [one["text"] for one in until_attempts(tmp_path, 2)]


def test_a_function_that_never_ends_does_not_block_shutdown(settings, tmp_path):
    with running(start(settings, "--grace", "0.5")) as app:
        requests.post(app.url + "api/order", data="slow 100", timeout=60)
        until_attempts(tmp_path, 1)
        assert app.stop(patience=100) == 0  # a kill would give -9
    assert "still running" in (tmp_path / "app.log").read_text()
