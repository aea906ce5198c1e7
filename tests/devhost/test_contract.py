"""The same app behaves the same on both engines: the SDK's converters and Azure's worker library."""

import contextlib
import json
import subprocess
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path

import pytest
import requests
from azure.storage.queue import QueueClient, TextBase64EncodePolicy

from devhost.processes import ROOT, App, Azurite, running, start_app
from tests.devhost.interpreters import ENGINES, interpreter_for
from tests.waiting import until

SAMPLE = ROOT / "tests/devhost/sample"


@dataclass
class Sample:
    """The running sample app, with the records of its functions."""

    app: App
    notes: Path
    connection: str
    queue: str

    def url(self, path: str) -> str:
        return self.app.url + path

    def read(self, name: str) -> list:
        path = self.notes / name
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def client(self, suffix: str = "", *, encode: bool = True) -> QueueClient:
        policy = {"message_encode_policy": TextBase64EncodePolicy()} if encode else {}
        return QueueClient.from_connection_string(self.connection, self.queue + suffix, **policy)


@pytest.fixture(scope="module", params=ENGINES)
def sample(
    request: pytest.FixtureRequest, azurite: Azurite, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Sample]:
    python = interpreter_for(request.param)
    notes = tmp_path_factory.mktemp("notes")
    queue = f"orders-{uuid.uuid4().hex[:8]}"
    settings = {
        "AzureWebJobsStorage": azurite.connection_string,
        "NOTES_DIR": str(notes),
        "ORDERS": queue,
        "TICKS": "* * * * * *",
    }
    options = ("--engine", request.param, "--queue-lease", "2")
    with running(
        start_app(settings, app_dir=SAMPLE, log=notes / "app.log", options=options, python=python)
    ) as app:
        yield Sample(app, notes, azurite.connection_string, queue)


def test_a_request_has_the_same_form_as_in_azure(sample):
    answer = requests.post(
        sample.url("API/Echo/a%20b%2Fc/?x=1&x=2&empty="),
        data="text",
        headers={"X-Thing": "seen"},
        timeout=100,
    )
    content = answer.json()
    assert answer.status_code == 201
    assert content["route"] == {"id": "a b%2Fc"}
    assert content["query"] == {"x": "1,2"}
    assert content["header"] == "seen"
    assert content["body"] == "text"
    assert content["function"] == "echo"
    assert content["hasId"]


def test_two_cookies_are_two_headers_with_encoded_values(sample):
    answer = requests.get(sample.url("api/echo/1"), timeout=100)
    cookies = answer.raw.headers.getlist("Set-Cookie")
    assert [cookie.split(";")[0] for cookie in cookies] == ["a=1", "b=x%2By%3D"]
    assert "; httponly" in cookies[0]
    assert "; samesite=lax" in cookies[1]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "", 200),
        ("GET", "files/a/b.txt", 200),
        ("GET", "files", 200),
        ("GET", "api/soon", 200),
        ("GET", "api/broken", 500),
        ("GET", "nowhere", 404),
        ("GET", "api/echo/1/2", 404),
        ("DELETE", "api/echo/1", 404),  # not 405: so does the cloud
        ("HEAD", "api/echo/1", 404),
    ],
)
def test_a_path_returns_the_same_status_as_the_real_host(sample, method, path, status):
    assert requests.request(method, sample.url(path), timeout=100).status_code == status


def test_a_queued_message_is_processed_once_and_deleted(sample):
    text = f"order {uuid.uuid4()}"
    assert requests.post(sample.url("api/order"), data=text, timeout=100).status_code == 202
    until(lambda: any(one["text"] == text for one in sample.read("work")))
    until(lambda: sample.client().get_queue_properties().approximate_message_count == 0)
    assert [one["count"] for one in sample.read("work") if one["text"] == text] == [1]


def test_a_failing_message_moves_to_the_poison_queue_after_its_attempts(sample):
    text = f"fail {uuid.uuid4()}"
    requests.post(sample.url("api/order"), data=text, timeout=100)
    poison = sample.client("-poison")
    until(lambda: exists(poison) and poison.get_queue_properties().approximate_message_count > 0)
    assert [one["count"] for one in sample.read("work") if one["text"] == text] == [1, 2, 3]
    poison.clear_messages()


def test_a_message_that_is_not_base64_moves_to_the_poison_queue_without_running(sample):
    requests.post(sample.url("api/order"), data="first", timeout=100)
    until(lambda: exists(sample.client()))
    before = len(sample.read("work"))
    poison = sample.client("-poison", encode=False)
    sample.client(encode=False).send_message("not base64!")
    until(lambda: exists(poison) and poison.get_queue_properties().approximate_message_count > 0)
    assert [one.content for one in poison.peek_messages()] == ["not base64!"]
    assert all("not base64" not in one["text"] for one in sample.read("work")[before:])
    poison.clear_messages()


def test_a_function_that_runs_longer_than_the_lease_is_not_run_twice(sample):
    text = "slow 3"  # the lease is 2 seconds here
    requests.post(sample.url("api/order"), data=text, timeout=100)
    until(lambda: text in sample.read("slow"))
    until(lambda: sample.client().get_queue_properties().approximate_message_count == 0)
    assert len([one for one in sample.read("work") if one["text"] == text]) == 1


