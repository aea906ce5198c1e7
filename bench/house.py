"""A house to measure: Azurite, a sandbox Mailchimp and the app, each a process of its own."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

from devhost.mailchimp import start_mailchimp
from devhost.portal import Portal
from devhost.processes import App, Azurite, Process, ProcessError, start_app, start_azurite

__all__ = ["House", "house", "peak_memory_mb"]


@dataclass(frozen=True)
class House:
    """What is running. `box` says where the sandbox is, with which key and which audiences."""

    azurite: Azurite
    app: App
    mailchimp: Process
    box: dict[str, Any]
    portal: Portal

    def calls(self) -> dict[str, Any]:
        """The sandbox's own count of calls."""
        answer: dict[str, Any] = requests.get(f"{self.box['url']}/sandbox/calls", timeout=30).json()
        return answer


@contextlib.contextmanager
def house(folder: Path, mailchimp: Sequence[str]) -> Iterator[House]:
    """A house in a folder; `mailchimp` are options of `python -m sandbox.mailchimp`."""
    with contextlib.ExitStack() as stack:
        azurite = start_azurite(folder / "azurite")
        stack.callback(azurite.stop)
        process, box = start_mailchimp(folder, mailchimp)
        stack.callback(process.stop)
        settings = {
            "AzureWebJobsStorage": azurite.connection_string,
            "MAILCHIMP_API_URL": f"{box['url']}/3.0",
        }
        app = start_app(settings, log=folder / "app.log", options=("--settings", "sample"))
        stack.callback(app.stop)
        yield House(azurite, app, process, box, Portal(app.url))


def peak_memory_mb(pid: int) -> float:
    """The most memory a process ever held, in MB (Linux)."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    message = f"no peak for process {pid} on {os.uname().sysname}"
    raise ProcessError(message)
