"""Runs Microsoft's Bicep compiler as one process that answers over JSON-RPC.

The first call takes seconds, every further one half a second. The compiler is searched for in this
order: the environment variable BICEP, `bicep` on the PATH, the one that `az bicep install` puts into
the home directory, `../shared/tools/bicep/bicep` beside this repository. Nothing is downloaded.
https://learn.microsoft.com/azure/azure-resource-manager/bicep/bicep-cli
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

ROOT = Path(__file__).resolve().parents[2]
SUBSCRIPTION = "00000000-0000-0000-0000-000000000001"
TENANT = "00000000-0000-0000-0000-000000000002"
GROUP = "rg-example"
"""Ids for evaluating the snapshots; they do not exist."""


class NotFoundError(Exception):
    """No compiler was found on this machine; the message lists the places."""


@dataclass(frozen=True)
class Diagnostic:
    """One message of the compiler. `line` counts from 1."""

    path: Path
    line: int
    level: str
    code: str
    message: str

    def __str__(self) -> str:
        return f"{self.path.name}:{self.line}: {self.level} {self.code}: {self.message}"


def find(environ: Mapping[str, str] = os.environ) -> Path:
    """The compiler.

    Raises:
        NotFoundError: there is none.
    """
    on_path = shutil.which("bicep", path=environ.get("PATH"))
    candidates = [
        environ.get("BICEP"),
        on_path,
        str(Path(environ.get("HOME", "/")) / ".azure/bin/bicep"),
        str(ROOT.parent / "shared/tools/bicep/bicep"),
    ]
    for candidate in filter(None, candidates):
        if os.access(candidate, os.X_OK) and Path(candidate).is_file():
            return Path(candidate)
    message = (
        "no Bicep compiler: not in BICEP, not on the PATH, not from `az bicep install`, "
        "not in ../shared/tools/bicep"
    )
    raise NotFoundError(message)


class Compiler:
    """A running compiler; see `running`."""

    def __init__(self, executable: Path) -> None:
        environment = {
            # Without libicu on the machine, .NET does not start in another mode.
            "DOTNET_SYSTEM_GLOBALIZATION_INVARIANT": "1",
            **os.environ,
        }
        self._process = subprocess.Popen(
            [executable, "jsonrpc", "--stdio"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
        )
        self._input = cast("IO[bytes]", self._process.stdin)
        self._output = cast("IO[bytes]", self._process.stdout)
        self._calls = 0

    def version(self) -> str:
        """Its version, such as 0.49.2."""
        return str(self._call("bicep/version", {})["version"])

    def compile(self, path: Path) -> tuple[list[Diagnostic], str]:
        """Errors, warnings and linter findings of a file and its modules, and the ARM template.

        The template is empty when there are errors.
        """
        answer = self._call("bicep/compile", {"path": str(path)})
        return _diagnostics(answer), str(answer.get("contents") or "")

    def parameters(self, path: Path) -> tuple[list[Diagnostic], dict[str, Any]]:
        """Diagnostics of a parameter file, and the values that it sets."""
        asked = {"path": str(path), "parameterOverrides": {}}
        answer = self._call("bicep/compileParams", asked)
        content = json.loads(answer.get("parameters") or "{}").get("parameters", {})
        return _diagnostics(answer), {name: one.get("value") for name, one in content.items()}

    def snapshot(self, path: Path) -> str:
        """The evaluated deployment of a parameter file, as JSON text.

        Raises:
            ValueError: the file or its template does not compile.
        """
        asked = {
            "path": str(path),
            "metadata": {
                "subscriptionId": SUBSCRIPTION,
                "tenantId": TENANT,
                "resourceGroup": GROUP,
                "location": "westeurope",
            },
            "externalInputs": [],
        }
        return str(self._call("bicep/getSnapshot", asked)["snapshot"])

    def close(self) -> None:
        """End the process."""
        self._input.close()
        self._process.terminate()
        self._process.wait()
        self._output.close()

    def _call(self, method: str, params: Mapping[str, object]) -> dict[str, Any]:
        self._calls += 1
        message = {"jsonrpc": "2.0", "id": self._calls, "method": method, "params": params}
        body = json.dumps(message).encode()
        self._input.write(b"Content-Length: %d\r\n\r\n" % len(body) + body)
        self._input.flush()
        length = 0
        while line := self._output.readline().strip():
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        if not length:
            ended = f"the Bicep compiler ended during {method}"
            raise ValueError(ended)
        answer: dict[str, Any] = json.loads(self._output.read(length))
        if "error" in answer:
            raise ValueError(str(answer["error"].get("message")))
        return cast("dict[str, Any]", answer["result"])


@contextmanager
def running() -> Iterator[Compiler]:
    """A compiler for the duration of a `with` block.

    Raises:
        NotFoundError: this machine has no compiler.
    """
    compiler = Compiler(find())
    try:
        yield compiler
    finally:
        compiler.close()


def _diagnostics(answer: Mapping[str, Any]) -> list[Diagnostic]:
    found = [
        Diagnostic(
            path=Path(one["source"]),
            line=one["range"]["start"]["line"] + 1,
            level=one["level"],
            code=one["code"],
            message=one["message"],
        )
        for one in answer.get("diagnostics", ())
    ]
    return sorted(found, key=lambda one: (one.path, one.line, one.code))
