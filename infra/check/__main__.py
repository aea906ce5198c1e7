"""`python -m infra.check`: compile and check the templates; `--write` renews main.json and snapshots.

`--quick` uses only the running compiler, without the seven commands of its command line.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from infra.check.compiler import GROUP, SUBSCRIPTION, TENANT, NotFoundError, find, running
from infra.check.project import CONFIGURATIONS, INFRA, ROOT, WRITE, check, write

EXAMPLE = {
    "AZURE_LOCATION": "westeurope",
    "ENTRA_CLIENT_ID": "00000000-0000-0000-0000-0000000000e1",
}
"""What main.bicepparam needs from the environment."""


def validate_command(executable: Path, configuration: str) -> list[str]:
    """The command that compares a configuration with its committed snapshot."""
    command = [str(executable), "snapshot", str(INFRA / f"snapshots/{configuration}.bicepparam")]
    command += ["--mode", "validate", "--subscription-id", SUBSCRIPTION, "--tenant-id", TENANT]
    return [*command, "--resource-group", GROUP, "--location", "westeurope"]


def main(arguments: list[str]) -> int:
    """Returns 1 when there is a fault, else 0, also without a compiler."""
    try:
        executable = find()
    except NotFoundError as error:
        print(f"infra: not checked: {error}")
        return 0
    started = time.monotonic()
    with running() as compiler:
        version = compiler.version()
        if "--write" in arguments:
            write(compiler)
        faults = list(check(compiler))
    # The same with the commands that people use, which print what the protocol returns.
    failed = False
    if not arguments and not faults:
        failed = _reports_a_problem([str(executable), "lint", str(INFRA / "main.bicep")])
        parameters = [str(executable), "build-params", str(INFRA / "main.bicepparam"), "--stdout"]
        failed |= _reports_a_problem(parameters)
        for name in CONFIGURATIONS:
            failed |= _reports_a_problem(validate_command(executable, name))
    for fault in faults:
        print(fault)
    print(
        f"infra: Bicep {version}, {len(CONFIGURATIONS)} configurations, {len(faults)} faults, "
        f"{time.monotonic() - started:.0f} s"
    )
    return 1 if failed or faults else 0


def _reports_a_problem(command: list[str]) -> bool:
    """Run a command that should print nothing. Returns whether it failed or printed a diagnostic."""
    environment = {"DOTNET_SYSTEM_GLOBALIZATION_INVARIANT": "1", **EXAMPLE, **os.environ}
    done = subprocess.run(
        command, env=environment, cwd=ROOT, capture_output=True, text=True, check=False
    )
    output = done.stderr.strip()
    if done.returncode and "snapshot" in command:
        output += f"\n{command[2]}: differs from the committed snapshot: run `{WRITE}`"
    if output:
        print(output)
    return bool(done.returncode or output)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
