"""The sandbox Mailchimp as a process, for `make sandbox`, the demo and the benchmarks."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from devhost.processes import ROOT, Process, ProcessError

READY_SECONDS = 30.0


def start_mailchimp(folder: Path, options: Sequence[str]) -> tuple[Process, dict[str, Any]]:
    """Start `python -m sandbox.mailchimp` with these options; its log goes into the folder.

    Returns the process, and the content of its ready file: `url`, `apiKey`, and `audiences` by name.

    Raises:
        ProcessError: it was not ready in time.
    """
    ready = folder / "mailchimp.json"
    ready.unlink(missing_ok=True)  # from an earlier start
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
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline and process.is_running():
        with contextlib.suppress(OSError, ValueError):
            sandbox: dict[str, Any] = json.loads(ready.read_text())
            return process, sandbox
        time.sleep(0.05)
    process.stop()
    message = f"the sandbox Mailchimp did not start; see {log}"
    raise ProcessError(message)
