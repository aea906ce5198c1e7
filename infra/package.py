"""Build the deployment package: `python infra/package.py app.zip`.

Run it with the Python version of the site, on Linux x86-64: the packages are installed for exactly
this interpreter, so no remote build can choose other versions. The package is
imported and its functions are listed before the zip file is written. Needs only the standard
library. docs/decisions/0038 has the reasons.
https://learn.microsoft.com/azure/azure-functions/flex-consumption-how-to#deploy-your-code-project
"""

from __future__ import annotations

import fnmatch
import json
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ".python_packages/lib/site-packages"
"""Where the worker looks for installed packages."""

_LIST = """
import json, sys
sys.path[:0] = [sys.argv[1], sys.argv[1] + "/" + sys.argv[2]]
import function_app
names = sorted(one.get_function_name() for one in function_app.app.get_functions())
print(json.dumps(names))
"""


class PackageError(Exception):
    """The package could not be built; the message is one sentence."""


def site_python() -> str:
    """The Python version of the site, such as 3.13: written once, in the templates."""
    text = (ROOT / "infra/modules/app.bicep").read_text("utf-8")
    found = re.search(r"^var pythonVersion = '([\d.]+)'", text, re.MULTILINE)
    if found is None:
        message = "infra/modules/app.bicep has no Python version."
        raise PackageError(message)
    return found[1]


def deployed() -> list[str]:
    """The tracked files that .funcignore includes."""
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    lines = (ROOT / ".funcignore").read_text("utf-8").splitlines()
    patterns = [line.strip("/") for line in lines if line and not line.startswith("#")]
    return [name for name in listed.stdout.split("\0") if name and not _ignored(name, patterns)]


def _ignored(name: str, patterns: list[str]) -> bool:
    """Whether patterns exclude a path. A pattern without a slash applies to every part of it, as in .gitignore."""
    return any(fnmatch.fnmatchcase(part, one) for part in name.split("/") for one in patterns)


def build(target: Path, folder: Path, python: str = sys.executable) -> list[str]:
    """Build in an empty folder, check it, write the zip file; the names of the functions.

    Raises:
        PackageError: the interpreter is not the site's, or the package cannot be imported.
    """
    _check_interpreter(python)
    for name in deployed():
        copy = folder / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, copy)
    command = [python, "-m", "pip", "install", "-qq", "--disable-pip-version-check"]
    command += [
        "--no-compile",
        "--only-binary=:all:",
        "--require-hashes",
        "--root-user-action=ignore",
    ]
    command += ["--target", str(folder / PACKAGES), "-r", str(folder / "requirements.txt")]
    if subprocess.run(command, check=False).returncode:
        message = "pip could not install the packages."
        raise PackageError(message)
    functions = _functions(folder, python)
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as file:
        for path in sorted(folder.rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                file.write(path, path.relative_to(folder))
    return functions


def _check_interpreter(python: str) -> None:
    asked = "import platform; print(platform.python_version(), platform.machine())"
    done = subprocess.run([python, "-c", asked], capture_output=True, text=True, check=True)
    version, machine = done.stdout.split()
    wanted = site_python()
    if version.rpartition(".")[0] != wanted or machine != "x86_64" or platform.system() != "Linux":
        message = f"The package must be built with Python {wanted} on Linux x86-64, not {version}."
        raise PackageError(message)


def _functions(folder: Path, python: str) -> list[str]:
    """Import the package alone, as the worker does, and list its functions."""
    command = [python, "-I", "-S", "-B", "-c", _LIST, str(folder), PACKAGES]
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder, check=False)
    if done.returncode:
        last = done.stderr.strip().splitlines()[-1:] or ["no output"]
        message = f"The package cannot be imported: {last[0]}"
        raise PackageError(message)
    names: list[str] = json.loads(done.stdout.splitlines()[-1])
    return names


def main(arguments: list[str]) -> int:
    """Returns 0 when the package is written."""
    if len(arguments) != 1:
        print("usage: python infra/package.py app.zip", file=sys.stderr)
        return 2
    target = Path(arguments[0]).resolve()
    try:
        with tempfile.TemporaryDirectory() as folder:
            functions = build(target, Path(folder))
    except PackageError as error:
        print(error, file=sys.stderr)
        return 1
    size = target.stat().st_size / 1_000_000
    print(f"{target.name}: {size:.0f} MB, functions: {', '.join(functions)}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
