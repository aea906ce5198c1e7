"""Faults of Mailchimp: invalid keys, ten connections, proxies, broken connections."""

import threading
from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

import pytest
import requests

from sandbox.mailchimp import AudienceView, Fault, Options, Sandbox
from tests.sandbox.conftest import Call, Clock, person

Subscribe = Callable[..., Any]


def batch(*addresses: str) -> dict[str, Any]:
    return {"members": [person(address) for address in addresses], "update_existing": True}


def test_keys_and_tokens_are_accepted_as_at_mailchimp(sandbox: Sandbox) -> None:
    token = sandbox.token(sandbox.app("http://127.0.0.1/back"))

    def status(auth: Any = None, header: str | None = None) -> tuple[int, str]:
        headers = {"Authorization": header} if header else {}
        answer = requests.get(f"{sandbox.api_url}/", auth=auth, headers=headers, timeout=100)
        return answer.status_code, answer.json().get("title", "")

    assert status(("anything", sandbox.api_key)) == (200, "")
    assert status(("anything", f"{token}-us1")) == (200, "")
    assert status(header=f"Bearer {token}") == (200, "")
    assert status() == (401, "API Key Missing")
    invalid = (401, "API Key Invalid")
    assert status(("anything", sandbox.api_key.replace("us1", "us2"))) == invalid
    assert status(("anything", f"{token}-us2")) == invalid
    assert status(header="Bearer nonsense") == invalid
    assert status(header="Basic nonsense") == invalid


def test_a_revoked_grant_and_a_disabled_account_are_reported(sandbox: Sandbox, call: Call) -> None:
    sandbox.disable()
    assert (call("GET", "/ping").status_code, call("GET", "/ping").json()["title"]) == (
        403,
        "User Disabled",
    )
    sandbox.disable(False)
    assert call("GET", "/ping").status_code == 200
    sandbox.revoke()
    assert call("GET", "/ping").json()["title"] == "API Key Invalid"


def test_accounts_are_isolated_from_each_other(sandbox: Sandbox, call: Call) -> None:
    other = sandbox.world.add_account("Other")
    theirs = sandbox.audience("Theirs", account=other)

    assert call("GET", f"/lists/{theirs.id}").status_code == 404
    assert [found["name"] for found in call("GET", "/lists").json()["lists"]] == ["Newsletter"]


def test_a_wrong_method_returns_the_allowed_ones(call: Call) -> None:
    answer = call("DELETE", "LIST/tag-search")

    assert (answer.status_code, answer.headers["Allow"]) == (405, "GET")


def test_a_body_that_is_not_json_is_refused(call: Call) -> None:
    answer = call("POST", "LIST", data=b"{members")

    assert (answer.status_code, answer.json()["title"]) == (400, "JSON Parse Error")


def test_every_response_has_a_request_id_that_its_problem_repeats(call: Call) -> None:
    answer = call("GET", "/nowhere")

    assert answer.headers["X-Request-Id"] == answer.json()["instance"]
    assert set(answer.json()) == {"type", "title", "status", "detail", "instance"}


def test_a_too_large_request_is_refused(call: Call, sandbox: Sandbox) -> None:
    sandbox.set(max_body_bytes=1000)

    assert call("POST", "LIST", batch(*[f"p{n}@example.com" for n in range(50)])).status_code == 413


class Gate:
    """A sleep that blocks every caller until it is opened."""

    def __init__(self) -> None:
        self.opened = threading.Event()
        self.waiting = threading.Semaphore(0)

    def __call__(self, seconds: float) -> None:
        self.waiting.release()
        assert self.opened.wait(100)


@pytest.fixture
def gate() -> Gate:
    return Gate()


@pytest.fixture
def slow(gate: Gate) -> Iterator[Sandbox]:
    with Sandbox(Options(call_ms=1), sleep=gate) as sandbox:
        yield sandbox
        gate.opened.set()


@pytest.mark.parametrize(
    ("answers", "status", "kind"),
    [
        ("json", 429, "application/problem+json; charset=utf-8"),
        ("bare", 429, "text/plain"),
        ("html-403", 403, "text/html; charset=utf-8"),
    ],
)
def test_the_eleventh_call_in_flight_is_throttled(
    slow: Sandbox, gate: Gate, answers: str, status: int, kind: str
) -> None:
    slow.set(throttle_answer=answers)
    audience = slow.audience("Newsletter")
    url, auth = f"{slow.api_url}/lists/{audience.id}", ("x", slow.api_key)
    done: list[int] = []

    def send(number: int) -> None:
        body = batch(f"p{number}@example.com")
        done.append(requests.post(url, json=body, auth=auth, timeout=60).status_code)

    threads = [threading.Thread(target=send, args=(number,)) for number in range(10)]
    for thread in threads:
        thread.start()
    for _ in threads:
        assert gate.waiting.acquire(timeout=100)

    over = requests.get(f"{slow.api_url}/ping", auth=auth, timeout=100)
    other = slow.world.add_account("Other")
    theirs = requests.get(f"{slow.api_url}/ping", auth=("x", min(other.keys)), timeout=100)
    gate.opened.set()
    for thread in threads:
        thread.join(30)
    after = requests.get(f"{slow.api_url}/ping", auth=auth, timeout=100)

    assert (over.status_code, over.headers["Content-Type"]) == (status, kind)
    assert (theirs.status_code, after.status_code) == (200, 200)
    assert done == [200] * 10
    assert (slow.calls.throttled, slow.calls.peak_in_flight) == (1, 11)


