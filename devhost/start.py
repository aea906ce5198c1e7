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


def main() -> int:
    """Returns 0 after Ctrl-C or SIGTERM, 1 when something did not start or died."""
    end = threading.Event()
    for name in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(name, lambda *_: end.set())
    started: list[Process] = []
    try:
        port = _wanted_port()
        _check_ports(port)
        started.append(start_azurite(ROOT / ".azurite", DEVELOPMENT_PORTS))
        app = start_app({}, port=port, options=OPTIONS)
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


def _wanted_port() -> int:
    text = os.environ.get("PORT") or "7071"
    if not text.isdigit() or not 1 <= int(text) <= 65535:
        msg = f"PORT must be a number from 1 to 65535, not {text!r}."
        raise ProcessError(msg)
    return int(text)


def _check_ports(port: int) -> None:
    """Raises ProcessError, with what to do, when a port is taken."""
    taken = [one for one in DEVELOPMENT_PORTS if _is_taken(one)]
    if taken and _azurite_answers():
        msg = (
            "An Azurite already answers on port 10000; end that one (another `make start`?) first."
        )
        raise ProcessError(msg)
    if taken:
        msg = f"Port {taken[0]} is needed for Azurite and used by another program."
        raise ProcessError(msg)
    if _is_taken(port):
        msg = f"Port {port} is used by another program; choose one: make start PORT={port + 1}."
        raise ProcessError(msg)


def _is_taken(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return True
    return False


def _azurite_answers() -> bool:
    url = f"http://127.0.0.1:{DEVELOPMENT_PORTS[0]}/{ACCOUNT}?comp=list"
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:  # a fixed http address
            return "Azurite" in (answer.headers.get("Server") or "")
    except urllib.error.HTTPError as error:
        return "Azurite" in (error.headers.get("Server") or "")
    except OSError:
        return False


if __name__ == "__main__":
    sys.exit(main())
