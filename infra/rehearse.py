"""`make rehearse`: the deployment without Azure.

Builds the deployment package as the workflow does, unzips it into an empty folder and starts it with
Microsoft's own worker library, in the Python of the site, with exactly the app settings of the
compiled template, against Azurite and a sandbox Mailchimp. Then: the index of functions, health
before and after the secrets are there, one export.

`REPLACED` lists what differs from Azure: the addresses of storage, vault, Mailchimp and the app. The
app can import only what the package contains, and nothing else of this repository.
"""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import requests

from devhost.api_client import ApiClient, ApiError
from devhost.find_python import find_python
from devhost.mailchimp import start_mailchimp
from devhost.processes import Process, ProcessError, start_azurite
from infra.check import code, project, settings
from infra.package import PACKAGES, PackageError, build, compress, deployed, site_python
from sandbox import samples, upload

ROOT = Path(__file__).resolve().parent.parent
HOST_PACKAGES = ("croniter==", "h11==", "python-dateutil==", "six==")
"""What the local host needs beside the app's own packages."""

REPLACED = {
    "AzureWebJobsStorage": "Azurite, by connection string: it has no managed identities",
    "SEGMENTS_STORAGE": "the same",
    "KEY_VAULT_URL": "an encrypted file: there is no vault",
    "PUBLIC_URL": "the address of the local host",
    "MAILCHIMP_API_URL": "the sandbox Mailchimp",
    "APPLICATIONINSIGHTS_CONNECTION_STRING": "the host's own, which is not Azure's here",
}
PEOPLE = 2_000


def main() -> int:
    """Returns 0 when everything worked, or the Python of the site is missing, which is printed."""
    python = _site_interpreter()
    if python is None:
        print(f"rehearsal: not run, because Python {site_python()} is not installed")
        return 0
    started = time.monotonic()
    try:
        with tempfile.TemporaryDirectory(prefix="rehearsal-") as folder:
            for line in rehearse(Path(folder), python):
                print(f"rehearsal: {line} ({time.monotonic() - started:.0f} s)", flush=True)
    except (PackageError, ProcessError, ApiError, requests.RequestException) as error:
        print(f"rehearsal: failed: {error}", file=sys.stderr)
        return 1
    return 0


def rehearse(folder: Path, python: str) -> Iterator[str]:
    """Rehearse in an empty folder. Yields a line for each part that worked.

    Raises:
        PackageError, ProcessError, ApiError: it did not work.
    """
    built, package, host = folder / "built", folder / "package", folder / "host"
    functions = build(built, python)
    compress(built, folder / "app.zip")
    shutil.rmtree(built)
    with zipfile.ZipFile(folder / "app.zip") as file:
        file.extractall(package)
    top = sorted(path.name for path in package.iterdir())
    expected = sorted({".python_packages", *(name.partition("/")[0] for name in deployed())})
    _demand(top == expected, f"the package has {top} instead of {expected}")
    size = (folder / "app.zip").stat().st_size / 1_000_000
    yield f"package of {size:.0f} MB: {', '.join(top)}"
    _demand(set(functions) == code.read().functions.keys(), "functions are missing in the package")
    yield f"index: {len(functions)} functions: {', '.join(functions)}"
    _install_host(host, python)

    with ExitStack() as stack:
        azurite = start_azurite(folder / "azurite")
        stack.callback(azurite.stop)
        mailchimp, sandbox = start_mailchimp(folder, ("--call-ms", "5", "--audience", "Newsletter"))
        stack.callback(mailchimp.stop)
        given = app_settings(azurite.connection_string, str(sandbox["url"]))
        paths = [host, package / PACKAGES]
        environment = _environment(given, paths)
        unresolved = {**environment, **vault_references()}
        with _running(folder, package, python, unresolved) as url:
            answer = requests.get(f"{url}/api/health", timeout=30)
            not_configured = answer.status_code == 503 and "notConfigured" in answer.text
            _demand(not_configured, f"health without secrets: {answer.status_code} {answer.text}")
            yield "health without secrets: 503 not configured"
        with _running(folder, package, python, environment) as url:
            answer = requests.get(f"{url}/api/health", timeout=30)
            _demand(answer.json() == {"status": "ok"}, f"health: {answer.text}")
            yield "health: ok"
            anonymous = requests.get(f"{url}/api/exports", timeout=30).status_code
            _demand(anonymous == 401, f"the API answers {anonymous} to an unknown caller")
            yield "API without a caller: 401"
            run = _export(ApiClient(url), folder, azurite.connection_string, sandbox)
            yield f"export: {run['status']}, {run['counts']['created']:,} contacts created"
    yield f"done with {len(given)} app settings; replaced: {', '.join(sorted(REPLACED))}"


