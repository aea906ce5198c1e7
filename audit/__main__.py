"""`python -m audit`: search files and history for secrets, and packages for known vulnerabilities.

The exit code is 1 if something was found; with --strict also if something could not be audited.
"""

from __future__ import annotations

import argparse
import sys
from datetime import UTC, datetime

from audit.allowed import Allowed, read_allowed
from audit.packages import Audited, audit_npm, audit_python
from audit.secret_scan import (
    ROOT,
    HistoryMissing,
    ScanError,
    files_of,
    find_in_history,
    find_secrets,
    not_allowed,
    not_found,
)


def main(arguments: list[str] | None = None) -> int:
    """Returns 1 when something was found, else 0."""
    parser = argparse.ArgumentParser(prog="python -m audit", description=__doc__)
    parser.add_argument(
        "--strict", action="store_true", help="fail as well when something could not be audited"
    )
    strict = parser.parse_args(arguments).strict
    allowed = read_allowed()
    problems = _secrets(allowed, strict)
    for audited in (audit_python(), audit_npm()):
        print(f"audit: {audited}")
        problems += _vulnerable(audited, allowed.advisory_ids(datetime.now(UTC).date()))
        if strict and audited.unknown:
            problems.append(f"{audited.source}: not everything could be audited")
    for problem in problems:
        print(f"audit: FOUND {problem}")
    return 1 if problems else 0


def _secrets(allowed: Allowed, strict: bool) -> list[str]:
    problems: list[str] = []
    files = files_of(ROOT)
    found = find_secrets(files, ROOT)
    print(f"audit: searched {len(files)} files for secrets")
    problems += [
        f"allowed.yml lists {one.what}, which no file contains"
        for one in not_found(found, allowed.secrets)
    ]
    try:
        found += find_in_history(ROOT)
        print("audit: searched the history for secrets")
    except HistoryMissing as missing:
        print(f"audit: {missing}")
        problems += [str(missing)] if strict else []
    return problems + [f"possible secret: {one}" for one in not_allowed(found, allowed.secrets)]


def _vulnerable(audited: Audited, allowed: set[str]) -> list[str]:
    problems: list[str] = []
    for known in audited.known:
        if allowed.intersection(known.ids):
            continue
        if known.counted:
            problems.append(str(known))
        else:
            print(f"audit: not counted: {known}")
    return problems


if __name__ == "__main__":
    try:
        sys.exit(main())
    except ScanError as error:
        sys.exit(f"audit: {error}")
