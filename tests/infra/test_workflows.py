"""The workflows and azure.yaml fit the project: pinned actions, OIDC, the same names as the Bicep."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from infra.check import project
from infra.check.template import Object

ROOT = Path(__file__).parents[2]
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
DEPLOY = (ROOT / ".github/workflows/deploy.yml").read_text(encoding="utf-8")
PARAMETERS = (ROOT / project.PARAMETERS).read_text(encoding="utf-8")
TEMPLATES = project.templates_of(project.read_files(ROOT))


def steps(workflow: Path) -> Iterator[dict[str, Any]]:
    for job in yaml.safe_load(workflow.read_text(encoding="utf-8"))["jobs"].values():
        yield from job.get("steps", [])


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.name)
def test_actions_are_pinned_to_a_commit(workflow: Path) -> None:
    used = [step["uses"] for step in steps(workflow) if "uses" in step]
    assert used
    assert [one for one in used if not re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", one)] == []


def test_signing_in_needs_no_stored_credential() -> None:
    jobs = yaml.safe_load(DEPLOY)["jobs"]
    assert "secrets." not in DEPLOY
    for name in ("what-if", "deploy"):
        assert jobs[name]["permissions"]["id-token"] == "write"
    assert [jobs[name]["needs"] for name in ("what-if", "deploy")] == ["checks", "what-if"]


def test_every_parameter_from_the_environment_is_handed_over() -> None:
    read = set(re.findall(r"readEnvironmentVariable\('(\w+)'", PARAMETERS))
    workflow = yaml.safe_load(DEPLOY)
    for name in ("what-if", "deploy"):
        given = set(workflow["env"]) | set(workflow["jobs"][name]["env"])
        assert given - {"AZURE_RESOURCE_GROUP"} == read


def test_the_outputs_that_the_workflow_reads_exist() -> None:
    read = set(re.findall(r"jq -r \.(\w+)\.value", DEPLOY))
    assert read
    assert read <= TEMPLATES[project.MAIN].outputs.keys()


def test_python_is_the_one_that_runs_in_azure() -> None:
    version = TEMPLATES["infra/modules/app.bicep"].variables["pythonVersion"]
    used = {
        str(step["with"]["python-version"])
        for workflow in WORKFLOWS
        for step in steps(workflow)
        if "setup-python" in step.get("uses", "")
    }
    assert used == {version}


def test_azd_finds_the_service_by_its_tag() -> None:
    services = yaml.safe_load((ROOT / "azure.yaml").read_text(encoding="utf-8"))["services"]
    site = TEMPLATES["infra/modules/app.bicep"].resources["site"]
    (name,) = services
    assert f"'azd-service-name': '{name}'" in str(site.body.get("tags"))
    assert isinstance(site.body, Object)
    assert services[name] == {"project": ".", "language": "python", "host": "function"}


class _Door(BaseHTTPRequestHandler):
    statuses: dict[str, int]

    def do_GET(self) -> None:
        self.send_response(self.statuses.get(self.path, 401))
        self.end_headers()
        self.wfile.write(json.dumps({}).encode())

    def log_message(self, format: str, *args: object) -> None:
        return


@contextmanager
def door(statuses: dict[str, int]) -> Iterator[str]:
    kind = type("Door", (_Door,), {"statuses": statuses})
    server = ThreadingHTTPServer(("127.0.0.1", 0), kind)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def smoke(url: str) -> subprocess.CompletedProcess[str]:
    plain = {name: value for name, value in os.environ.items() if "proxy" not in name.lower()}
    return subprocess.run(
        ["sh", ".github/smoke.sh", url],
        cwd=ROOT,
        env=plain,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


needs_curl = pytest.mark.skipif(
    shutil.which("curl") is None, reason="curl is not installed on this machine"
)


@needs_curl
def test_the_smoke_test_passes_where_the_app_is_up_and_closed() -> None:
    with door({"/api/health": 200, "/": 302}) as url:
        assert smoke(url).returncode == 0


@needs_curl
def test_the_smoke_test_fails_where_the_api_is_open() -> None:
    with door({"/api/health": 200, "/api/exports": 200}) as url:
        result = smoke(url)
    assert result.returncode == 1
    assert "/api/exports answered 200" in result.stderr
