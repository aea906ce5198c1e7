"""The guides name only what exists: files, settings, parameters, functions, queues, routes, commands."""

from __future__ import annotations

import importlib
import json
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import shared.web.api
from infra.check import project
from infra.check.settings import PLATFORM
from infra.check.template import Object
from shared.settings import NAMES, ROLES
from shared.web.openapi import PATH

ROOT = Path(__file__).parents[2]
TEMPLATES = project.templates_of(project.read_files(ROOT))
GUIDES = sorted(
    [
        ROOT / f"docs/{name}.md"
        for name in ("deploy", "operate", "cost", "scale", "migrate-from-microsoft")
    ]
    + [*(ROOT / "docs/decisions").glob("003*.md"), ROOT / "docs/decisions/0041-telemetry.md"]
)
FILES = re.compile(
    r"(?<![/\w.])(?:[\w.-]+/)*[\w.-]+\.(?:py|md|json|bicep|bicepparam|yaml|yml|txt|in|sh|zip)"
)
# Files that a guide makes on the reader's machine, and one of the landing container.
MADE = {"secret.txt", "model.json", "app.zip"}


def haystack() -> str:
    """Everything a name may come from: code and configuration, not docs and not these tests."""
    paths = [
        path
        for folder in ("infra", "shared", "devhost", ".github")
        for path in (ROOT / folder).rglob("*")
        if path.suffix in {".py", ".bicep", ".bicepparam", ".json", ".yml", ".sh"}
    ]
    paths += [
        ROOT / name
        for name in (
            "function_app.py",
            "host.json",
            "azure.yaml",
            "Makefile",
            "requirements-dev.in",
        )
        if (ROOT / name).exists()
    ]
    return "\n".join(path.read_text(encoding="utf-8") for path in paths)


TEXT = haystack()


def routes() -> set[str]:
    modules = [
        importlib.import_module(f"shared.web.api.{one.name}")
        for one in pkgutil.iter_modules(shared.web.api.__path__)
    ]
    return {route.template for one in modules for route in getattr(one, "ROUTES", ())} | {PATH}


ROUTES = routes()


def prose(page: str) -> str:
    return re.sub(r"^```.*?^```", "", page, flags=re.DOTALL | re.MULTILINE)


def spans(page: str) -> Iterator[str]:
    yield from re.findall(r"`([^`\n]+)`", prose(page))


def blocks(page: str) -> Iterator[str]:
    yield from re.findall(r"^```sh\n(.*?)^```", page, flags=re.DOTALL | re.MULTILINE)


def route_pattern(template: str) -> str:
    return re.sub(r"\{\w+\}", "{}", template)


@pytest.mark.parametrize("guide", GUIDES, ids=lambda path: path.name)
def test_files_that_are_named_exist(guide: Path) -> None:
    page = guide.read_text(encoding="utf-8")
    named = {one for text in [*spans(page), *blocks(page)] for one in FILES.findall(text)}
    named |= set(re.findall(r"\]\((?!http)([^)#]+)", page))
    missing = [
        name
        for name in sorted(named)
        if name not in MADE
        and not (ROOT / name).exists()
        and not (guide.parent / name).exists()
        and not (ROOT / ".github/workflows" / name).exists()
    ]
    assert missing == []


@pytest.mark.parametrize("guide", GUIDES, ids=lambda path: path.name)
def test_settings_and_variables_that_are_named_exist(guide: Path) -> None:
    page = guide.read_text(encoding="utf-8")
    parameters = (ROOT / project.PARAMETERS).read_text(encoding="utf-8")
    deploy = (ROOT / ".github/workflows/deploy.yml").read_text(encoding="utf-8")
    known = {*NAMES, *PLATFORM, *TEMPLATES[project.MAIN].outputs}
    known |= set(re.findall(r"readEnvironmentVariable\('(\w+)'", parameters))
    known |= set(re.findall(r"vars\.(\w+)", deploy))
    named = {one for text in spans(page) for one in re.findall(r"\b[A-Z]+(?:_[A-Z]+)+\b", text)}
    assert sorted(named - known) == []
    set_by_azd = {one for text in blocks(page) for one in re.findall(r"azd env set (\w+)", text)}
    set_by_azd |= {one for text in spans(page) for one in re.findall(r"azd env set (\w+)", text)}
    azds_own = {"AZURE_RESOURCE_GROUP"}
    assert sorted(set_by_azd - known - azds_own) == []


@pytest.mark.parametrize("guide", GUIDES, ids=lambda path: path.name)
def test_every_single_name_in_code_font_is_in_the_project(guide: Path) -> None:
    names = [
        one
        for one in spans(guide.read_text(encoding="utf-8"))
        if re.fullmatch(r"[A-Za-z][\w.-]*", one) and one not in MADE and not FILES.fullmatch(one)
    ]
    allowed = {"0bfc4568-..."}
    assert [one for one in names if one not in TEXT and one not in allowed] == []


@pytest.mark.parametrize("guide", GUIDES, ids=lambda path: path.name)
def test_routes_that_are_named_exist(guide: Path) -> None:
    served = {route_pattern(one) for one in ROUTES}
    named = {
        route_pattern(one)
        for one in re.findall(r"/api/[\w/{}.-]*[\w}]", guide.read_text(encoding="utf-8"))
    }
    assert sorted(named - served) == []


@pytest.mark.parametrize("guide", GUIDES, ids=lambda path: path.name)
def test_make_targets_that_are_named_exist(guide: Path) -> None:
    targets = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    page = guide.read_text(encoding="utf-8")
    named = {
        one for text in [*spans(page), *blocks(page)] for one in re.findall(r"\bmake (\w+)", text)
    }
    assert named <= targets


def test_every_alert_has_its_section() -> None:
    operate = (ROOT / "docs/operate.md").read_text(encoding="utf-8")
    sections = set(re.findall(r"^### ([\w-]+)$", operate, re.MULTILINE))
    rows = TEMPLATES["infra/modules/alerts.bicep"].variables["rows"]
    assert isinstance(rows, list)
    assert sections == {str(row.get("name")) for row in rows if isinstance(row, Object)}


def test_links_to_sections_lead_somewhere() -> None:
    for guide in GUIDES:
        for page, anchor in re.findall(r"\]\(([\w.-]+\.md)#([\w-]+)\)", guide.read_text("utf-8")):
            headings = re.findall(
                r"^#+ (.+)$", (guide.parent / page).read_text("utf-8"), re.MULTILINE
            )
            assert anchor in {
                re.sub(r"[^\w -]", "", one).lower().replace(" ", "-") for one in headings
            }


def test_the_app_roles_are_those_of_the_code() -> None:
    roles = json.loads((ROOT / "infra/app-roles.json").read_text(encoding="utf-8"))
    assert [role["value"] for role in roles] == list(ROLES)
    assert len({role["id"] for role in roles}) == len(roles)


def test_no_guide_claims_a_deployment() -> None:
    assert "deployed **nowhere yet**" in (ROOT / "docs/deploy.md").read_text(encoding="utf-8")
