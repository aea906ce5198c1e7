"""`make start` reports when it is ready, stops what it started, and explains errors in one sentence."""

import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from devhost.api_client import ApiClient
from devhost.processes import ROOT
from tests.free_ports import free_ports

SAMPLE = ROOT / "tests/devhost/sample"


def launch(
    tmp_path: Path,
    port: int,
    azurite_ports: list[int],
    app_dir: Path = SAMPLE,
    mailchimp_port: int | None = None,
) -> subprocess.Popen:
    script = (
        "import sys; from dataclasses import replace; from pathlib import Path; "
        "from devhost.start import Plan, run; from sandbox.samples import DEMO; "
        f"sys.exit(run(Plan({port}, {tuple(azurite_ports)}, Path({str(tmp_path / 'data')!r}), "
        f"Path({str(app_dir)!r}), {mailchimp_port}, replace(DEMO, people=500))))"
    )
    from devhost.processes import Azurite

    storage = Azurite("", None, None, tuple(azurite_ports)).connection_string
    environment = {
        **os.environ,
        "AzureWebJobsStorage": storage,
        "NOTES_DIR": str(tmp_path),
        "ORDERS": "orders",
        "TICKS": "0 0 0 1 1 *",
    }
    return subprocess.Popen(
        [sys.executable, "-c", script],
        cwd=ROOT, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip


def read_until(process: subprocess.Popen, text: str) -> str:
    lines = []
    for line in process.stdout:
        lines.append(line)
        if text in line:
            return line
    raise AssertionError("".join(lines))


def answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def app_started_by(pid: int) -> int:
    """The process of the app. Azurite is a child as well, and may have the larger number."""
    options = ["-ww", "-o", "pid=,args=", "--ppid", str(pid)]
    found = subprocess.run(["ps", *options], capture_output=True, text=True)
    (app,) = [line for line in found.stdout.splitlines() if "-m devhost" in line]
    return int(app.split()[0])


def test_start_reports_when_the_app_is_ready_and_stops_azurite_when_the_app_dies(tmp_path):
    port, *azurite_ports = free_ports(4)
    process = launch(tmp_path, port, azurite_ports)
    try:
        line = read_until(process, "App ready")
        assert line == f"App ready at http://127.0.0.1:{port}/ (stop with Ctrl-C)\n"
        assert requests.get(f"http://127.0.0.1:{port}/", timeout=100).text == "home"
        os.kill(app_started_by(process.pid), signal.SIGKILL)
        assert process.wait(100) == 1
        assert "The app ended unexpectedly" in process.stdout.read()
    finally:
        process.kill()
        process.communicate()
    assert not any(answers(one) for one in (port, *azurite_ports))


@pytest.mark.parametrize(
    ("taken", "expected"), [(0, "make start PORT="), (1, "Azurite needs port")]
)
def test_a_port_in_use_is_reported_in_one_sentence(tmp_path, taken, expected):
    ports = free_ports(4)
    with socket.create_server(("127.0.0.1", ports[taken])):
        process = launch(tmp_path, ports[0], ports[1:])
        output, _ = process.communicate(timeout=100)
    assert process.returncode == 1
    assert expected in output
    assert str(ports[taken]) in output
    assert len(output.splitlines()) == 1


def test_a_running_azurite_on_the_port_is_reported(tmp_path, azurite):
    process = launch(tmp_path, free_ports(1)[0], list(azurite.ports))
    output, _ = process.communicate(timeout=100)
    assert process.returncode == 1
    assert output.startswith("Azurite already runs")
    assert len(output.splitlines()) == 1
    assert azurite.is_running()


def sign_in_as_a_script(api, connection_id, mailchimp_url):
    """Connect with OAuth, and change something afterwards, with the cookies that the `requests` library keeps."""
    with requests.Session() as session:
        path = f"{api.url}/api/connections/{connection_id}"
        url = session.post(f"{path}/mailchimp/authorize", timeout=100).json()["authorizeUrl"]
        assert url.startswith(f"{mailchimp_url}/")
        page = session.get(url, timeout=100).text
        assert "Allow" in page
        asked = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
        account = re.search(r'name="account">.*?value="([^"]+)"', page)[1]
        form = {**asked, "account": account, "decision": "allow"}
        end = session.post(url.partition("?")[0], data=form, timeout=100)
        assert end.url.endswith(f"/connections/{connection_id}?done=connected")
        assert session.get(path, timeout=100).json()["mailchimp"]["kind"] == "oauth"
        again = session.post(f"{path}/mailchimp/authorize", timeout=100)
        assert again.status_code == 200


def test_the_sandbox_serves_segments_and_a_mailchimp_that_the_app_uses_until_sigterm(tmp_path):
    port, mailchimp_port, *azurite_ports = free_ports(5)
    for start in ("first", "again"):
        process = launch(tmp_path, port, azurite_ports, ROOT, mailchimp_port)
        try:
            output = read_until(process, "API key")
            api = ApiClient(f"http://127.0.0.1:{port}")
            segments = api.get("/api/segments")["value"]
            assert len(segments) == 3
            if start == "first":
                connection = api.connect(output.split()[-1], "Sandbox")
            audiences = api.get(f"/api/connections/{connection['id']}/audiences")["value"]
            assert [one["name"] for one in audiences] == ["Newsletter"]
            sign_in_as_a_script(api, connection["id"], f"http://127.0.0.1:{mailchimp_port}")
            assert requests.get(f"{api.url}/setup/connection", timeout=100).status_code == 200
            process.terminate()
            assert process.wait(100) == 0
        finally:
            process.kill()
            process.communicate()
    assert not any(answers(one) for one in (port, mailchimp_port, *azurite_ports))
