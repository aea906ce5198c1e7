"""Queues, containers, tables, functions and events have one spelling in the Bicep and in the code."""

from __future__ import annotations

import ast
import importlib.util
import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from infra.check import project
from infra.check.template import Expression
from shared.model import names as places

ROOT = Path(__file__).parents[2]
TEMPLATES = project.templates_of(project.read_files(ROOT))
STORAGE = TEMPLATES["infra/modules/storage.bicep"]
ALERTS = (ROOT / "infra/modules/alerts.bicep").read_text(encoding="utf-8")
WORKBOOK = json.loads((ROOT / "infra/workbook.json").read_text(encoding="utf-8"))
FUNCTION_APP = ROOT / "function_app.py"
needs_function_app = pytest.mark.skipif(
    not FUNCTION_APP.exists() or "blob-events" not in FUNCTION_APP.read_text(encoding="utf-8"),
    reason="function_app.py has no trigger for blob events yet",
)


def literals(name: str) -> set[str]:
    """The texts of a list variable; a name in it stands for its own value."""
    value = STORAGE.variables[name]
    assert isinstance(value, list)
    texts = [STORAGE.variables[one.text] if isinstance(one, Expression) else one for one in value]
    return {text for text in texts if isinstance(text, str)}


def sources() -> Iterator[tuple[Path, ast.Module]]:
    for path in sorted((ROOT / "shared").rglob("*.py")):
        yield path, ast.parse(path.read_text(encoding="utf-8"))


def test_the_queues_of_the_code_are_declared() -> None:
    queues = literals("workQueues")
    assert {places.PLAN_RUNS, places.SEND_LANES} <= queues
    assert queues == {places.PLAN_RUNS, places.SEND_LANES, "blob-events"}


@cache
def functions() -> dict[str, list[dict[str, Any]]]:
    """Name -> bindings. A FunctionApp can be asked only once, so a fresh copy is asked."""
    spec = importlib.util.spec_from_file_location("function_app_asked", FUNCTION_APP)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return {
        one.get_function_name(): json.loads(one.get_function_json())["bindings"]
        for one in module.app.get_functions()
    }


@needs_function_app
def test_every_queue_has_a_trigger_and_its_poison_queue_too() -> None:
    bindings = [binding for one in functions().values() for binding in one]
    listened = {one["queueName"] for one in bindings if one["type"] == "queueTrigger"}
    work = literals("workQueues")
    assert listened == work | {f"{queue}-poison" for queue in work}


@needs_function_app
def test_the_alerts_name_functions_that_exist() -> None:
    asked = set(re.findall(r'"(\w+_poison|tick)"', ALERTS))
    assert asked
    assert asked <= functions().keys()


@needs_function_app
def test_the_workflow_asks_for_every_function() -> None:
    deploy = (ROOT / ".github/workflows/deploy.yml").read_text(encoding="utf-8")
    listed = re.search(r"for name in (.*?); do", deploy, re.DOTALL)
    assert listed is not None
    assert set(re.findall(r"\w+", listed[1])) == functions().keys()


def test_the_containers_of_the_code_are_declared() -> None:
    used = set()
    for path in (ROOT / "shared/storage").glob("*.py"):
        used |= set(re.findall(r'container: str = "([\w-]+)"', path.read_text(encoding="utf-8")))
    assert used
    used -= {"secrets"}  # local only: in Azure grants are in the vault
    assert used <= literals("stateContainers")


def test_the_lifecycle_rules_name_folders_that_the_code_writes() -> None:
    written = {
        places.plan_blob("r").partition("/")[0],
        places.ledger_blob("e", "v").partition("/")[0],
        places.held_blob("a", "b", "v").partition("/")[0],
    }
    ruled = set(re.findall(r"'state/(\w+)/'", STORAGE.text))
    assert ruled == written


def test_the_tables_of_the_code_are_declared() -> None:
    used = {
        argument.value
        for _, tree in sources()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and getattr(node.func, "id", getattr(node.func, "attr", "")) == "table"
        for argument in node.args
        if isinstance(argument, ast.Constant) and isinstance(argument.value, str)
    }
    if not used:
        pytest.skip("nothing in shared/ makes tables yet")
    assert used == literals("stateTables")


def told() -> dict[str, set[str]]:
    """Event -> its fields, from the calls that tell it."""
    found: dict[str, set[str]] = {}
    for _, tree in sources():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "tell":
                [name] = node.args
                assert isinstance(name, ast.Constant), "an event's name is written out"
                fields = {one.arg for one in node.keywords if one.arg} - {"level"}
                found.setdefault(name.value, set()).update(fields)
    return found


def queries() -> list[str]:
    """Every query of the alerts and the workbook."""
    asked = [item["content"].get("query", "") for item in WORKBOOK["items"]]
    return [*re.findall(r"query: '(.*)'", ALERTS), *asked]


def test_alerts_and_workbook_ask_for_events_that_are_told() -> None:
    for text in (ALERTS, json.dumps(queries())):
        asked = set(re.findall(r'e\.event == \\?"([\w.]+)', text))
        assert asked
        assert asked <= told().keys()


def test_alerts_and_workbook_read_fields_that_the_events_have() -> None:
    read = 0
    for query in queries():
        named = re.findall(r'e\.event == "([\w.]+)"', query)
        if named:
            fields = set(re.findall(r"\be\.(\w+)", query)) - {"event", "traceId"}
            assert fields <= told()[named[0]], query
            read += len(fields)
    assert read > 20


def test_the_page_for_operators_names_events_that_are_told() -> None:
    page = (ROOT / "docs/operate.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`((?:run|lane|message|connection|export|refresh)\.\w+)`", page))
    assert {"lane.worked", "message.late"} <= named
    assert named <= told().keys()
