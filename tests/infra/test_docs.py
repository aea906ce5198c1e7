"""The guides name existing files, settings, parameters, functions, queues, routes and commands."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from infra.check.deployment import Deployment
from infra.check.platform import EXPIRY_ALERT
from infra.check.project import INFRA
from infra.check.settings import PLATFORM
from shared.settings import NAMES, ROLES
from tests.web.world import World

ROOT = Path(__file__).parents[2]
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
MADE = {"model.json", "app.zip"}


def haystack() -> str:
    """The text in which names are searched: code and configuration, without docs and these tests."""
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


ROUTES = {route.path_format for route in World().web.routes if route.include_in_schema}


def prose(page: str) -> str:
    return re.sub(r"^```.*?^```", "", page, flags=re.DOTALL | re.MULTILINE)


def spans(page: str) -> Iterator[str]:
    yield from re.findall(r"`([^`\n]+)`", prose(page))


def blocks(page: str) -> Iterator[str]:
    yield from re.findall(r"^```sh\n(.*?)^```", page, flags=re.DOTALL | re.MULTILINE)


def route_pattern(template: str) -> str:
    return re.sub(r"\{\w+\}", "{}", template)


@pytest.mark.parametrize("guide", GUIDES, ids=lambda path: path.name)
def test_named_files_exist(guide: Path) -> None:
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
def test_named_settings_and_variables_exist(guide: Path, template: dict[str, Any]) -> None:
    page = guide.read_text(encoding="utf-8")
    parameters = (INFRA / "main.bicepparam").read_text(encoding="utf-8")
    deploy = (ROOT / ".github/workflows/deploy.yml").read_text(encoding="utf-8")
    known = {*NAMES, *PLATFORM, *template["outputs"]}
    known |= set(re.findall(r"readEnvironmentVariable\('(\w+)'", parameters))
    known |= set(re.findall(r"vars\.(\w+)", deploy))
    named = {one for text in spans(page) for one in re.findall(r"\b[A-Z]+(?:_[A-Z]+)+\b", text)}
    assert sorted(named - known) == []
    set_by_azd = {one for text in blocks(page) for one in re.findall(r"azd env set (\w+)", text)}
    set_by_azd |= {one for text in spans(page) for one in re.findall(r"azd env set (\w+)", text)}
    azds_own = {"AZURE_RESOURCE_GROUP"}
    assert sorted(set_by_azd - known - azds_own) == []


@pytest.mark.parametrize("guide", GUIDES, ids=lambda path: path.name)
def test_every_name_in_code_font_exists_in_the_project(guide: Path) -> None:
    names = [
        one
        for one in spans(guide.read_text(encoding="utf-8"))
        if re.fullmatch(r"[A-Za-z][\w.-]*", one) and one not in MADE and not FILES.fullmatch(one)
    ]
    allowed = {"anthonycmartin-bicep-testing", "legionservicelink"}  # names of others
    assert [one for one in names if one not in TEXT and one not in allowed] == []


@pytest.mark.parametrize("guide", GUIDES, ids=lambda path: path.name)
def test_named_routes_exist(guide: Path) -> None:
    served = {route_pattern(one) for one in ROUTES}
    named = {
        route_pattern(one)
        for one in re.findall(r"/api/[\w/{}.-]*[\w}]", guide.read_text(encoding="utf-8"))
    }
    assert sorted(named - served) == []


@pytest.mark.parametrize("guide", GUIDES, ids=lambda path: path.name)
def test_named_make_targets_exist(guide: Path) -> None:
    targets = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    page = guide.read_text(encoding="utf-8")
    named = {
        one for text in [*spans(page), *blocks(page)] for one in re.findall(r"\bmake (\w+)", text)
    }
    assert named <= targets


def test_every_alert_has_a_section_in_the_guide(deployments: dict[str, Deployment]) -> None:
    operate = (ROOT / "docs/operate.md").read_text(encoding="utf-8")
    sections = set(re.findall(r"^### ([\w-]+)$", operate, re.MULTILINE))
    rules = deployments["dev"].of("Microsoft.Insights/scheduledQueryRules")
    assert sections == {one.name.rpartition("-")[0] for one in rules} | {EXPIRY_ALERT}


def test_links_to_sections_exist() -> None:
    for guide in GUIDES:
        for page, anchor in re.findall(r"\]\(([\w.-]+\.md)#([\w-]+)\)", guide.read_text("utf-8")):
            headings = re.findall(
                r"^#+ (.+)$", (guide.parent / page).read_text("utf-8"), re.MULTILINE
            )
            assert anchor in {
                re.sub(r"[^\w -]", "", one).lower().replace(" ", "-") for one in headings
            }


def test_the_app_roles_match_the_code() -> None:
    roles = json.loads((ROOT / "infra/app-roles.json").read_text(encoding="utf-8"))
    assert [role["value"] for role in roles] == list(ROLES)
    assert len({role["id"] for role in roles}) == len(roles)


COMMANDS = ("az ", "azd ", "sh ", "make ", "python", "eval ")


def commands(section: str) -> list[str]:
    joined = section.replace("\\\n", " ")
    return [
        line for block in blocks(joined) for line in block.splitlines() if line.startswith(COMMANDS)
    ]


def test_few_commands_are_needed_from_a_clone_to_the_preview() -> None:
    page = (ROOT / "docs/deploy.md").read_text("utf-8")
    required = page[page.index("## 1. Prepare") : page.index("## Without azd")]
    # Step 4 and the subscription key are optional; one command of step 3 shows what a script does.
    optional = required[required.index("## 4.") : required.index("## 5.")]
    needed = [
        one
        for one in commands(required)
        if one not in commands(optional) and not one.startswith("az keyvault") and "_KEY" not in one
    ]
    assert 6 <= len(needed) + len(["git clone"]) <= 12


def test_the_resource_providers_are_registered(deployments: dict[str, Deployment]) -> None:
    script = (INFRA / "scripts/prepare.sh").read_text("utf-8")
    listed = set(re.findall(r"\bMicrosoft\.\w+", script.split("for provider in")[1].split(";")[0]))
    used = {
        one.type.partition("/")[0]
        for deployment in deployments.values()
        for one in deployment.resources
    }
    built_in = {"Microsoft.Authorization"}
    delegated = {"Microsoft.App"}
    assert listed == used - built_in | delegated


def test_no_guide_claims_a_deployment() -> None:
    assert "deployed **nowhere yet**" in (ROOT / "docs/deploy.md").read_text(encoding="utf-8")
