"""Finds an interpreter of another Python version on this machine."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path


def find_python(version: str, probe: Sequence[str]) -> Path | None:
    """Return an interpreter of a version such as "3.13" from the PATH or from pyenv, or None.

    Only an interpreter that succeeds with the arguments `probe` counts: pyenv has a command for each installed version
    on the PATH, which fails unless that version is selected.
    """
    on_path = shutil.which(f"python{version}")
    roots = [Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")]
    if on_path and Path(on_path).parent.name == "shims":
        roots.append(Path(on_path).parent.parent)
    installed = [one for root in roots for one in root.glob(f"versions/{version}*/bin/python")]
    for candidate in [*([Path(on_path)] if on_path else []), *installed]:
        done = subprocess.run([candidate, *probe], capture_output=True, check=False)
        if done.returncode == 0:
            return candidate
    return None
