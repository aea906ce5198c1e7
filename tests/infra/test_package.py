"""The package has only what the app needs, and starts without Azure."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from infra import package, rehearse
from infra.check.project import ROOT


def test_the_package_contains_only_what_runs() -> None:
    roots = {name.partition("/")[0] for name in package.deployed()}
    expected = {"function_app.py", "host.json", "pyproject.toml", "requirements.txt", "shared"}
    assert roots == expected  # pyproject.toml: the version of the app
    listed = subprocess.run(
        ["git", "ls-files", "shared"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert set(listed.stdout.split()) <= set(package.deployed())


@pytest.mark.parametrize(
    "name",
    [
        ".env", ".env.local", "prod.env", "key.pem", "shared/key.pem", "tls.key", "cert.pfx",
        "cert.p12", "id_rsa", ".azure/prod/.env", ".vscode/settings.json", "local.settings.json",
        "local.settings.prod.json", "secret.txt", "secret-mailchimp.txt", "app.zip",
        "docs/deploy.md", "tests/conftest.py", "infra/main.json", ".local/secrets.key",
        "shared/__pycache__/x.pyc", "node_modules/x.js", "notes.md", "run.log",
    ],
)  # fmt: skip
def test_secrets_and_tools_are_never_deployed(name: str) -> None:
    lines = (ROOT / ".funcignore").read_text("utf-8").splitlines()
    assert package._ignored(name, [line.strip("/") for line in lines])


def test_a_package_is_built_only_with_the_python_of_the_site(tmp_path: Path) -> None:
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    if version == package.site_python():
        pytest.skip("this is the Python of the site")
    with pytest.raises(package.PackageError, match=rf"must be built with Python .* not {version}"):
        package.build(tmp_path / "built")


@pytest.mark.long
@pytest.mark.timeout(600)
def test_the_rehearsal_of_the_deployment_succeeds(capfd: pytest.CaptureFixture[str]) -> None:
    assert rehearse.main() == 0, capfd.readouterr().err
    output = capfd.readouterr().out
    if "not run" in output:
        pytest.skip(output.strip())
    for line in ("503 not configured", "health: ok", "11 functions", "contacts created"):
        assert line in output
