"""Every .sql file parses, is run by the module beside it, and is part of the deployed package."""

from __future__ import annotations

import re
from fnmatch import fnmatch
from pathlib import Path

import pytest

from shared.workspace import SqlFile
from tests import reused_databases

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted((ROOT / "shared").rglob("sql/*.sql"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parts[-3]}/{path.stem}")
def test_every_group_parses_and_its_module_runs_it(path: Path) -> None:
    module = (path.parent.parent / f"{path.stem}.py").read_text("utf-8")
    groups = re.findall(r"^-- name: (\w+)$", path.read_text("utf-8"), re.MULTILINE)
    assert len(set(groups)) == len(groups) > 0
    with reused_databases.connect() as db:
        for group in groups:
            assert f'"{group}"' in module
            assert db.extract_statements(SqlFile(path)._groups[group])


def test_the_deployed_package_has_the_sql_files() -> None:
    ignored = (ROOT / ".funcignore").read_text("utf-8").split()
    assert FILES
    for path in FILES:
        names = [path.name, *path.relative_to(ROOT).parts]
        assert not [line for line in ignored for name in names if fnmatch(name, line.strip("/"))]