def test_a_timer_follows_its_schedule(sample):
    until(lambda: len(sample.read("clock")) >= 2)


def test_a_function_can_be_run_manually_from_this_machine_only(sample):
    url = sample.url("admin/functions/work")
    text = f"by hand {uuid.uuid4()}"
    assert requests.post(url, json={"input": text}, timeout=100).status_code == 202
    until(lambda: any(one["text"] == text for one in sample.read("work")))
    assert requests.post(url, data="{}", timeout=100).status_code == 403
    page = {"Origin": "https://example.com"}
    assert requests.post(url, json={}, headers=page, timeout=100).status_code == 403
    assert (
        requests.post(sample.url("admin/functions/echo"), json={}, timeout=100).status_code == 404
    )


def test_a_request_with_another_host_name_is_refused(sample):
    other = {"Host": "example.com"}
    assert requests.get(sample.url("api/soon"), headers=other, timeout=100).status_code == 421


def test_a_connection_stays_open_after_responses_and_faults(sample):
    connection = HTTPConnection(sample.app.url.split("/")[2], timeout=100)
    with contextlib.closing(connection):
        connection.connect()
        socket = connection.sock
        for path in ("/api/soon", "/nowhere", "/api/broken", "/files/x") * 5:
            connection.request("POST", path, body=b"x" * 70_000)
            connection.getresponse().read()
            assert connection.sock is socket


def test_many_simultaneous_callers_are_answered(sample):
    def call(number: int) -> str:
        return requests.get(sample.url(f"files/{number}"), timeout=100).text

    with ThreadPoolExecutor(50) as pool:
        assert list(pool.map(call, range(500))) == [str(one) for one in range(500)]


def test_the_log_contains_run_ids_and_no_content(sample):
    secret = f"secret-{uuid.uuid4()}"
    requests.post(sample.url(f"api/echo/{secret}?q={secret}"), data=secret, timeout=100)
    requests.post(sample.url("api/order"), data=secret, timeout=100)
    until(lambda: any(one["text"] == secret for one in sample.read("work")))
    log = (sample.notes / "app.log").read_text()
    assert "Executed 'echo' (Succeeded, Id=" in log
    assert secret not in log


FAULTS = {
    "def f(other: func.HttpRequest) -> func.HttpResponse: ...": "other",
    "def f(req: int) -> func.HttpResponse: ...": "req",
    "def f(req: func.HttpRequest) -> int: ...": "return",
    "def f(req: func.HttpRequest, context: int) -> func.HttpResponse: ...": "context",
    "def f(req: func.Out[str]) -> func.HttpResponse: ...": "req",
}

# Starts the host once for each folder. Importing it takes longer than all starts, so each start is a copy
# of one process that has imported it.
START_EACH = """
import os, sys
from pathlib import Path
from devhost.__main__ import main
engine, *folders = sys.argv[1:]
for folder in folders:
    if not (child := os.fork()):
        with Path(folder, "stderr").open("w") as output:
            os.dup2(output.fileno(), 2)
            code = main(["--app", folder, "--port", "0", "--engine", engine])
            sys.stderr.flush()
            os._exit(code)
    _, status = os.waitpid(child, 0)
    Path(folder, "code").write_text(str(os.waitstatus_to_exitcode(status)))
"""


@pytest.mark.parametrize("engine", ENGINES)
def test_an_app_that_azure_would_not_load_does_not_start(engine, tmp_path):
    folders = []
    for number, source in enumerate(FAULTS):
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / "host.json").write_text('{"version": "2.0"}')
        (folder / "function_app.py").write_text(
            f'import azure.functions as func\napp = func.FunctionApp()\n@app.route("x")\n{source}\n'
        )
        folders.append(folder)
    subprocess.run(
        [interpreter_for(engine), "-c", START_EACH, engine, *folders],
        cwd=ROOT, timeout=100, check=True,
    )  # fmt: skip
    for folder, (source, fault) in zip(folders, FAULTS.items(), strict=True):
        assert (folder / "code").read_text() == "1", source
        first = (folder / "stderr").read_text().splitlines()[0]
        assert " f " in first
        assert fault in first


@pytest.mark.parametrize("engine", ENGINES)
def test_the_real_app_loads_and_answers_every_method(engine, azurite, tmp_path):
    python = interpreter_for(engine)
    sample = json.loads((ROOT / "local.settings.sample.json").read_text())["Values"]
    settings = {**sample, "AzureWebJobsStorage": azurite.connection_string}
    log = tmp_path / "app.log"
    with running(start_app(settings, log=log, options=("--engine", engine), python=python)) as app:
        assert requests.get(app.url + "api/health", timeout=100).json() == {"status": "ok"}
        for method in ("PATCH", "OPTIONS"):
            refused = requests.request(method, app.url + "api/schedule", timeout=100)
            assert (refused.status_code, refused.headers["Allow"]) == (405, "GET, HEAD, PUT")
    assert app.popen.returncode == 0
    assert "overlap" not in log.read_text(), "routes must not depend on the host's version"


def exists(queue: QueueClient) -> bool:
    from azure.core.exceptions import ResourceNotFoundError

    try:
        queue.get_queue_properties()
    except ResourceNotFoundError:
        return False
    return True
