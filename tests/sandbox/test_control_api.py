"""The control API, its pages, and the command line."""

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import requests

from sandbox.mailchimp import AudienceView, Sandbox
from tests.sandbox.conftest import Call, Clock, person


def control(sandbox: Sandbox, method: str, path: str, body: Any = None) -> requests.Response:
    return requests.request(method, f"{sandbox.url}/sandbox{path}", json=body, timeout=100)


def test_pages_show_stored_data_and_escape_it(
    sandbox: Sandbox, call: Call, audience: AudienceView
) -> None:
    nasty = sandbox.audience("<script>alert(1)</script>")
    nasty.add("ada@example.com", merge_fields={"FNAME": "<b>"}, tags=["<i>"])
    call("POST", "LIST", {"members": [person("bob@example.com")]})

    overview = control(sandbox, "GET", "/").text
    page = control(sandbox, "GET", f"/audiences/{nasty.id}").text

    assert "Newsletter" in overview
    assert "POST /lists/{list_id}" in overview
    for text in (overview, page):
        assert "<script>" not in text
        assert "&lt;script&gt;" in text
    assert "&lt;b&gt;" in page
    assert "&lt;i&gt;" in page


def test_all_members_of_an_audience_can_be_read(sandbox: Sandbox, audience: AudienceView) -> None:
    for number in range(2500):
        audience.add(f"p{number}@example.com", merge_fields={"FNAME": "Ada"}, tags=["VIP"])

    lines = control(sandbox, "GET", f"/audiences/{audience.id}/members").text.splitlines()

    assert len(lines) == 2500
    assert json.loads(lines[7]) == {
        "email_address": "p7@example.com",
        "status": "subscribed",
        "cause": "",
        "merge_fields": {"FNAME": "Ada"},
        "tags": ["VIP"],
    }


def test_people_and_audiences_are_created_by_the_control_api(sandbox: Sandbox) -> None:
    account = control(sandbox, "POST", "/accounts", {"name": "Second"}).json()
    made = control(
        sandbox,
        "POST",
        "/audiences",
        {"name": "New", "account": account["id"], "doubleOptIn": True},
    ).json()
    gone = {"email_address": "gone@example.com", "status": "unsubscribed", "cause": "self"}
    people = {"members": [gone, {"email_address": "here@example.com", "tags": ["VIP"]}]}

    written = control(sandbox, "POST", f"/audiences/{made['id']}/members", people)
    shown = control(sandbox, "GET", "/audiences").json()["value"]

    assert written.json() == {"written": 2}
    assert [a["statuses"] for a in shown] == [{"unsubscribed": 1, "subscribed": 1}]
    assert shown[0]["tags"][0]["people"] == 1
    assert sandbox.calls.count() == 0


def test_calls_are_counted_and_the_counts_can_be_reset(
    sandbox: Sandbox, call: Call, clock: Clock
) -> None:
    call("POST", "LIST", {"members": [person("a@example.com"), person("b@example.com")]})
    posted_at = clock.now
    clock.sleep(5)
    call("GET", "LIST/members/a@example.com")

    counted = control(sandbox, "GET", "/calls").json()
    last = control(sandbox, "GET", "/calls/last").text

    assert counted["byRoute"] == {
        "GET /lists/{list_id}/members/{subscriber_hash}": 1,
        "POST /lists/{list_id}": 1,
    }
    assert counted["lastEnd"] == {
        "GET /lists/{list_id}/members/{subscriber_hash}": posted_at + 5,
        "POST /lists/{list_id}": posted_at,
    }
    assert (counted["membersCarried"], counted["peakInFlight"]) == (2, 1)
    assert "example.com" not in last
    assert control(sandbox, "DELETE", "/calls").json()["total"] == 0


def test_options_and_faults_are_set_by_the_control_api(sandbox: Sandbox, call: Call) -> None:
    assert control(sandbox, "PATCH", "/options", {"language": "de"}).json()["language"] == "de"
    assert control(sandbox, "PATCH", "/options", {"language": "xx"}).status_code == 400
    assert control(sandbox, "PATCH", "/options", {"nonsense": 1}).status_code == 400
    assert control(sandbox, "POST", "/faults", {"kind": "500", "times": 1}).status_code == 200
    assert control(sandbox, "POST", "/faults", {"kind": "volcano"}).status_code == 400

    assert [call("GET", "/ping").status_code for _ in range(2)] == [500, 200]
    assert control(sandbox, "GET", "/faults").json()["value"][0]["affected"] == 1
    assert control(sandbox, "DELETE", "/faults").json() == {"value": []}


def test_accounts_can_be_disabled_and_tokens_revoked_by_the_control_api(
    sandbox: Sandbox, call: Call
) -> None:
    token = sandbox.token(sandbox.app("http://127.0.0.1/back"))
    headers = {"Authorization": f"Bearer {token}"}

    control(sandbox, "POST", f"/accounts/{sandbox.account.id}/disable")
    assert call("GET", "/ping").status_code == 403
    control(sandbox, "POST", f"/accounts/{sandbox.account.id}/disable", {"disabled": False})
    assert control(sandbox, "POST", f"/accounts/{sandbox.account.id}/revoke-tokens").json() == {
        "revoked": 1
    }
    assert requests.get(f"{sandbox.api_url}/ping", headers=headers, timeout=100).status_code == 401
    assert call("GET", "/ping").status_code == 200


