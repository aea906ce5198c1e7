"""Searches for secrets with Kingfisher, with its own rules and ours (secret-rules.yml).

Nothing is sent: findings are not tried at their services, and Kingfisher does not look for updates. A finding is
reported by file and line, rule and SHA-256, without its text. A comment in a file cannot suppress it.
https://github.com/mongodb/kingfisher
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from audit.allowed import AllowedSecret, sha256

RULES = Path(__file__).with_name("secret-rules.yml")
ROOT = Path(__file__).resolve().parent.parent
# 0: nothing found. 200: something found. (205: found and valid at its service, which is not tried here.)
_WORKED = (0, 200)


class ScanError(Exception):
    """The scan failed; the message is one sentence."""


class HistoryMissing(ScanError):
    """This checkout does not have the whole history."""


@dataclass(frozen=True)
class Finding:
    """Something that looks like a secret. `commit` is empty for a file of the checkout."""

    path: str
    line: int
    rule: str
    sha256: str
    commit: str = ""

    def __str__(self) -> str:
        where = f"{self.path}:{self.line}" + (f" in {self.commit[:12]}" if self.commit else "")
        return f"{where}: {self.rule} (sha256 {self.sha256})"


def find_secrets(paths: Sequence[str], folder: Path) -> list[Finding]:
    """All findings in these files of a folder.

    Raises:
        ScanError: the scanner is missing, or did not scan everything.
    """
    return _scan(paths, folder, "none") if paths else []


def find_in_history(folder: Path) -> list[Finding]:
    """All findings in the commits of all branches.

    Raises:
        HistoryMissing: the checkout is shallow.
        ScanError: as above, or the folder is not a git checkout.
    """
    with tempfile.TemporaryDirectory() as scratch:
        # A copy without files, because the scanner would also scan the files of the folder, even ignored ones.
        _git(folder, "clone", "--quiet", "--mirror", f"file://{folder}", f"{scratch}/history.git")
        if (Path(scratch) / "history.git/shallow").exists():
            message = "history not scanned: this checkout does not have all of it"
            raise HistoryMissing(message)
        return _scan(["history.git"], Path(scratch), "full")


def files_of(folder: Path) -> list[str]:
    """The files that git knows in a folder, and those that the next `git add` would include.

    Raises:
        ScanError: the folder is no git checkout.
    """
    listed = _git(folder, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    return [name for name in listed.split("\0") if name and (folder / name).is_file()]


def not_allowed(findings: Sequence[Finding], allowed: Sequence[AllowedSecret]) -> list[Finding]:
    """The findings that are not on the list."""
    known = {one.sha256 for one in allowed}
    return [finding for finding in findings if finding.sha256 not in known]


def not_found(findings: Sequence[Finding], allowed: Sequence[AllowedSecret]) -> list[AllowedSecret]:
    """The entries of the list without a finding."""
    there = {finding.sha256 for finding in findings}
    return [one for one in allowed if one.sha256 not in there]


def _scan(paths: Sequence[str], folder: Path, history: str) -> list[Finding]:
    command = [
        sys.executable, "-m", "kingfisher", "scan", *paths,
        "--rules-path", str(RULES), "--format", "json", "--git-history", history,
        "--no-validate", "--no-ignore", "--no-dedup", "--no-update-check", "--quiet",
    ]  # fmt: skip
    environment = {**os.environ, "KF_RULE_CACHE_DIR": str(ROOT / ".cache/kingfisher")}
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode not in _WORKED:
        message = (
            f"The secret scanner ended with {done.returncode}; is it installed (`make setup`)?"
        )
        raise ScanError(message)
    report = json.loads(done.stdout)
    summary = report["audit"]["summary"]
    if not 0 < summary["discovered"] == summary["scan_succeeded"]:
        message = "The secret scanner did not scan everything."
        raise ScanError(message)
    found = {_finding(one) for one in report["findings"]}
    return sorted(found, key=lambda one: (one.path, one.line, one.rule, one.commit))


def _git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", *arguments], cwd=folder, capture_output=True, text=True, check=False
    )
    if done.returncode:
        message = "This folder is not a git checkout, so the files of the project are unknown."
        raise ScanError(message)
    return done.stdout


def _finding(reported: dict[str, Any]) -> Finding:
    found = reported["finding"]
    commit = found.get("git_metadata", {}).get("commit", {}).get("id", "")
    rule = reported["rule"]["id"]
    return Finding(found["path"], int(found["line"]), rule, sha256(found["snippet"]), commit)
