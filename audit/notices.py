"""`make notices`: write THIRD_PARTY_NOTICES.md from the lock file and the metadata of installed packages.

It covers what is deployed (requirements.txt). Packages for development are not part of the app.
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TARGET = ROOT / "THIRD_PARTY_NOTICES.md"
LOCK = ROOT / "requirements.txt"
# Packages of the lock that this Python cannot install: they are for Python 3.13 and newer.
_LICENSES_ELSEWHERE = {
    "azure-functions-runtime": "MIT",
    "azurefunctions-extensions-base": "MIT",
}
_INTRODUCTION = """\
# Third-party notices

The deployed app contains the packages below, under their own licenses. `make notices` generates this file from
`requirements.txt` and the metadata of the installed packages.

| package | version | license |
| --- | --- | --- |
"""


@dataclass(frozen=True)
class Package:
    """A package of the lock file, with its license and the texts of its license files."""

    name: str
    versions: tuple[str, ...]
    license: str
    texts: tuple[str, ...]


def notices(lock: str) -> str:
    """The content of THIRD_PARTY_NOTICES.md for a lock file.

    Raises:
        LookupError: a package is not installed, or names no license.
    """
    packages = [_package(name, versions) for name, versions in _locked(lock).items()]
    rows = [
        f"| [{one.name}](https://pypi.org/project/{one.name}/) | {', '.join(one.versions)} | "
        f"{one.license} |\n"
        for one in packages
    ]
    by_text: dict[str, list[str]] = {}
    for one in packages:
        for text in one.texts:
            by_text.setdefault(text, []).append(one.name)
    sections = [
        f"\n## {', '.join(names)}\n\n```text\n{text}\n```\n" for text, names in by_text.items()
    ]
    return _INTRODUCTION + "".join(rows) + "".join(sections)


def _locked(lock: str) -> dict[str, tuple[str, ...]]:
    """Package -> its versions; more than one where versions of Python need different ones."""
    found: dict[str, tuple[str, ...]] = {}
    for name, version in re.findall(r"^([\w.-]+)==([^\s;]+)", lock, re.MULTILINE):
        found[name] = (*found.get(name, ()), version)
    return found


def _package(name: str, versions: tuple[str, ...]) -> Package:
    try:
        installed = metadata.distribution(name)
    except metadata.PackageNotFoundError:
        return Package(name, versions, _LICENSES_ELSEWHERE[name], ())
    return Package(name, versions, _license(installed.metadata), tuple(_texts(installed)))


def _license(fields: metadata.PackageMetadata) -> str:
    """The SPDX expression of a package, else its short license text, else its classifiers."""
    for field in ("License-Expression", "License"):
        value = next(iter(fields.get_all(field) or ()), "")
        if value and len(value) < 60 and "\n" not in value and "Copyright" not in value:
            return value
    classifiers = [
        one.rpartition(" :: ")[2]
        for one in fields.get_all("Classifier") or ()
        if one.startswith("License :: OSI Approved :: ")
    ]
    if not classifiers:
        msg = f"{fields['Name']} names no license."
        raise LookupError(msg)
    return " OR ".join(classifiers)


def _texts(installed: metadata.Distribution) -> list[str]:
    """The license and notice files in the metadata folder of a package."""
    texts = []
    for path in sorted(installed.files or (), key=str):
        in_metadata = ".dist-info" in path.parts[0]
        if in_metadata and re.match(r"(?i)licen[cs]e|notice|copying", path.name):
            text = Path(str(path.locate())).read_text(encoding="utf-8", errors="replace")
            texts.append("\n".join(line.rstrip() for line in text.splitlines()).strip())
    return texts


def main() -> int:
    """Write the file; returns 0."""
    TARGET.write_text(notices(LOCK.read_text(encoding="utf-8")), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
