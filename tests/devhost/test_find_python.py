"""Finding an interpreter of another Python version."""

from pathlib import Path

import pytest

from devhost.find_python import find_python


def _command(path: Path, code: int) -> Path:
    path.parent.mkdir(parents=True)
    path.write_text(f"#!/bin/sh\nexit {code}\n")
    path.chmod(0o755)
    return path


def test_a_version_that_pyenv_has_installed_but_not_chosen_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    not_chosen = _command(tmp_path / "pyenv/shims/python3.99", 127)
    installed = _command(tmp_path / "pyenv/versions/3.99.1/bin/python", 0)
    monkeypatch.setenv("PATH", str(not_chosen.parent), prepend=":")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("PYENV_ROOT", raising=False)

    assert find_python("3.99", ("-m", "pip", "--version")) == installed


def test_a_version_that_is_not_installed_is_not_found() -> None:
    assert find_python("3.98", ()) is None
