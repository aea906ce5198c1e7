"""`make start`: run Azurite and the app until Ctrl-C. `make sandbox`: also a sandbox Mailchimp and sample segments.

Both stop what they started, in the right order, and stop everything when one part ends by itself.
"""

from __future__ import annotations

import argparse
import os
import signal
import socket
import sys
import threading
import urllib.error
import urllib.request
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from azure.storage.blob import ContainerClient

from devhost.mailchimp import start_mailchimp
from devhost.processes import (
    ACCOUNT,
    DEVELOPMENT_PORTS,
    ROOT,
    Azurite,
    Process,
    ProcessError,
    start_app,
    start_azurite,
)
from sandbox import samples, upload

# Seconds until the messages of a killed app become visible again; ten minutes in Azure.
QUEUE_LEASE = "60"
OPTIONS = ("--settings", "sample", "--blob-events", "--queue-lease", QUEUE_LEASE)
MAILCHIMP_PORT = 8055
CALLBACK = "api/oauth/mailchimp/callback"
CLIENT = "sandbox"
# App settings that would make a local app use other services than the local ones.
OUTSIDE = (
    "SEGMENTS_STORAGE",
    "SEGMENTS_ROOT",
    "SEGMENTS_NULL_MARKERS",
    "KEY_VAULT_URL",
    "PUBLIC_URL",
    "CUSTOMER_INSIGHTS_INSTANCE_ID",
    "CUSTOMER_INSIGHTS_SUBSCRIPTION_KEY",
    "ENTRA_TENANT_ID",
    "ENTRA_CLIENT_ID",
    "ENTRA_CLIENT_SECRET",
)


@dataclass(frozen=True)
class Plan:
    """What to start, and where. Without `mailchimp_port` there is no sandbox Mailchimp and there are no segments."""

    port: int
    azurite_ports: tuple[int, int, int] = DEVELOPMENT_PORTS
    location: Path = ROOT / ".azurite"
    app_dir: Path = ROOT
    mailchimp_port: int | None = None
    sample: samples.Sample = samples.DEMO


def main(arguments: list[str] | None = None) -> int:
    """Returns 0 after Ctrl-C or SIGTERM, 1 when something did not start or ended by itself."""
    parser = argparse.ArgumentParser(prog="python -m devhost.start", description=__doc__)
    parser.add_argument(
        "--sandbox", action="store_true", help="with a sandbox Mailchimp and sample segments"
    )
    with_sandbox = parser.parse_args(arguments).sandbox
    text = os.environ.get("PORT") or "7071"
    if not text.isdigit() or not 1 <= int(text) <= 65535:
        print(f"PORT must be a number from 1 to 65535, not {text!r}.", file=sys.stderr)
        return 1
    if with_sandbox:
        plan = Plan(int(text), location=ROOT / ".sandbox", mailchimp_port=MAILCHIMP_PORT)
    else:
        plan = Plan(int(text))
    return run(plan)


def run(plan: Plan) -> int:
    """Start the plan and wait for its end; see `main`."""
    end = threading.Event()
    for name in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(name, lambda *_: end.set())
    started: list[Process] = []
    try:
        _check_ports(plan)
        azurite = start_azurite(plan.location, plan.azurite_ports)
        started.append(azurite)
        settings: dict[str, str] = {}
        mailchimp: dict[str, Any] = {}
        if plan.mailchimp_port is not None:
            process, mailchimp = _start_mailchimp(plan, plan.mailchimp_port)
            started.append(process)
            settings = _sandbox_settings(azurite, mailchimp)
            _write_segments(plan, azurite)
        app = start_app(settings, app_dir=plan.app_dir, port=plan.port, options=OPTIONS)
        started.append(app)
        print(f"App ready at {app.url} (stop with Ctrl-C)", flush=True)
        if mailchimp:
            print(_instructions(app.url, mailchimp), flush=True)
        while not end.wait(0.2):
            _check_alive(started)
    except ProcessError as error:
        print(error, file=sys.stderr)
        return 1
    finally:
        for process in reversed(started):
            process.stop()
    return 0