def app_settings(connection: str, mailchimp_url: str) -> dict[str, str]:
    """The app settings of the compiled template, with the replacements of `REPLACED`."""
    written = settings.in_azure(project.committed("prod"))
    given = {}
    for name, value in written.items():
        if name.partition("__")[0] in REPLACED:
            continue
        reference = str(value).startswith("@Microsoft.KeyVault(")
        given[name] = "a secret from the vault" if reference else str(value)
    return {
        **given,
        "AzureWebJobsStorage": connection,
        "SEGMENTS_STORAGE": connection,
        "MAILCHIMP_API_URL": f"{mailchimp_url}/3.0",
    }


def vault_references() -> dict[str, str]:
    """The settings that are references, in the form in which Azure passes unresolved references."""
    written = settings.in_azure(project.committed("prod"))
    return {
        name: str(value)
        for name, value in written.items()
        if str(value).startswith("@Microsoft.KeyVault(")
    }


def _site_interpreter() -> str | None:
    """An interpreter of the site's version: on the PATH, or one of pyenv's."""
    version = site_python()
    if f"{sys.version_info.major}.{sys.version_info.minor}" == version:
        return sys.executable
    found = find_python(version, ("-m", "pip", "--version"))
    return str(found) if found else None


def _install_host(folder: Path, python: str) -> None:
    """The local host, and its packages in their locked versions, apart from the app."""
    shutil.copytree(ROOT / "devhost", folder / "devhost")
    entries = re.split(r"^(?=\w)", (ROOT / "requirements-dev.txt").read_text("utf-8"), flags=re.M)
    lock = folder / "requirements.txt"
    lock.write_text("".join(one for one in entries if one.startswith(HOST_PACKAGES)))
    command = [
        python,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--no-deps",
    ]
    command += ["--require-hashes", "--target", str(folder), "-r", str(lock)]
    if subprocess.run(command, check=False).returncode:
        message = "pip could not install the packages of the local host."
        raise PackageError(message)


def _environment(given: Mapping[str, str], paths: list[Path]) -> dict[str, str]:
    """The app settings, and of this process's environment only what a program needs to start."""
    kept = ("PATH", "HOME", "LANG", "TMPDIR", "LD_LIBRARY_PATH")
    return {
        **{name: os.environ[name] for name in kept if name in os.environ},
        **given,
        # Set by the platform where App Service Authentication is on.
        "WEBSITE_AUTH_ENABLED": "True",
        "PYTHONPATH": os.pathsep.join(map(str, paths)),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONUNBUFFERED": "1",
    }


@contextmanager
def _running(
    folder: Path, package: Path, python: str, environment: Mapping[str, str]
) -> Iterator[str]:
    """The app of the package under the worker library; its address without a slash at the end."""
    ready, log = folder / "ready", folder / "app.log"
    ready.unlink(missing_ok=True)
    command = [python, "-P", "-m", "devhost", "--app", str(package), "--engine", "runtime"]
    command += ["--settings", "none", "--port", "0", "--ready-file", str(ready)]
    with log.open("ab") as output:
        popen = subprocess.Popen(
            command,
            cwd=package,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    process = Process("The app", popen, log)
    try:
        deadline = time.monotonic() + 60
        while not ready.exists():
            if not process.is_running() or time.monotonic() > deadline:
                text = log.read_text(errors="replace").strip()
                message = f"the app did not start: {text[-500:]}"
                raise ProcessError(message)
            time.sleep(0.1)
        yield ready.read_text().rstrip("/")
    finally:
        process.stop()


def _export(
    api: ApiClient, folder: Path, connection: str, sandbox: Mapping[str, Any]
) -> dict[str, Any]:
    """One export of a sample segment, as an administrator; the run when it is over."""
    claims = [{"typ": "oid", "val": "rehearsal"}, {"typ": "roles", "val": "Administrator"}]
    principal = base64.b64encode(json.dumps({"claims": claims}).encode()).decode()
    sign_in = {"X-MS-CLIENT-PRINCIPAL": principal}
    api.headers.update(sign_in)
    sample = samples.Sample(PEOPLE, (samples.Segment("AllPeople", 1.0),), seed=1)
    samples.write(sample, folder / "segments", datetime.now(UTC))
    upload.upload(folder / "segments", connection, "segments")
    made = api.connect(sandbox["apiKey"])
    export = api.define(
        displayName="Rehearsal",
        connectionId=made["id"],
        audienceId=sandbox["audiences"]["Newsletter"],
        mapping={"email": "EMail", "firstName": "FirstName", "lastName": "LastName"},
        segments=[{"name": "AllPeople"}],
    )
    run: dict[str, Any] = list(api.watch(api.start(export["id"])["id"], every=0.5))[-1]
    good = run["status"] in ("successful", "completedWithWarnings") and run["counts"]["created"] > 0
    _demand(good, f"the export ended as {run['status']}: {run['reason']}")
    return run


def _demand(held: bool, message: str) -> None:
    if not held:
        raise ProcessError(message)


if __name__ == "__main__":
    sys.exit(main())
