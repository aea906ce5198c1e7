"""A house to measure: Azurite, a sandbox Mailchimp and the app, each a process of its own."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

from devhost.portal import Portal
from devhost.processes import ROOT, App, Azurite, Process, ProcessError, start_app, start_azurite

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
        process, box = _mailchimp(folder, mailchimp)
        stack.callback(process.stop)
        settings = {
            "AzureWebJobsStorage": azurite.connection_string,
            "MAILCHIMP_API_URL": f"{box['url']}/3.0",
        }
        app = start_app(settings, log=folder / "app.log", options=("--settings", "sample"))
        stack.callback(app.stop)
        yield House(azurite, app, process, box, Portal(app.url))


def _mailchimp(folder: Path, options: Sequence[str]) -> tuple[Process, dict[str, Any]]:
    ready = folder / "mailchimp.json"
    log = folder / "mailchimp.log"
    with log.open("wb") as output:
        popen = subprocess.Popen(
            [sys.executable, "-m", "sandbox.mailchimp", *options, "--ready-file", str(ready)],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    process = Process("The sandbox Mailchimp", popen, log)
    for _ in range(600):
        with contextlib.suppress(OSError, ValueError):
            return process, json.loads(ready.read_text())
        if not process.is_running():
            break
        time.sleep(0.05)
    process.stop()
    message = "the sandbox Mailchimp did not start"
    raise ProcessError(message)


def peak_memory_mb(pid: int) -> float:
    """The most memory a process ever held, in MB (Linux)."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    message = f"no peak for process {pid} on {os.uname().sysname}"
    raise ProcessError(message)