def _start_mailchimp(plan: Plan, port: int) -> tuple[Process, dict[str, Any]]:
    """The sandbox Mailchimp, which keeps its contacts in a file from one start to the next."""
    state = plan.location / "mailchimp-state.jsonl"
    options = ["--port", str(port), "--seed", "demo", "--state", str(state)]
    options += ["--redirect-uri", f"http://127.0.0.1:{plan.port}/{CALLBACK}"]
    options += ["--client-id", CLIENT, "--client-secret", CLIENT]
    return start_mailchimp(plan.location, options)


def _sandbox_settings(azurite: Azurite, mailchimp: dict[str, Any]) -> dict[str, str]:
    """App settings that override local.settings.json, so that no service outside this machine is called."""
    url = str(mailchimp["url"])
    return {
        **dict.fromkeys(OUTSIDE, ""),
        "AzureWebJobsStorage": azurite.connection_string,
        "SEGMENTS_CONTAINER": "segments",
        "MAILCHIMP_API_URL": f"{url}/3.0",
        "MAILCHIMP_LOGIN_URL": url,
        "MAILCHIMP_CLIENT_ID": CLIENT,
        "MAILCHIMP_CLIENT_SECRET": CLIENT,
    }


def _write_segments(plan: Plan, azurite: Azurite) -> None:
    """Put the sample segments into Blob Storage, unless they are there."""
    connection = azurite.connection_string
    with ContainerClient.from_connection_string(connection, "segments") as container:
        if container.exists() and next(iter(container.list_blob_names()), None):
            return
    print("Writing the sample segments ...", flush=True)
    folder = plan.location / "segments"
    samples.write(plan.sample, folder, datetime.now(UTC))
    upload.upload(folder, connection, "segments")


def _instructions(app_url: str, mailchimp: dict[str, Any]) -> str:
    audience = next(iter(mailchimp["audiences"]))
    return f"""\
Sandbox Mailchimp at {mailchimp["url"]}/sandbox/

Try it:
  1. Open {app_url}setup/connection and add a connection: choose "Authenticate with Mailchimp",
     or enter the API key {mailchimp["apiKey"]}
  2. Open {app_url}, add an export of the sample segments to the audience "{audience}", and run it.
  3. Open {mailchimp["url"]}/sandbox/ to see the contacts with their tags.
The data is stored in .sandbox/; delete this folder to begin again."""


def _check_alive(processes: list[Process]) -> None:
    for process in processes:
        if not process.is_running():
            msg = f"{process.name} ended unexpectedly (code {process.popen.returncode})."
            raise ProcessError(msg)


def _check_ports(plan: Plan) -> None:
    """Raises ProcessError, with what to do, when a port is taken."""
    taken = [one for one in plan.azurite_ports if _is_taken(one)]
    blob_port = plan.azurite_ports[0]
    if taken and _azurite_answers(blob_port):
        msg = f"Azurite already runs on port {blob_port}, perhaps from another `make start`; end it first."
        raise ProcessError(msg)
    if taken:
        msg = f"Azurite needs port {taken[0]}, which another program uses. End that program first."
        raise ProcessError(msg)
    if plan.mailchimp_port and _is_taken(plan.mailchimp_port):
        msg = f"The sandbox Mailchimp needs port {plan.mailchimp_port}, which another program uses. End that program first."
        raise ProcessError(msg)
    if _is_taken(plan.port):
        other = plan.port % 65535 + 1
        command = "make start" if plan.mailchimp_port is None else "make sandbox"
        msg = f"Another program uses port {plan.port}; choose another port: {command} PORT={other}."
        raise ProcessError(msg)


def _is_taken(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return True
    return False


def _azurite_answers(port: int) -> bool:
    url = f"http://127.0.0.1:{port}/{ACCOUNT}?comp=list"
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:  # a fixed http address
            return "Azurite" in (answer.headers.get("Server") or "")
    except urllib.error.HTTPError as error:
        return "Azurite" in (error.headers.get("Server") or "")
    except OSError:
        return False


if __name__ == "__main__":
    sys.exit(main())
