"""Set-up shows what it does, and asks for the Node.js that Azurite needs."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SLEEP = shutil.which("sleep")


@pytest.fixture
def folder(tmp_path: Path, project: Path) -> Path:
    """A copy of the files that `devhost/setup.sh node` reads, with fakes of node and npm."""
    (tmp_path / "devhost").mkdir()
    shutil.copy(project / "devhost/setup.sh", tmp_path / "devhost")
    shutil.copy(project / "package.json", tmp_path)
    (tmp_path / "bin").mkdir()
    return tmp_path


def program(folder: Path, name: str, text: str) -> None:
    path = folder / "bin" / name
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


def set_up(folder: Path) -> subprocess.CompletedProcess:
    environment = {**os.environ, "PATH": f"{folder / 'bin'}:{os.environ['PATH']}"}
    return subprocess.run(
        ["sh", "devhost/setup.sh", "node"],
        cwd=folder, env=environment, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


def test_a_slow_installation_shows_its_latest_line_every_ten_seconds(folder):
    slept = folder / "slept"
    slept.touch()
    program(folder, "sleep", f"echo >>'{slept}'; exec {SLEEP} 0.01")
    program(folder, "node", "exit 0")
    # Ends when the script has waited for the eleventh second.
    eleven = f"""while [ "$(wc -l <'{slept}')" -lt 11 ]; do {SLEEP} 0.01; done"""
    program(folder, "npm", f'echo "fetching azurite"; {eleven}')
    done = set_up(folder)
    assert done.returncode == 0
    assert re.search(r"^setup: node: 10 s: fetching azurite$", done.stdout, re.MULTILINE)


def test_a_failed_installation_shows_one_sentence_and_the_log(folder):
    program(folder, "node", "exit 0")
    program(folder, "npm", 'echo "no route to host"; exit 1')
    done = set_up(folder)
    assert done.returncode == 1
    assert done.stderr == (
        "setup: npm could not install the tools; is the network up? (details: .cache/setup-node.log)\n"
    )
    assert "no route to host" in (folder / ".cache/setup-node.log").read_text()


def test_the_minimum_node_version_is_the_one_that_azurite_declares(project):
    needed = json.loads((project / "package.json").read_text())["engines"]["node"]
    lock = json.loads((project / "package-lock.json").read_text())["packages"]
    assert needed == lock["node_modules/azurite"]["engines"]["node"]


def test_the_lock_has_the_address_of_each_package(project):
    # Without it, `npm ci` also asks the registry for the metadata of each package, which takes as long again.
    packages = json.loads((project / "package-lock.json").read_text())["packages"]
    assert [name for name, one in packages.items() if name and "resolved" not in one] == []


@pytest.mark.parametrize(("version", "is_used"), [("20.19.0", False), ("22.0.0", True)])
def test_an_older_node_is_not_used(folder, version, is_used):
    stand_in = folder / "bin/node.py"
    stand_in.write_text(
        "import re, sys\n"
        "oldest = int(re.search(r'< ([0-9]+)', sys.argv[1])[1])\n"
        f"sys.exit(1 if {version.split('.')[0]} < oldest else 0)\n"
    )
    program(folder, "node", f'exec {sys.executable} {stand_in} "$2"')
    program(folder, "npm", "exit 0")
    done = set_up(folder)
    assert (done.returncode == 0) == is_used
    assert ("installing it from PyPI" in done.stdout) != is_used