def test_the_duration_of_a_call_depends_on_its_members(
    sandbox: Sandbox, clock: Clock, subscribe: Subscribe, call: Call
) -> None:
    sandbox.set(call_ms=100, member_ms=5, read_ms=20, read_member_ms=1)
    start = clock.now

    subscribe(*(person(f"p{n}@example.com") for n in range(200)))
    written = clock.now
    call("GET", "LIST/members?count=100")

    assert written - start == pytest.approx(1.1)
    assert clock.now - written == pytest.approx(0.12)


def test_the_work_of_the_sandbox_is_part_of_the_duration_of_a_call() -> None:
    times = count(1_790_000_000)
    slept: list[float] = []
    with Sandbox(Options(read_ms=100_000), now=lambda: next(times), sleep=slept.append) as sandbox:
        requests.get(f"{sandbox.api_url}/ping", auth=("x", sandbox.api_key), timeout=100)
        sandbox.set(read_ms=1)
        requests.get(f"{sandbox.api_url}/ping", auth=("x", sandbox.api_key), timeout=100)

    long, short = slept
    assert 0 < long < 100
    assert short == 0


@pytest.mark.parametrize(
    ("kind", "status", "is_json", "applied"),
    [
        ("429", 429, True, False),
        ("429-bare", 429, False, False),
        ("403-html", 403, False, False),
        ("403-disabled", 403, True, False),
        ("500", 500, True, False),
        ("503-html", 503, False, False),
        ("504", 504, False, False),
        ("504-applied", 504, False, True),
        ("not-json", 200, False, True),
        ("200-html", 200, False, False),
    ],
)
def test_responses_are_broken_on_request(
    sandbox: Sandbox,
    call: Call,
    audience: AudienceView,
    kind: str,
    status: int,
    is_json: bool,
    applied: bool,
) -> None:
    fault = sandbox.arm(Fault(kind=kind))

    answer = call("POST", "LIST", batch("ada@example.com"))

    assert answer.status_code == status
    assert ("json" in answer.headers["Content-Type"]) == is_json
    assert bool(audience.members()) == applied
    assert fault.affected == 1
    assert call("POST", "LIST", batch("ada@example.com")).status_code == 200


@pytest.mark.parametrize(("kind", "applied"), [("reset", False), ("reset-applied", True)])
def test_the_connection_is_cut_on_request(
    sandbox: Sandbox, call: Call, audience: AudienceView, kind: str, applied: bool
) -> None:
    sandbox.arm(Fault(kind=kind))

    with pytest.raises(requests.ConnectionError):
        call("POST", "LIST", batch("ada@example.com"))

    assert bool(audience.members()) == applied
    assert call("GET", "/ping").status_code == 200


def test_a_response_is_truncated_on_request(
    sandbox: Sandbox, call: Call, audience: AudienceView
) -> None:
    sandbox.arm(Fault(kind="truncated"))

    with pytest.raises((requests.ConnectionError, requests.exceptions.ChunkedEncodingError)):
        call("POST", "LIST", batch("ada@example.com"))

    assert set(audience.members()) == {"ada@example.com"}


def test_a_call_hangs_for_the_requested_time(sandbox: Sandbox, call: Call, clock: Clock) -> None:
    sandbox.arm(Fault(kind="hang", seconds=90))
    start = clock.now

    assert call("GET", "/ping").status_code == 200
    assert clock.now - start == 90


def test_faults_match_selected_calls(sandbox: Sandbox, call: Call) -> None:
    sandbox.arm(Fault(kind="500", method="GET", path="/members$", times=2, skip=1))

    statuses = [
        call(method, path, body).status_code
        for method, path, body in [
            ("GET", "LIST/members", None),
            ("GET", "LIST/segments", None),
            ("GET", "LIST/members", None),
            ("POST", "LIST", batch("a@example.com")),
            ("GET", "LIST/members", None),
            ("GET", "LIST/members", None),
        ]
    ]

    assert statuses == [200, 200, 500, 200, 500, 200]


def test_random_faults_are_repeatable(sandbox: Sandbox, call: Call) -> None:
    def run() -> list[int]:
        sandbox.disarm()
        sandbox.arm(Fault(kind="429", probability=0.3, seed=7, times=None))
        return [call("GET", "/ping").status_code for _ in range(40)]

    first = run()

    assert run() == first
    assert 3 < first.count(429) < 25


def test_an_unknown_fault_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown kind"):
        Fault(kind="volcano")
    with pytest.raises(ValueError, match="regular expression"):
        Fault(kind="500", path="(")


def test_large_responses_are_compressed_if_the_caller_supports_it(
    call: Call, audience: AudienceView
) -> None:
    for number in range(100):
        audience.add(f"p{number}@example.com")

    packed = call("GET", "LIST/members?count=100", headers={"Accept-Encoding": "gzip"})
    plain = call("GET", "LIST/members?count=100", headers={"Accept-Encoding": "identity"})

    assert packed.headers["Content-Encoding"] == "gzip"
    assert "Content-Encoding" not in plain.headers
    assert packed.json() == plain.json()
    assert int(packed.headers["Content-Length"]) * 5 < len(plain.content)


def test_a_chunked_request_is_accepted(call: Call, audience: AudienceView) -> None:
    def pieces() -> Iterator[bytes]:
        yield b'{"update_existing": true, "members": '
        yield b'[{"email_address": "ada@example.com", "status": "subscribed"}]}'

    assert call("POST", "LIST", data=pieces()).status_code == 200
    assert set(audience.members()) == {"ada@example.com"}
