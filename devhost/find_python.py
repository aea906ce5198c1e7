"""Finds an interpreter of another Python version on this machine."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path


def find_python(version: str, works: Sequence[str]) -> Path | None:
    """An interpreter of a version such as 3.13, on the PATH or one of pyenv's; None if there is none.

    With the arguments `works` it must end without an error: a command of pyenv may stand for a version that is not chosen.
    """
    on_path = shutil.which(f"python{version}")
    roots = [Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")]
    if on_path and Path(on_path).parent.name == "shims":
        roots.append(Path(on_path).parent.parent)
    installed = [one for root in roots for one in root.glob(f"versions/{version}*/bin/python")]
    for candidate in [*([Path(on_path)] if on_path else []), *installed]:
        done = subprocess.run([candidate, *works], capture_output=True, check=False)
        if done.returncode == 0:
            return candidate
    return None
