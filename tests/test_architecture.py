"""Imports point downward, and no two packages import each other.

Also: who may use which external package, who reads time, randomness and settings.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SHARED = ROOT / "shared"

# Packages and modules of `shared/`, highest first. Each imports only what comes after it.
LAYERS = (
    "app",
    "runtime",
    "shutdown",
    "allocator",
    "garbage",
    "web",
    "connections",
    "exports",
    "scheduling",
    "previews",
    "finishing",
    "sending",
    "planning",
    "consent_updates",
    "people",
    "runs",
    "capacity",
    "telemetry",
    "messaging",
    # Adapters, one SDK each. They know nothing but the model, and not one another.
    "segments",
    "mailchimp",
    "storage",
    "fields",
    "model",
    "workspace",
    "memory",
    "temporary",
    "settings",
    "environment",
    "http_session",
    "shared_reads",
    "request_time",
    "version",
    "errors",
    "messages",
)

# The same for the parts of `planning/`.
LAYERS_OF_PLANNING = (
    "planner",
    "plan_builder",
    "new_plan",
    "undoing",
    "archiving",
    "writing",
    "comparing",
    "checking",
    "selecting",
    "reading",
    "context",
    "audience",
    "dependencies",
    "request",
    "fingerprint",
    "planning_report",
)

# The same for the parts of `segments/`.
LAYERS_OF_SEGMENTS = (
    "choosing",
    "customer_insights_api",
    "blob_segments",
    "reading",
    "finding",
    "suggestions",
    "container",
    "text_encodings",
    "weighted_cache",
)

# The same for `web/`: the ASGI application, what answers requests, and what they share.
LAYERS_OF_WEB = (
    "unconfigured",
    "app",
    "asgi",
    "gateway",
    "api",
    "pages",
    "openapi",
    "parameters",
    "access",
    "application",
    "context",
    "services",
    "audit_entry",
    "json_body",
    "query_string",
    "csrf",
    "authentication",
    "cookies",
    "chosen_language",
    "problems",
    "models",
    "csv_files",
    "texts",
)

# The same for the admin pages: first the packages and pages of one subject, then what all pages use.
LAYERS_OF_PAGES = (
    "exports",
    "runs",
    "connections",
    "people",
    "audit",
    "schedule",
    "session",
    "conflicts",
    "labels",
    "filters",
    "render",
    "forms",
    "formats",
    "findings",
    "static",
)
ADAPTERS = ("segments", "mailchimp", "storage")

# What an adapter may import besides itself.
BELOW_ADAPTERS = {
    "errors", "fields", "http_session", "memory", "model", "request_time", "settings", "temporary",
    "version", "workspace",
}  # fmt: skip

# Package -> external packages that it may use, by the beginning of their names.
PACKAGES = {
    "function_app": {"azure.functions", "azure_functions_runtime", "starlette.types"},
    "web": {
        "babel", "fastapi", "jinja2", "markupsafe", "orjson", "pydantic", "pydantic_core",
        "starlette", "werkzeug",
    },
    "connections": {"msal", "orjson", "pydantic", "requests"},
    "fields": {"babel", "idna", "orjson", "phonenumbers"},
    "previews": {"duckdb"},
    "finishing": {"duckdb"},
    "sending": {"orjson"},
    "planning": {"duckdb", "orjson", "pydantic"},
    "people": {"duckdb"},
    "consent_updates": {"duckdb"},
    "runs": {"duckdb", "pydantic"},
    "scheduling": {"babel", "pydantic"},
    "model": {"duckdb", "pydantic"},
    "workspace": {"duckdb"},
    "memory": {"duckdb"},
    "mailchimp": {"msgspec", "orjson", "requests", "urllib3"},
    "segments": {"azure.core", "babel", "azure.storage.blob", "duckdb", "orjson", "requests"},
    # `requests` is the SDK's own transport, of which storage sets the sizes.
    "storage": {
        "azure.core", "azure.data.tables", "azure.identity", "azure.keyvault.secrets",
        "azure.storage.blob", "azure.storage.queue", "cryptography", "orjson", "pydantic",
        "pydantic_core", "requests",
    },
    "telemetry": {"opentelemetry"},
    "http_session": {"requests", "urllib3"},
    "messages": {"babel"},
}  # fmt: skip

# Folders of tests that are about more than one package, or about what is beside `shared/`.
ACROSS_PACKAGES = {
    "e2e", "faults", "fuzz", "versions", "contract", "browser",
    "devhost", "sandbox", "bench", "audit", "infra",
}  # fmt: skip

# Packages that get time, randomness and everything outside the process passed in.
PURE = (
    "connections", "exports", "scheduling", "previews", "finishing", "sending", "planning", "consent_updates", "people", "runs",
    "capacity", "messaging", "fields", "model",
)  # fmt: skip

# Modules that read the time, draw random numbers or wait.
CLOCKS_AND_RANDOMNESS = {"random", "secrets", "time", "uuid"}
OUTSIDE_THE_PROCESS = {"asyncio", "http", "os", "socket", "ssl", "subprocess", "urllib"}
NOW = {"now", "today", "utcnow"}


def modules() -> list[Path]:
    return [ROOT / "function_app.py", *sorted(SHARED.rglob("*.py"))]


def package_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return parts[0] if parts[0] != "shared" else parts[1]


@cache
def nodes(path: Path) -> tuple[ast.AST, ...]:
    """Return all nodes of a file; most tests read all files."""
    return tuple(ast.walk(ast.parse(path.read_text("utf-8"))))


def imports(path: Path) -> Iterator[str]:
    """Return all modules that a file imports, at any level."""
    for node in nodes(path):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are written out"
            yield node.module or ""
            yield from (f"{node.module}.{name.name}" for name in node.names)


def found(path: Path) -> str:
    return str(path.relative_to(ROOT))


def inside(paths: list[Path], *packages: str) -> list[Path]:
    return [path for path in paths if package_of(path) in packages]


def imported_packages(path: Path) -> set[str]:
    """The packages and modules of `shared/` that a file imports, without its own."""
    named = {name.split(".")[1] for name in imports(path) if name.startswith("shared.")}
    return named - {package_of(path)}


def test_every_package_has_its_place_in_the_layers() -> None:
    packages = {package_of(path) for path in modules()} - {"__init__", "function_app"}

    assert packages == set(LAYERS)


def test_imports_point_downward() -> None:
    wrong = [
        f"{found(path)} imports {package}"
        for path in modules()
        if package_of(path) not in ("__init__", "function_app")
        for package in imported_packages(path)
        if LAYERS.index(package) <= LAYERS.index(package_of(path))
    ]

    assert wrong == []


@pytest.mark.parametrize(
    ("package", "layers"),
    [
        ("planning", LAYERS_OF_PLANNING),
        ("segments", LAYERS_OF_SEGMENTS),
        ("web", LAYERS_OF_WEB),
        ("web.pages", LAYERS_OF_PAGES),
    ],
)
def test_imports_inside_a_package_point_downward(package: str, layers: tuple[str, ...]) -> None:
    """A part imports only the parts after it."""
    folder = SHARED.joinpath(*package.split("."))
    parts = {
        path: path.relative_to(folder).with_suffix("").parts[0]
        for path in folder.rglob("*.py")
        if path != folder / "__init__.py"
    }
    wrong = [
        f"{found(path)} imports {name}"
        for path, part in parts.items()
        for name in imports(path)
        if name.startswith(f"shared.{package}.")
        for imported in {name.removeprefix(f"shared.{package}.").split(".")[0]} - {part}
        if layers.index(imported) <= layers.index(part)
    ]

    assert set(parts.values()) == set(layers)
    assert wrong == []


def test_every_http_client_shares_the_time_of_the_request() -> None:
    """Else a person may wait for it longer than Azure lets a request last (docs/decisions/0067)."""
    wrong = [
        f"{found(path)}:{node.lineno}"
        for path in modules()
        if package_of(path) != "http_session"
        for node in nodes(path)
        if isinstance(node, ast.Call)
        and ast.unparse(node.func)
        in {f"requests.{name}" for name in ("Session", "request", "get", "post", "put", "delete")}
    ]

    assert wrong == []


def test_adapters_are_independent_of_one_another_and_of_the_steps() -> None:
    wrong = [
        f"{found(path)} imports {package}"
        for path in inside(modules(), *ADAPTERS)
        for package in imported_packages(path) - BELOW_ADAPTERS
    ]

    assert wrong == []


def test_tests_mirror_the_packages() -> None:
    folders = {path.name for path in (ROOT / "tests").iterdir() if any(path.glob("*.py"))}

    assert folders <= {*LAYERS, *ACROSS_PACKAGES}


def test_every_package_uses_its_own_external_packages_only() -> None:
    wrong = [
        f"{found(path)} imports {name}"
        for path in modules()
        for name in imports(path)
        if package_of(path) != "__init__" and _is_external(name)
        if not any(f"{name}.".startswith(f"{p}.") for p in PACKAGES.get(package_of(path), set()))
        # `from azure import core` names the package in two parts.
        and not any(f"{p}.".startswith(f"{name}.") for p in PACKAGES.get(package_of(path), set()))
    ]

    assert wrong == []


def _is_external(name: str) -> bool:
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
        for node in nodes(path)
        if (isinstance(node, ast.Attribute) and node.attr in ("environ", "getenv"))
        or (isinstance(node, ast.ImportFrom) and node.module == "os" and _names_environment(node))
    }

    assert readers == {"shared/settings.py"}


def _names_environment(node: ast.ImportFrom) -> bool:
    return any(name.name in ("environ", "getenv") for name in node.names)


@pytest.mark.parametrize("package", PURE)
def test_time_randomness_and_the_outside_world_are_passed_in(package: str) -> None:
    wrong = [
        f"{found(path)} uses {name}"
        for path in inside(modules(), package)
        for name in [*imports(path), *_moments(path)]
        if name.partition(".")[0] in CLOCKS_AND_RANDOMNESS | OUTSIDE_THE_PROCESS or name in NOW
        if not f"{name}.".startswith("urllib.parse.")
    ]

    assert wrong == []


def _moments(path: Path) -> Iterator[str]:
    """Calls such as `datetime.now(...)`; `self._now()` is the clock that was passed in."""
    for node in nodes(path):
        match node:
            case ast.Attribute(value=ast.Name(id="datetime" | "date"), attr=name) if name in NOW:
                yield name


def test_one_module_opens_databases() -> None:
    """With a limit of memory and without extensions."""
    opening = {
        found(path)
        for path in modules()
        for node in nodes(path)
        if isinstance(node, ast.Attribute)
        and node.attr == "connect"
        and isinstance(node.value, ast.Name)
        and node.value.id == "duckdb"
    }

    assert opening == {"shared/workspace.py"}


def test_no_two_classes_have_the_same_name() -> None:
    """A class that only its module uses begins with an underscore."""
    classes: dict[str, str] = {}
    again = []
    for path in modules():
        for node in nodes(path):
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                if node.name in classes:
                    again.append(f"{node.name} in {classes[node.name]} and {found(path)}")
                classes[node.name] = found(path)

    assert again == []


def test_development_programs_are_never_imported() -> None:
    wrong = [
        f"{found(path)} imports {name}"
        for path in modules()
        for name in imports(path)
        if name.partition(".")[0] in ("bench", "devhost", "sandbox", "tests")
    ]

    assert wrong == []
