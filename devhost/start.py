"""`make start`: Azurite and the app, nothing else, until Ctrl-C.

What it starts it also ends, in the right order, and it ends everything when one part dies.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from devhost.processes import (
    ACCOUNT,
    DEVELOPMENT_PORTS,
    ROOT,
    Process,
    ProcessError,
    start_app,
    start_azurite,
)

# A killed app's messages come back after this time instead of Azure's ten minutes.
QUEUE_LEASE = "60"
OPTIONS = ("--settings", "sample", "--blob-events", "--queue-lease", QUEUE_LEASE)


@dataclass(frozen=True)
class Plan:
    """What to start, and where."""

    port: int
    azurite_ports: tuple[int, int, int] = DEVELOPMENT_PORTS
    location: Path = ROOT / ".azurite"
    app_dir: Path = ROOT


def main() -> int:
    """Returns 0 after Ctrl-C or SIGTERM, 1 when something did not start or died."""
    text = os.environ.get("PORT") or "7071"
    if not text.isdigit() or not 1 <= int(text) <= 65535:
        print(f"PORT must be a number from 1 to 65535, not {text!r}.", file=sys.stderr)
        return 1
    return run(Plan(int(text)))


def run(plan: Plan) -> int:
    """Start the plan and wait for its end; see `main`."""
    end = threading.Event()
    for name in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(name, lambda *_: end.set())
    started: list[Process] = []
    try:
        _check_ports(plan)
        started.append(start_azurite(plan.location, plan.azurite_ports))
        app = start_app({}, app_dir=plan.app_dir, port=plan.port, options=OPTIONS)
        started.append(app)
        print(f"App ready at {app.url} (stop with Ctrl-C)", flush=True)
        while not end.wait(0.2):
            _check_alive(started)
    except ProcessError as error:
        print(error, file=sys.stderr)
        return 1
    finally:
        for process in reversed(started):
            process.stop()
    return 0


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
        msg = (
            f"An Azurite already answers on port {blob_port}; end it (another `make start`?) first."
        )
        raise ProcessError(msg)
    if taken:
        msg = f"Port {taken[0]} is needed for Azurite and used by another program."
        raise ProcessError(msg)
    if _is_taken(plan.port):
        other = plan.port % 65535 + 1
        msg = f"Port {plan.port} is used by another program; choose one: make start PORT={other}."
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
