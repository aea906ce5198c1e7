"""The templates compile without a warning, the committed results are current, and no rule is broken."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from infra.check import __main__, project
from infra.check.__main__ import EXAMPLE, main
from infra.check.compiler import Compiler, find
from infra.check.deployment import Deployment
from infra.check.expressions import resolved

PARAMETERS = (project.INFRA / "main.bicepparam").read_text("utf-8")


@pytest.mark.timeout(900)
@pytest.mark.parametrize("arguments", [["--quick"], pytest.param([], marks=pytest.mark.long)])
def test_the_templates_and_the_committed_files_have_no_fault(
    compiler: Compiler,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
) -> None:
    """Build, lint, parameters, `snapshot --mode validate`, main.json and every rule."""
    # A second compiler would load all types of Azure once more.
    monkeypatch.setattr(__main__, "running", lambda: nullcontext(compiler))
    assert main(arguments) == 0, capsys.readouterr().out
    assert f"{len(project.CONFIGURATIONS)} configurations, 0 faults" in capsys.readouterr().out


@pytest.mark.parametrize("configuration", project.CONFIGURATIONS)
def test_a_committed_snapshot_breaks_no_rule(
    deployments: dict[str, Deployment], configuration: str
) -> None:
    assert project.rules(deployments[configuration]) == []


@pytest.mark.parametrize("configuration", project.CONFIGURATIONS)
def test_a_snapshot_shows_every_resource(
    deployments: dict[str, Deployment], configuration: str
) -> None:
    deployment = deployments[configuration]
    assert deployment.diagnostics == ()
    assert len(deployment.of("Microsoft.Authorization/roleAssignments")) >= 10
    assert len(deployment.resources) > 70


def test_the_parameters_of_a_configuration_are_read_as_the_compiler_reads_them(
    compiler: Compiler,
) -> None:
    for name in project.CONFIGURATIONS:
        path = project.INFRA / f"snapshots/{name}.bicepparam"
        messages, given = compiler.parameters(path)
        assert messages == []
        assert given == project.given_in(path.read_text("utf-8"))


def test_every_optional_parameter_is_set_in_one_configuration(template: dict[str, Any]) -> None:
    path = project.INFRA / "snapshots/everything.bicepparam"
    given = project.given_in(path.read_text("utf-8"))
    own_account = {
        "location",
        *(name for name in template["parameters"] if name.startswith("existing")),
    }
    assert given.keys() | own_account == template["parameters"].keys()
    for name, value in given.items():
        default = template["parameters"][name].get("defaultValue", object())
        assert value != default, f"{name} is set to its default"


def test_the_parameter_file_compiles_and_sets_what_prod_needs(compiler: Compiler) -> None:
    messages, given = compiler.parameters(project.INFRA / "main.bicepparam")
    assert messages == []
    assert_values_of("prod", given)


@pytest.mark.long
@pytest.mark.parametrize(
    ("variables", "kind"),
    [
        ({"ENVIRONMENT_KIND": "dev"}, "dev"),
        ({"ENVIRONMENT_KIND": "prod"}, "prod"),
        ({"AZURE_ENV_NAME": "prod"}, "prod"),
        ({"AZURE_ENV_NAME": "staging"}, "dev"),
        ({"AZURE_ENV_NAME": "staging", "ENVIRONMENT_KIND": "prod"}, "prod"),
    ],
)
def test_the_command_that_compiles_the_parameter_file_reads_the_kind_from_the_environment(
    compiler: Compiler, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], kind: str
) -> None:
    for name, value in {**EXAMPLE, **variables}.items():
        monkeypatch.setenv(name, value)
    command = [find(), "build-params", project.INFRA / "main.bicepparam", "--stdout"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    content = json.loads(json.loads(done.stdout)["parametersJson"])["parameters"]
    assert_values_of(kind, {name: one["value"] for name, one in content.items()})


def assert_values_of(kind: str, parameters: dict[str, Any]) -> None:
    """What distinguishes dev from prod has the values of the committed configuration."""
    given = project.given_in((project.INFRA / f"snapshots/{kind}.bicepparam").read_text("utf-8"))
    shared = ("maximumInstanceCount", "softDeleteDays", "logRetentionDays", "logDailyCapGb")
    assert {name: parameters[name] for name in shared} == {name: given[name] for name in shared}


def test_the_check_reports_a_missing_compiler_in_one_line(tmp_path: Path) -> None:
    environment = {"PATH": "/nonexistent", "HOME": str(tmp_path), "BICEP": str(tmp_path / "none")}
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_COMPILER],
        cwd=project.ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("infra: not checked: no Bicep compiler")
    assert done.stdout.count("\n") == 1


WITHOUT_COMPILER = """
import pathlib, sys
from infra.check import compiler
compiler.ROOT = pathlib.Path("/nonexistent/project")
from infra.check.__main__ import main
sys.exit(main([]))
"""


def test_the_compiler_named_by_the_variable_is_preferred(tmp_path: Path) -> None:
    named, on_path = tmp_path / "named", tmp_path / "bin/bicep"
    on_path.parent.mkdir()
    for one in (named, on_path):
        one.write_text("#!/bin/sh\n")
        one.chmod(0o755)
    assert find({"PATH": str(on_path.parent), "BICEP": str(named)}) == named
    assert find({"PATH": str(on_path.parent)}) == on_path


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("plain", "plain"),
        ("[format('{0}-{1}', 'a', 'it''s')]", "a-it's"),
        ("[environment().suffixes.storage]", "core.windows.net"),
        ("[reference('/x/y/id-1', '2024').clientId]", "<id-1.clientId>"),
        (
            "[reference(resourceId('s', 'g', 'Microsoft.Resources/deployments', "
            "format('app-{0}', uniqueString('app', deployment().name))), '2').outputs.name.value]",
            "<app.outputs.name>",
        ),
        (
            "[resourceId('s', 'g', 'A.B/c', 'd')]",
            "/subscriptions/s/resourceGroups/g/providers/A.B/c/d",
        ),
        ("[[literal]", "[[literal]"),
        ("[if(empty('x'), null(), 'y')]", "<if()>"),
    ],
)
def test_expressions_are_resolved(expression: str, value: str) -> None:
    assert resolved({"a": [expression]}) == {"a": [value]}


def test_sizes_and_options_have_limits(template: dict[str, Any]) -> None:
    for name, parameter in template["parameters"].items():
        assert parameter.get("metadata", {}).get("description"), f"{name} has no description"
        if parameter["type"] == "int":
            bounded = {"maxValue", "allowedValues"} & parameter.keys()
            assert bounded, f"{name} may be any number"


def test_the_largest_run_fits_on_the_disk(template: dict[str, Any]) -> None:
    """Planning and finishing need at least 0.7 GB for a million people (docs/decisions/0079)."""
    disk_gb, gb_per_million, share = 0.8, 0.7, 0.95
    most = template["parameters"]["maxProfiles"]["maxValue"] / 1_000_000
    assert most * gb_per_million <= disk_gb * share
    assert template["parameters"]["maxProfiles"]["defaultValue"] <= most * 1_000_000


def test_the_parameter_file_contains_no_secret() -> None:
    read = re.findall(r"readEnvironmentVariable\('(\w+)'", PARAMETERS)
    assert read
    allowed = {"CUSTOMER_INSIGHTS_NEEDS_SUBSCRIPTION_KEY"}  # whether there is one, not the key
    assert [name for name in read if re.search("SECRET|KEY|PASSWORD|TOKEN", name)] == sorted(
        allowed
    )


def test_dev_and_prod_differ_in_the_documented_ways() -> None:
    table = (project.INFRA / "environments.bicep").read_text("utf-8")
    blocks = re.findall(r"^  (\w+): \{\n(.*?)^  \}", table, re.DOTALL | re.MULTILINE)
    assert [name for name, _ in blocks] == ["dev", "prod"]
    dev, prod = (re.findall(r"^ +(\w+):", block, re.MULTILINE) for _, block in blocks)
    assert dev == prod


def test_the_workbook_queries_the_same_events_as_the_alerts() -> None:
    workbook = json.loads((project.INFRA / "workbook.json").read_text("utf-8"))
    asked = [item["content"].get("query", "") for item in workbook["items"]]
    alerts = (project.INFRA / "modules/alerts.bicep").read_text("utf-8")
    start = re.search(r"^var events = '(.*?) \| where isnotempty", alerts, re.MULTILINE)
    assert start is not None
    assert any(query.startswith(start[1]) for query in asked)
