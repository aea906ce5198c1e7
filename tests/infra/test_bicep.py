"""The Bicep files as they are have no fault that can be seen without Azure."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from infra.check import names, project, properties, roles, rules
from infra.check.known import KNOWN
from infra.check.template import Object, Template

ROOT = Path(__file__).parents[2]
FILES = project.read_files(ROOT)
TEMPLATES = project.templates_of(FILES)


@pytest.mark.parametrize("template", TEMPLATES.values(), ids=TEMPLATES)
def test_every_file_parses(template: Template) -> None:
    assert template.syntax == []


@pytest.mark.parametrize("template", TEMPLATES.values(), ids=TEMPLATES)
def test_every_property_is_one_of_microsofts(template: Template) -> None:
    assert properties.check(template) == []


@pytest.mark.parametrize("template", TEMPLATES.values(), ids=TEMPLATES)
def test_every_resource_keeps_the_rules(template: Template) -> None:
    assert rules.check(template) == []


def test_every_name_exists_and_is_used_and_modules_fit() -> None:
    assert names.check(TEMPLATES) == []


def test_only_listed_roles_are_given_on_listed_scopes() -> None:
    assert roles.check(TEMPLATES) == []


def test_every_role_on_the_list_is_really_given() -> None:
    table = TEMPLATES["infra/modules/roles.bicep"].variables["table"]
    assert isinstance(table, list)
    given = {
        (row.get("on"), getattr(row.get("who"), "text", ""), getattr(row.get("role"), "text", ""))
        for row in table
        if isinstance(row, Object)
    }
    allowed = {(on, who, name) for name, rights in roles.ALLOWED.values() for on, who in rights}
    assert given == allowed


def test_the_project_as_a_whole_has_no_fault() -> None:
    assert project.check(FILES) == []


def test_all_the_resource_types_that_are_known_are_used() -> None:
    used = {resource.type for one in TEMPLATES.values() for resource in one.resources.values()}
    assert {kind.partition(":")[0] for kind in KNOWN} == used


def test_sizes_and_choices_have_bounds() -> None:
    main = TEMPLATES[project.MAIN]
    for parameter in main.parameters.values():
        if parameter.type == "int":
            bounded = {"minValue", "allowed"} & set(parameter.decorators)
            assert bounded, f"{parameter.name} may be any number"


def test_the_parameter_file_reads_no_secret() -> None:
    text = FILES[project.PARAMETERS]
    read = re.findall(r"readEnvironmentVariable\('(\w+)'", text)
    assert read
    assert [name for name in read if re.search("SECRET$|KEY$|PASSWORD", name)] == []


def test_dev_and_prod_differ_in_the_same_things() -> None:
    kinds = re.search(r"var kinds = \{(.*?)\n\}", FILES[project.PARAMETERS], re.DOTALL)
    assert kinds is not None
    blocks = re.findall(r"^  (\w+): \{\n(.*?)^  \}", kinds[1], re.DOTALL | re.MULTILINE)
    assert [name for name, _ in blocks] == ["dev", "prod"]
    dev, prod = (re.findall(r"^ +(\w+):", block, re.MULTILINE) for _, block in blocks)
    assert dev == prod


def test_the_workbook_is_json_and_asks_for_events_like_the_alerts_do() -> None:
    workbook = json.loads((ROOT / "infra/workbook.json").read_text(encoding="utf-8"))
    asked = [item["content"].get("query", "") for item in workbook["items"]]
    start = TEMPLATES["infra/modules/alerts.bicep"].variables["events"]
    head = str(start).split(" | where isnotempty")[0]
    assert any(query.startswith(head) for query in asked)


def test_the_subscription_comes_after_the_right_to_deliver() -> None:
    events = TEMPLATES[project.MAIN].modules["events"]
    app = TEMPLATES[project.MAIN].modules["app"]
    for call in (events, app):
        waits = call.body.get("dependsOn")
        assert isinstance(waits, list)
        assert [getattr(one, "text", "") for one in waits] == ["roles"]
