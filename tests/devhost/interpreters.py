"""The Python that can run each engine: this one for the SDK, a 3.13 for Azure's worker library."""

import fcntl
import functools
import hashlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from devhost.find_python import find_python
from devhost.processes import ROOT

ENGINES = ("sdk", "runtime")
# What the dev host needs beside the app's own packages.
HOST_PACKAGES = ("croniter==", "h11==", "python-dateutil==")


def interpreter_for(engine: str) -> Path:
    """Return the interpreter for an engine; skip the test if it is missing."""
    if engine == "sdk" or sys.version_info >= (3, 13):
        return Path(sys.executable)
    found = _with_runtime()
    if isinstance(found, str):
        pytest.skip(found)
    return found


@functools.cache
def _with_runtime() -> Path | str:
    """A Python 3.13 with the locked packages in .cache/, created once; or the reason why it is missing."""
    base = find_python("3.13", ("-c", "import venv"))
    if base is None:
        return "Azure's worker library needs Python 3.13, which this machine does not have"
    app = (ROOT / "requirements.txt").read_text()
    development = (ROOT / "requirements-dev.txt").read_text()
    entries = re.split(r"^(?=\w)", development, flags=re.MULTILINE)
    locks = app + "".join(one for one in entries if one.startswith(HOST_PACKAGES))
    home = ROOT / ".cache" / f"python313-{hashlib.sha256(locks.encode()).hexdigest()[:12]}"
    home.parent.mkdir(exist_ok=True)
    # Of several workers, one installs and the others wait.
    with home.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return _installed(base, home, locks)


def _installed(base: Path, home: Path, locks: str) -> Path | str:
    python, ready = home / "bin/python", home / ".ready"
    if ready.exists():
        return python
    shutil.rmtree(home, ignore_errors=True)
    made = subprocess.run(
        [base, "-m", "venv", "--without-pip", home], capture_output=True, check=False
    )
    (home / "requirements.txt").write_text(locks)
    uv = ["uv", "pip", "install", "--python", python]
    # uv does not read the configuration of pip, which may name another registry.
    pip = ["pip", "--python", python, "install", "--no-compile"]
    environment = {**os.environ, "UV_SYSTEM_CERTS": "1"}
    is_installed = made.returncode == 0 and any(
        subprocess.run(
            [sys.executable, "-m", *tool, "--require-hashes", "-r", home / "requirements.txt"],
            env=environment,
            capture_output=True,
            check=False,
        ).returncode
        == 0
        for tool in (uv, pip)
    )
    if not is_installed:
        return "the packages for Python 3.13 could not be installed; is the network up?"
    ready.touch()
    return python