def test_reset_deletes_all_data_and_keeps_the_server_running(
    sandbox: Sandbox, call: Call, audience: AudienceView
) -> None:
    audience.add("ada@example.com", tags=["VIP"])
    call("POST", "LIST/members/ada@example.com/actions/delete-permanent")

    control(sandbox, "POST", "/reset")

    body = {"members": [person("ada@example.com", tags=["VIP"])]}
    assert call("POST", "LIST", body).json()["total_created"] == 1
    assert audience.tags() == {"VIP": 1}


def test_an_unknown_resource_is_404(sandbox: Sandbox) -> None:
    assert control(sandbox, "GET", "/nowhere").status_code == 404
    assert control(sandbox, "GET", "/audiences/none/members").status_code == 404


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
def test_the_command_line_runs_until_it_is_stopped(tmp_path: Path, stop: signal.Signals) -> None:
    ready = tmp_path / "ready.json"
    key = "0123456789abcdef0123456789abcdef-us1"
    options = ["--api-key", key, "--seed", "demo", "--language", "de", "--plan-limit", "900"]
    more = ["--redirect-uri", "http://127.0.0.1/back", "--client-id", "7", "--client-secret", "s"]
    with subprocess.Popen(
        [sys.executable, "-m", "sandbox.mailchimp", "--ready-file", str(ready), *options, *more],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    ) as process:
        try:
            assert process.stdout is not None
            assert "listening" in process.stdout.readline()
            ready_state = json.loads(ready.read_bytes())
            lists = requests.get(
                f"{ready_state['url']}/3.0/lists", auth=("x", key), timeout=100
            ).json()
            options_now = requests.get(f"{ready_state['url']}/sandbox/options", timeout=100).json()
        finally:
            process.send_signal(stop)
        assert process.wait(100) == 0

    assert (ready_state["apiKey"], ready_state["clientId"], ready_state["clientSecret"]) == (
        key,
        "7",
        "s",
    )
    assert lists["lists"][0]["id"] == ready_state["audiences"]["Newsletter"]
    assert lists["lists"][0]["stats"]["member_count"] == 100
    assert (options_now["language"], options_now["plan_limit"]) == ("de", 900)


def test_a_saved_sandbox_is_unchanged_after_a_restart(
    tmp_path: Path, sandbox: Sandbox, call: Call, audience: AudienceView
) -> None:
    token = sandbox.token(sandbox.app("http://127.0.0.1/back"))
    audience.add("ada@example.com", merge_fields={"FNAME": "Ada"}, tags=["Gold", "VIP"])
    audience.add("gone@example.com", status="unsubscribed", cause="self", tags=["Gold"])
    audience.add("never@example.com")
    audience.forget("never@example.com")
    paths = ("LIST/members", "LIST/segments", "LIST/merge-fields", "/lists")
    before = [call("GET", path).text for path in paths]
    sandbox.save(tmp_path / "state.jsonl")

    with Sandbox(now=sandbox.world.now) as again:
        again.load(tmp_path / "state.jsonl")
        held = next(again.audiences())

        def read(path: str) -> str:
            url = again.api_url + path.replace("LIST", f"/lists/{audience.id}")
            answer = requests.get(url, auth=("x", sandbox.api_key), timeout=100)
            return answer.text.replace(again.url, sandbox.url)

        assert [read(path) for path in paths] == before
        assert held.members() == audience.members()
        assert held.tags() == {"Gold": 2, "VIP": 1}
        assert again.api_key == sandbox.api_key
        assert token in again.world.tokens
        body = {"members": [person("never@example.com")]}
        url = f"{again.api_url}/lists/{audience.id}"
        refused = requests.post(url, json=body, auth=("x", again.api_key), timeout=100).json()
        assert refused["error_count"] == 1
        assert again.audience("Another").id != held.id


def test_a_file_that_is_not_a_saved_state_is_refused(tmp_path: Path, sandbox: Sandbox) -> None:
    (tmp_path / "other").write_text("{}\n", encoding="utf-8")

    with pytest.raises(ValueError, match="not the state"):
        sandbox.load(tmp_path / "other")


def test_the_command_line_saves_its_state(tmp_path: Path) -> None:
    def run(*options: str) -> dict[str, Any]:
        ready = tmp_path / "ready.json"
        command = [sys.executable, "-m", "sandbox.mailchimp", "--state", str(tmp_path / "state")]
        with subprocess.Popen(
            [*command, "--ready-file", str(ready), *options],
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[2],
        ) as process:
            assert process.stdout is not None
            process.stdout.readline()
            ready_state: dict[str, Any] = json.loads(ready.read_bytes())
            process.terminate()
            assert process.wait(100) == 0
        return ready_state

    first = run("--audience", "Kept")
    second = run("--audience", "Ignored, because there is a state")

    assert (second["apiKey"], second["audiences"]) == (first["apiKey"], first["audiences"])
