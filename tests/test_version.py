"""The version has one place, pyproject.toml, and everything that shows it reads it from there."""

import re
import tomllib
from pathlib import Path

from shared.version import USER_AGENT, VERSION
from tests.web.client import get
from tests.web.world import World


def test_the_api_description_shows_the_version_of_pyproject(project: Path):
    declared = tomllib.loads((project / "pyproject.toml").read_text())["project"]["version"]
    assert declared == VERSION
    assert get(World(), "/api/openapi.json")["info"]["version"] == declared
    assert USER_AGENT.endswith(f"/{declared}")


def test_the_changelog_dates_the_version(project: Path):
    changelog = (project / "CHANGELOG.md").read_text(encoding="utf-8")
    releases = re.findall(r"^## (\S+)(?: - (\d{4}-\d{2}-\d{2}))?$", changelog, re.MULTILINE)
    assert releases[0] == ("Unreleased", "")
    assert releases[1][0] == VERSION
    assert all(date for _, date in releases[1:])


def test_the_version_is_written_in_one_place(project: Path):
    for folder in ("shared", "infra", "devhost"):
        for path in (project / folder).rglob("*"):
            if path.suffix in (".py", ".bicep", ".json", ".sh"):
                text = path.read_text(encoding="utf-8")
                assert f'"{VERSION}"' not in text, path
                assert "mailchimp-export/" not in text or path.name == "version.py", path


def test_the_package_contains_the_file_with_the_version(project: Path):
    assert "pyproject.toml" not in (project / ".funcignore").read_text().split()
