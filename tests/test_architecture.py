"""The house keeps its direction: who imports whom, who may call outside, who reads time and settings.

function_app -> app -> web -> connections -> exports -> errors; segments, mailchimp and storage are
edges: they know the errors and the plain values of the heart, one SDK each, and not one another.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SHARED = ROOT / "shared"

# Room (or module at the top) -> rooms it may import; itself is always allowed.
DIRECTION = {
    "function_app": {"app", "errors", "exports", "settings", "web"},
    "app": {
        "connections", "errors", "exports", "mailchimp", "segments", "settings", "storage",
        "telemetry", "web",
    },
    "web": {"connections", "errors", "exports"},
    "connections": {"errors", "exports"},
    "exports": {"errors"},
    "mailchimp": {"connections", "errors", "exports"},
    "segments": {"errors", "exports"},
    "storage": {"errors", "exports", "settings"},
    "telemetry": {"exports"},
    "settings": {"environment", "errors"},
    "environment": {"errors"},
    "errors": set(),
}  # fmt: skip

# What edges may know of the heart and of connections: values and protocols, no use case.
PLAIN = {
    "exports.audience", "exports.definition", "exports.fields", "exports.needs",
    "exports.outcome", "exports.run", "exports.source",
    "connections.connection", "connections.needs",
}  # fmt: skip
EDGES = ("mailchimp", "segments", "storage")

# Room -> packages from outside that it may use, by the beginning of their names.
PACKAGES = {
    "function_app": {"azure.functions"},
    "app": set(),
    "web": {"babel", "jinja2", "markupsafe", "orjson", "pydantic", "pydantic_core", "werkzeug"},
    "connections": {"msal", "orjson", "pydantic", "requests"},
    "exports": {"duckdb", "orjson", "pydantic"},
    "mailchimp": {"orjson", "requests", "urllib3"},
    "segments": {"azure.core", "azure.storage.blob", "duckdb", "orjson", "requests"},
    # `requests` is the SDK's own transport, of which storage sets the sizes.
    "storage": {
        "azure.core", "azure.data.tables", "azure.identity", "azure.keyvault.secrets",
        "azure.storage.blob", "azure.storage.queue", "cryptography", "orjson", "pydantic",
        "pydantic_core", "requests",
    },
    "telemetry": {"opentelemetry"},
    "settings": set(),
    "environment": set(),
    "errors": set(),
}  # fmt: skip

# Modules that know the time, throw dice or wait: the heart is handed these.
CLOCKS_AND_DICE = {"random", "secrets", "time", "uuid"}
OUTSIDE_WORLD = {"asyncio", "http", "os", "socket", "ssl", "subprocess", "urllib"}
NOW = {"now", "today", "utcnow"}


def modules() -> list[Path]:
    return [ROOT / "function_app.py", *sorted(SHARED.rglob("*.py"))]


def room_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return parts[0] if parts[0] != "shared" else parts[1]


def imports(path: Path) -> Iterator[str]:
    """Every module that a file imports, wherever in the file."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are written out"
            yield node.module or ""
            yield from (f"{node.module}.{name.name}" for name in node.names)


def found(path: Path) -> str:
    return str(path.relative_to(ROOT))


def inside(paths: list[Path], *rooms: str) -> list[Path]:
    return [path for path in paths if room_of(path) in rooms]


def test_every_room_has_its_place_in_the_direction() -> None:
    rooms = {room_of(path) for path in modules()} - {"__init__"}

    assert rooms == DIRECTION.keys() == PACKAGES.keys()


def test_imports_run_one_way() -> None:
    wrong = [
        f"{found(path)} imports {name}"
        for path in modules()
        for name in imports(path)
        if name.startswith("shared.") and room_of(path) != "__init__"
        if name.split(".")[1] not in {room_of(path), *DIRECTION[room_of(path)]}
    ]

    assert wrong == []


def test_edges_know_only_values_of_the_heart() -> None:
    wrong = [
        f"{found(path)} imports {name}"
        for path in inside(modules(), *EDGES)
        for name in imports(path)
        if name.startswith(("shared.exports.", "shared.connections."))
        if ".".join(name.split(".")[1:3]) not in PLAIN
    ]

    assert wrong == []


def test_every_room_uses_its_own_packages_only() -> None:
    wrong = [
        f"{found(path)} imports {name}"
        for path in modules()
        for name in imports(path)
        if room_of(path) != "__init__" and _is_from_outside(name)
        if not any(f"{name}.".startswith(f"{p}.") for p in PACKAGES[room_of(path)])
        # `from azure import core` names the package in two parts.
        and not any(f"{p}.".startswith(f"{name}.") for p in PACKAGES[room_of(path)])
    ]

    assert wrong == []


def _is_from_outside(name: str) -> bool:
    top = name.partition(".")[0]
    return top != "shared" and top not in sys.stdlib_module_names


def test_only_function_app_knows_azure_functions() -> None:
    knowing = {
        found(p) for p in modules() if any(n.startswith("azure.functions") for n in imports(p))
    }

    assert knowing == {"function_app.py"}


def test_only_settings_reads_the_environment() -> None:
    readers = {
        found(path)
        for path in modules()
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if (isinstance(node, ast.Attribute) and node.attr in ("environ", "getenv"))
        or (isinstance(node, ast.ImportFrom) and node.module == "os" and _names_environment(node))
    }

    assert readers == {"shared/settings.py"}


def _names_environment(node: ast.ImportFrom) -> bool:
    return any(name.name in ("environ", "getenv") for name in node.names)


@pytest.mark.parametrize("room", ["exports", "connections"])
def test_the_heart_is_handed_time_chance_and_the_world(room: str) -> None:
    wrong = [
        f"{found(path)} uses {name}"
        for path in inside(modules(), room)
        for name in [*imports(path), *_moments(path)]
        if name.partition(".")[0] in CLOCKS_AND_DICE | OUTSIDE_WORLD or name in NOW
    ]

    assert wrong == []


def _moments(path: Path) -> Iterator[str]:
    """Calls such as `datetime.now(...)`; `self._now()` is the clock that was handed in."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        match node:
            case ast.Attribute(value=ast.Name(id="datetime" | "date"), attr=name) if name in NOW:
                yield name


def test_development_programs_are_never_imported() -> None:
    wrong = [
        f"{found(path)} imports {name}"
        for path in modules()
        for name in imports(path)
        if name.partition(".")[0] in ("bench", "devhost", "sandbox", "tests")
    ]

    assert wrong == []
