"""The local host treats unusual requests, responses and messages as Microsoft's Functions host does.

The expectations were measured on that host (4.1037, Python worker 4.34).
"""

import base64
import json
import re
import socket
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlsplit

import pytest
from azure.core.exceptions import ResourceNotFoundError
from azure.storage.queue import QueueClient

from devhost.processes import ROOT, Azurite, running, start_app
from tests.devhost.interpreters import ENGINES, interpreter_for
from tests.waiting import until

APP = ROOT / "tests/devhost/catch_all"
TRIES = 5


@dataclass
class Answer:
    """One response as it came over the wire: its head as text, the rest as bytes."""

    head: str
    rest: bytes

    @property
    def status(self) -> int:
        return int(self.head.split(" ", 2)[1])

    def header(self, name: str) -> str | None:
        found = re.search(rf"^{name}: (.*)$", self.head, re.IGNORECASE | re.MULTILINE)
        return found and found[1].strip()

    @property
    def body(self) -> bytes:
        if self.header("Transfer-Encoding") != "chunked":
            return self.rest
        body, rest = b"", self.rest
        while True:
            size, _, rest = rest.partition(b"\r\n")
            if int(size, 16) == 0:
                assert rest == b"\r\n"
                return body
            body += rest[: int(size, 16)]
            rest = rest[int(size, 16) + 2 :]

    def json(self) -> dict:
        return json.loads(self.body)


@dataclass
class Running:
    """The running app, with its queue and the records of its functions."""

    address: tuple[str, int]
    notes: Path
    storage: str
    queue: str

    def raw(self, data: bytes) -> Answer:
        with socket.create_connection(self.address, timeout=60) as connection:
            connection.sendall(data)
            received = b""
            while part := connection.recv(65536):
                received += part
        head, _, rest = received.partition(b"\r\n\r\n")
        return Answer(head.decode("latin-1"), rest)

    def ask(self, target: str, method: str = "GET", headers: str = "", body: str = "") -> Answer:
        host = f"{self.address[0]}:{self.address[1]}"
        request = (
            f"{method} {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{headers}\r\n"
        )
        return self.raw((request + body).encode("latin-1"))

    def respond(self, method: str = "GET", **wanted: object) -> Answer:
        return self.ask(f"/api/respond?as={quote(json.dumps(wanted))}", method)

    def path_seen(self, target: str) -> str:
        return urlsplit(self.ask(target).json()["url"]).path

    def tries(self, function: str) -> list:
        path = self.notes / function
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def client(self, suffix: str = "") -> QueueClient:
        return QueueClient.from_connection_string(self.storage, self.queue + suffix)


@pytest.fixture(scope="module", params=ENGINES)
def host(
    request: pytest.FixtureRequest, azurite: Azurite, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Running]:
    python = interpreter_for(request.param)
    notes = tmp_path_factory.mktemp("notes")
    queue = f"orders-{uuid.uuid4().hex[:8]}"
    settings = {
        "AzureWebJobsStorage": azurite.connection_string,
        "NOTES_DIR": str(notes),
        "ORDERS": queue,
    }
    options = ("--engine", request.param, "--queue-lease", "1")
    with running(
        start_app(settings, app_dir=APP, log=notes / "app.log", options=options, python=python)
    ) as app:
        parts = urlsplit(app.url)
        yield Running(
            (str(parts.hostname), int(parts.port or 0)),
            notes,
            settings["AzureWebJobsStorage"],
            queue,
        )


def test_a_body_sent_in_chunks_arrives_empty_with_its_header(host):
    sent = "5\r\nhello\r\n0\r\n\r\n"
    seen = host.ask("/api/x", "POST", "Transfer-Encoding: chunked\r\n", sent).json()
    assert seen["body"] == ""
    assert seen["headers"]["transfer-encoding"] == "chunked"
    assert host.ask("/api/x", "POST", "Content-Length: 5\r\n", "hello").json()["body"] == "hello"


def test_a_request_after_a_chunked_one_on_the_same_connection_is_answered(host):
    name = f"{host.address[0]}:{host.address[1]}"
    first = f"POST /api/x HTTP/1.1\r\nHost: {name}\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
    second = f"GET /api/second HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n\r\n"
    answers = host.raw((first + second).encode())
    assert answers.status == 200
    assert b"/api/second" in answers.rest


def test_a_response_is_sent_in_chunks_unless_the_app_sets_its_length(host):
    without = host.respond(body="hello")
    assert without.header("Content-Length") is None
    assert without.header("Transfer-Encoding") == "chunked"
    assert without.body == b"hello"
    given = host.respond(body="hello", headers={"Content-Length": "5"})
    assert given.header("Content-Length") == "5"
    assert given.header("Transfer-Encoding") is None
    assert given.rest == b"hello"


@pytest.mark.parametrize(("method", "status"), [("HEAD", 200), ("GET", 204), ("GET", 304)])
def test_a_response_that_can_have_no_body_is_not_sent_in_chunks(host, method, status):
    answer = host.respond(method, status=status)
    assert answer.status == status
    assert answer.header("Transfer-Encoding") is None
    assert answer.header("Content-Length") is None
    assert answer.rest == b""


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Thing": "café"},
        {"X-Thing": "가"},
        {"X-Thing": "a\x00b"},
        {"X-Thing": "a\r\nX-Other: b"},
        {"X Thing": "a"},
        {"Content-Length": "3"},
        {"Content-Length": "300"},
        {"Content-Length": "four"},
    ],
)
def test_a_response_that_http_cannot_carry_becomes_an_empty_500(host, headers):
    answer = host.respond(headers=headers)
    assert answer.status == 500
    assert answer.rest == b""
    assert answer.header("X-Other") is None


