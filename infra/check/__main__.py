"""`python -m infra.check`: compile and check the templates; `--write` renews main.json and snapshots."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from infra.check.compiler import GROUP, SUBSCRIPTION, TENANT, NotFoundError, find, running
from infra.check.project import CONFIGURATIONS, INFRA, ROOT, WRITE, check

__all__ = ["main", "snapshot_command"]

EXAMPLE = {
    "AZURE_LOCATION": "westeurope",
    "ENTRA_CLIENT_ID": "00000000-0000-0000-0000-0000000000e1",
}
"""What main.bicepparam needs from the environment."""


def snapshot_command(executable: Path, configuration: str, mode: str) -> list[str]:
    """The command that evaluates a configuration; `mode` is overwrite or validate."""
    command = [str(executable), "snapshot", str(INFRA / f"snapshots/{configuration}.bicepparam")]
    command += ["--mode", mode, "--subscription-id", SUBSCRIPTION, "--tenant-id", TENANT]
    return [*command, "--resource-group", GROUP, "--location", "westeurope"]


def main(arguments: list[str]) -> int:
    """Returns 1 when there is a fault, 0 without, also where there is no compiler."""
    try:
        executable = find()
    except NotFoundError as error:
        print(f"infra: not checked: {error}")
        return 0
    started = time.monotonic()
    write = "--write" in arguments
    if write:
        output = ["--outfile", str(INFRA / "main.json")]
        failed = _said_something([str(executable), "build", str(INFRA / "main.bicep"), *output])
    else:
        failed = _said_something([str(executable), "lint", str(INFRA / "main.bicep")])
    parameters = [str(executable), "build-params", str(INFRA / "main.bicepparam"), "--stdout"]
    failed |= _said_something(parameters)
    for name in CONFIGURATIONS:
        mode = "overwrite" if write else "validate"
        failed |= _said_something(snapshot_command(executable, name, mode))
    with running() as compiler:
        version = compiler.version()
        faults = list(check(compiler))
    for fault in faults:
        print(fault)
    print(
        f"infra: Bicep {version}, {len(CONFIGURATIONS)} configurations, {len(faults)} faults, "
        f"{time.monotonic() - started:.0f} s"
    )
    return 1 if failed or faults else 0


def _said_something(command: list[str]) -> bool:
    """Run a command that has nothing to say; whether it failed or printed a diagnostic."""
    environment = {"DOTNET_SYSTEM_GLOBALIZATION_INVARIANT": "1", **EXAMPLE, **os.environ}
    done = subprocess.run(
        command, env=environment, cwd=ROOT, capture_output=True, text=True, check=False
    )
    said = done.stderr.strip()
    if done.returncode and "snapshot" in command:
        said += f"\n{command[2]}: differs from the committed snapshot: run `{WRITE}`"
    if said:
        print(said)
    return bool(done.returncode or said)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
