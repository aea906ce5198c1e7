"""All checks of a folder with Bicep files: compile, evaluate each configuration, apply the rules.

`evaluate` takes the folder as an argument, so that a test can plant a fault into a copy.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from infra.check import access, data, hosting, network, order, platform, settings
from infra.check.code import read
from infra.check.compiler import Compiler
from infra.check.deployment import Deployment, parse

ROOT = Path(__file__).resolve().parents[2]
INFRA = ROOT / "infra"
WRITE = "python -m infra.check --write"
CONFIGURATIONS = ("dev", "prod", "private", "landing", "everything")


def template_of(folder: Path = INFRA) -> dict[str, Any]:
    """The compiled template that is committed."""
    content: dict[str, Any] = json.loads((folder / "main.json").read_text("utf-8"))
    return content


def evaluate(
    compiler: Compiler, folder: Path, configuration: str, template: dict[str, Any]
) -> Deployment:
    """One configuration as Azure would get it. The rules about the template need it compiled.

    Raises:
        ValueError: it does not compile.
    """
    path = folder / f"snapshots/{configuration}.bicepparam"
    given = given_in(path.read_text("utf-8"))
    return parse(configuration, compiler.snapshot(path), given, template)


def given_in(text: str) -> dict[str, Any]:
    """The parameters that the text of a configuration sets, read without the compiler.

    Enough for the committed configurations: literals, and the table in environments.bicep.
    """
    table = (INFRA / "environments.bicep").read_text("utf-8")
    found: dict[str, Any] = {}
    for name, value in re.findall(r"^param (\w+) = (.+)$", text, re.MULTILINE):
        if value.startswith("environments."):
            _, kind, entry = value.split(".")
            block = re.search(rf"^  {kind}: {{(.*?)^  }}", table, re.DOTALL | re.MULTILINE)
            value = re.search(rf"\b{entry}: (.+)", block[1] if block else "")[1]  # type: ignore[index]
        literal = re.sub(r"(\w+): ", r"'\1': ", value) if value.startswith("{") else value
        literal = {"true": "True", "false": "False"}.get(literal, literal)
        found[name] = ast.literal_eval(literal)
    return found


def committed(configuration: str, folder: Path = INFRA) -> Deployment:
    """A configuration, read from its committed snapshot."""
    source = folder / f"snapshots/{configuration}.bicepparam"
    text = source.with_suffix(".snapshot.json").read_text("utf-8")
    return parse(configuration, text, given_in(source.read_text("utf-8")), template_of(folder))


def write(compiler: Compiler, folder: Path = INFRA) -> None:
    """Write main.json and the snapshots of all templates that compile."""
    _, text = compiler.compile(folder / "main.bicep")
    if not text:
        return
    (folder / "main.json").write_text(text, "utf-8")
    for name in CONFIGURATIONS:
        path = folder / f"snapshots/{name}.snapshot.json"
        content = json.loads(compiler.snapshot(path.with_name(f"{name}.bicepparam")))
        # The compiler writes outputs in another order every time.
        content["outputs"] = dict(sorted(content["outputs"].items()))
        path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", "utf-8")


def rules(deployment: Deployment) -> list[str]:
    """Faults of one evaluated configuration."""
    code = read()
    filled = settings.guide_secrets((ROOT / "docs/deploy.md").read_text("utf-8"))
    return [
        *access.check(deployment),
        *data.check(deployment, code),
        *network.check(deployment),
        *platform.check(deployment, code),
        *settings.check(deployment, code, filled),
        *(order.check(deployment.template) if deployment.template else ()),
    ]


def check(compiler: Compiler, folder: Path = INFRA) -> Iterator[str]:
    """All faults: of the compiler, of stale results, of the rules."""
    warnings, text = compiler.compile(folder / "main.bicep")
    yield from map(str, warnings)
    if not text:
        return
    template = json.loads(text)
    if template != template_of(folder):
        yield f"main.json is stale: run `{WRITE}`"
    host = json.loads((ROOT / "host.json").read_text("utf-8"))
    yield from hosting.check(host, template)
    for name in CONFIGURATIONS:
        deployment = evaluate(compiler, folder, name, template)
        snapshot = folder / f"snapshots/{name}.snapshot.json"
        if deployment != committed(name, folder):
            yield f"{snapshot.name} is stale: run `{WRITE}`"
        yield from (f"{name}: {fault}" for fault in rules(deployment))