def test_a_transfer_encoding_set_by_the_app_empties_the_body(host):
    answer = host.respond(headers={"Transfer-Encoding": "chunked"})
    assert answer.status == 200
    assert answer.body == b""


@pytest.mark.parametrize(
    "path",
    ["/admin/host/status", "/admin/host/x", "/ADMIN/Host/status", "/runtime/webhooks/blobs",
     "/runtime/webhooks/x?code=y", "/api/../admin/host/status", "/%61dmin/host/status"],
)  # fmt: skip
def test_reserved_paths_of_the_host_never_reach_the_app(host, path):
    answer = host.ask(path)
    assert answer.status == 401
    assert answer.rest == b""


@pytest.mark.parametrize("path", ["/admin/x", "/admin", "/runtime/x", "/admin/hosting"])
def test_other_paths_below_admin_and_runtime_reach_the_app(host, path):
    assert host.path_seen(path) == path


@pytest.mark.parametrize(
    ("target", "seen"),
    [
        ("/api/../secret", "/secret"),
        ("/api/%2e%2e/secret", "/secret"),
        ("/api/.%2E/secret", "/secret"),
        ("/api/./x", "/api/x"),
        ("/api/%2e/x", "/api/x"),
        ("/../../x", "/x"),
        ("/api/x/..", "/api/"),
        ("/api/...", "/api/..."),
        ("/api/..%2fsecret", "/api/..%2Fsecret"),
        ("/api/%zz", "/api/%25zz"),
        ("/api/%", "/api/%25"),
        ("/api/%41%20b", "/api/A%20b"),
        ("/api/%EA%B0%80", "/api/%EA%B0%80"),
        ("/api/%E9", "/api/%E9"),
    ],
)
def test_the_url_of_a_request_is_its_resolved_path_encoded_again(host, target, seen):
    assert host.path_seen(target) == seen


@pytest.mark.parametrize(
    ("target", "status"),
    [
        ("//host/x", 404),
        ("/caf\xe9", 400),
        ("/api/x?name=caf\xe9", 400),
        ("/api/%00", 400),
        ("/api/a%00b", 400),
        ("http://{host}/api/x", 400),
        ("/api/x?" + "q" * 20_000, 414),
        ("/api/x?" + "q" * 200_000, 414),
    ],
)
def test_an_unusual_request_target_is_refused_with_an_empty_response(host, target, status):
    answer = host.ask(target.replace("{host}", f"{host.address[0]}:{host.address[1]}"))
    assert answer.status == status
    assert answer.rest == b""


def test_headers_of_more_than_32_kilobytes_or_100_lines_are_refused(host):
    assert host.ask("/api/x", headers=f"X-Long: {'x' * 50_000}\r\n").status == 431
    assert host.ask("/api/x", headers="X-Many: 1\r\n" * 101).status == 431


def test_a_method_in_lower_case_is_accepted(host):
    answer = host.ask("/api/x", "get")
    assert answer.status == 200
    assert answer.json()["method"].upper() == "GET"


def test_cookies_are_written_as_the_real_host_writes_them(host):
    answer = host.respond(
        cookies=[
            "__Host-a=x%3Dy; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=60",
            "b=1; Domain=example.org; Path=/p; SameSite=Strict",
        ]
    )
    cookies = re.findall(r"^Set-Cookie: (.*)$", answer.head.replace("\r", ""), re.MULTILINE)
    assert cookies == [
        "__Host-a=x%253Dy; max-age=60; domain=; path=/; secure; samesite=lax; httponly",
        "b=1; domain=example.org; path=/p; samesite=strict",
    ]


UNDECODABLE = ("not base64!", base64.b64encode(b"\xff\xfe no UTF-8").decode())


def test_undecodable_messages_fail_and_stay_in_the_poison_queue(host):
    log = host.notes / "app.log"
    before = failures(log)
    tried = TRIES * len(UNDECODABLE)
    for content in UNDECODABLE:
        send(host.client(), content)
    until(lambda: failures(log) == (before[0] + tried, before[1] + tried))
    time.sleep(2.5)  # two leases: they are not tried again, and not moved on
    assert failures(log) == (before[0] + tried, before[1] + tried)
    assert waiting(host.client()) == 0
    assert waiting(host.client("-poison")) == len(UNDECODABLE)
    assert waiting(host.client("-poison-poison")) == 0
    texts = {text for text, _ in host.tries("work") + host.tries("work_poison")}
    assert texts.isdisjoint(UNDECODABLE)
    host.client("-poison").clear_messages()


def test_a_message_whose_poison_function_fails_stays_in_the_poison_queue(host):
    text = f"bad {uuid.uuid4()}"
    send(host.client(), base64.b64encode(text.encode()).decode())
    until(lambda: len([one for one in host.tries("work_poison") if one[0] == text]) == TRIES)
    time.sleep(2.5)
    for function in ("work", "work_poison"):
        assert [count for one, count in host.tries(function) if one == text] == [1, 2, 3, 4, 5]
    assert waiting(host.client("-poison")) == 1
    assert waiting(host.client("-poison-poison")) == 0
    host.client("-poison").clear_messages()


def failures(log: Path) -> tuple[int, int]:
    """How often the queue function and its poison function failed, by the host's log."""
    text = log.read_text()
    return text.count("Executed 'work' (Failed"), text.count("Executed 'work_poison' (Failed")


def send(queue: QueueClient, content: str) -> None:
    try:
        queue.send_message(content)
    except ResourceNotFoundError:
        queue.create_queue()
        queue.send_message(content)


def waiting(queue: QueueClient) -> int:
    """The number of messages in a queue, with hidden ones."""
    try:
        return queue.get_queue_properties().approximate_message_count or 0
    except ResourceNotFoundError:
        return 0
