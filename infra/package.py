"""Build the deployment package: `python infra/package.py app.zip`, or `--azd` for the folder that azd deploys.

Run it with the Python version of the site: the packages are installed for exactly this version, so
no remote build can choose another one. On Linux x86-64, the package is imported and its functions
are listed before it is written. Needs only the standard library. docs/decisions/0038 has the reasons.
https://learn.microsoft.com/azure/azure-functions/flex-consumption-how-to#deploy-your-code-project
"""

from __future__ import annotations

import fnmatch
import json
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
AZD_FOLDER = ".package"
"""Where azd looks for the package (azure.yaml)."""
# Versions of the C library that the machine of the site has.
_PLATFORMS = (
    "manylinux_2_28_x86_64",
    "manylinux_2_27_x86_64",
    "manylinux_2_26_x86_64",
    "manylinux2014_x86_64",
)

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


def build(folder: Path, python: str = sys.executable) -> list[str]:
    """Build the package in an empty folder and check it; the names of the functions.

    Without names if this machine is not Linux on x86-64: then the package cannot be imported.

    Raises:
        PackageError: the interpreter is not the site's, or the package cannot be imported.
    """
    is_same_machine = _check_interpreter(python)
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
    if not is_same_machine:
        command += ["--implementation", "cp", "--python-version", site_python()]
        command += [part for platform in _PLATFORMS for part in ("--platform", platform)]
    if subprocess.run(command, check=False).returncode:
        message = "pip could not install the packages."
        raise PackageError(message)
    return _functions(folder, python) if is_same_machine else []


def compress(folder: Path, target: Path) -> None:
    """Write the files of a package to a zip file."""
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as file:
        for path in sorted(folder.rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                file.write(path, path.relative_to(folder))


def _check_interpreter(python: str) -> bool:
    """Whether the interpreter can import the package, after a check of its version."""
    asked = "import platform as p; print(p.python_version(), p.machine(), p.system())"
    done = subprocess.run([python, "-c", asked], capture_output=True, text=True, check=True)
    version, *machine = done.stdout.split()
    wanted = site_python()
    if version.rpartition(".")[0] != wanted:
        message = f"The package must be built with Python {wanted}, not {version}."
        raise PackageError(message)
    return machine == ["x86_64", "Linux"]


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
        print("usage: python infra/package.py app.zip, or --azd", file=sys.stderr)
        return 2
    try:
        if arguments == ["--azd"]:
            target = ROOT / AZD_FOLDER
            shutil.rmtree(target, ignore_errors=True)
            functions = build(target)
        else:
            target = Path(arguments[0]).resolve()
            with tempfile.TemporaryDirectory() as folder:
                functions = build(Path(folder))
                compress(Path(folder), target)
    except PackageError as error:
        print(error, file=sys.stderr)
        return 1
    found = ", ".join(functions) or "not imported, because this machine is not Linux on x86-64"
    print(f"{target.name}: functions: {found}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
