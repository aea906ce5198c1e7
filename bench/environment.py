"""What is measured: Azurite, a sandbox Mailchimp and the app, each in its own process."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

from devhost.api_client import ApiClient
from devhost.mailchimp import start_mailchimp
from devhost.processes import App, Azurite, Process, ProcessError, start_app, start_azurite


@dataclass(frozen=True)
class Environment:
    """The running processes. `sandbox`: address, API key and audiences of the sandbox Mailchimp."""

    azurite: Azurite
    app: App
    mailchimp: Process
    sandbox: dict[str, Any]
    api: ApiClient

    def calls(self) -> dict[str, Any]:
        """The calls, as the sandbox counts them."""
        answer: dict[str, Any] = requests.get(
            f"{self.sandbox['url']}/sandbox/calls", timeout=30
        ).json()
        return answer


@contextlib.contextmanager
def environment(folder: Path, mailchimp: Sequence[str]) -> Iterator[Environment]:
    """Start everything in a folder; `mailchimp` are options of `python -m sandbox.mailchimp`."""
    with contextlib.ExitStack() as stack:
        azurite = start_azurite(folder / "azurite")
        stack.callback(azurite.stop)
        process, sandbox = start_mailchimp(folder, mailchimp)
        stack.callback(process.stop)
        settings = {
            "AzureWebJobsStorage": azurite.connection_string,
            "MAILCHIMP_API_URL": f"{sandbox['url']}/3.0",
        }
        app = start_app(settings, log=folder / "app.log", options=("--settings", "sample"))
        stack.callback(app.stop)
        yield Environment(azurite, app, process, sandbox, ApiClient(app.url))


def cpu_seconds(pid: int) -> float:
    """The processor time of a process so far, user and system, in seconds (Linux only)."""
    # The second field is the name in parentheses, which may contain blanks.
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def forget_peak(pid: int) -> None:
    """Let the peak memory of a process begin at its current memory, where that is allowed."""
    with contextlib.suppress(OSError):
        Path(f"/proc/{pid}/clear_refs").write_text("5")


def peak_memory_mb(pid: int) -> float:
    """The peak memory of a process in MB (Linux only)."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    message = f"no peak for process {pid} on {os.uname().sysname}"
    raise ProcessError(message)
