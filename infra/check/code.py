"""Names that the templates share with the code, read from the code: queues, tables, containers,
functions, settings, events and their fields.
"""

from __future__ import annotations

import ast
import importlib.util
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from shared.settings import NAMES

ROOT = Path(__file__).resolve().parents[2]
_CONTAINER = re.compile(r'container: str = "([\w-]+)"|^CONTAINER = "([\w-]+)"', re.MULTILINE)
LOCAL_CONTAINERS = {"secrets"}
"""Only on a developer's machine: in Azure grants are in the vault."""


@dataclass(frozen=True)
class Code:
    """`functions` are bindings by function name, `events` the fields of each event."""

    functions: dict[str, list[dict[str, Any]]]
    tables: frozenset[str]
    containers: frozenset[str]
    events: dict[str, frozenset[str]]
    settings: frozenset[str] = field(default=frozenset(NAMES))

    @property
    def queues(self) -> set[str]:
        """Every queue that a function listens to."""
        bindings = [binding for one in self.functions.values() for binding in one]
        return {one["queueName"] for one in bindings if one["type"] == "queueTrigger"}


@cache
def read() -> Code:
    """The names, once per process: a FunctionApp can be asked only once, so a copy is asked."""
    spec = importlib.util.spec_from_file_location("function_app_asked", ROOT / "function_app.py")
    if spec is None or spec.loader is None:
        raise FileNotFoundError(ROOT / "function_app.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    functions = {
        one.get_function_name(): json.loads(one.get_function_json())["bindings"]
        for one in module.app.get_functions()
    }
    texts = [path.read_text("utf-8") for path in sorted((ROOT / "shared").rglob("*.py"))]
    calls = [call for text in texts for call in _calls(text)]
    containers = {name for text in texts for found in _CONTAINER.findall(text) for name in found}
    return Code(
        functions=functions,
        tables=frozenset(_tables(calls)),
        containers=frozenset(containers - {""} - LOCAL_CONTAINERS),
        events=_events(calls),
    )


def _calls(text: str) -> Iterator[ast.Call]:
    return (node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call))


def _texts(call: ast.Call) -> list[str]:
    values = [one.value for one in call.args if isinstance(one, ast.Constant)]
    return [one for one in values if isinstance(one, str)]


def _tables(calls: list[ast.Call]) -> Iterator[str]:
    for call in calls:
        if getattr(call.func, "id", getattr(call.func, "attr", "")) == "table":
            yield from _texts(call)


def _events(calls: list[ast.Call]) -> dict[str, frozenset[str]]:
    """The fields of each event: the keywords of `log_event`."""
    found: dict[str, frozenset[str]] = {}
    for call in calls:
        if getattr(call.func, "id", "") != "log_event":
            continue
        fields = {one.arg for one in call.keywords if one.arg} - {"level"}
        for name in _texts(call):
            found[name] = found.get(name, frozenset()) | fields
    return found
