"""All Bicep files of a project, read once, and all faults that can be seen in them alone.

`read_files` reads from disk; a test may change a text in between and check the result, which is how
the planted faults are shown to be found.
"""

from __future__ import annotations

from pathlib import Path

from infra.check import names, properties, roles, rules
from infra.check.fault import Fault
from infra.check.reading import read, read_parameters
from infra.check.template import Template

__all__ = ["check", "read_files", "templates_of"]

MAIN = "infra/main.bicep"
PARAMETERS = "infra/main.bicepparam"


def read_files(root: Path) -> dict[str, str]:
    """Path relative to the project -> text, of every Bicep file."""
    return {
        path.relative_to(root).as_posix(): path.read_text(encoding="utf-8")
        for path in sorted((root / "infra").rglob("*.bicep*"))
    }


def templates_of(files: dict[str, str]) -> dict[str, Template]:
    """The templates, without the parameter file."""
    return {path: read(path, text) for path, text in files.items() if path.endswith(".bicep")}


def check(files: dict[str, str]) -> list[Fault]:
    """Every fault, sorted. Where syntax is wrong only that is said: the rest would be noise."""
    templates = templates_of(files)
    parameters = read_parameters(PARAMETERS, files[PARAMETERS])
    found = [fault for one in [*templates.values(), parameters] for fault in one.syntax]
    if found:
        return sorted(found)
    found.extend(names.check(templates))
    found.extend(names.check_parameters(parameters, templates[MAIN]))
    found.extend(roles.check(templates))
    for template in templates.values():
        found.extend(properties.check(template))
        found.extend(rules.check(template))
    return sorted(found)
