"""Azure, the code, the sample and docs/settings.md have the same settings."""

from __future__ import annotations

import json

from infra.check import settings
from infra.check.deployment import Deployment
from infra.check.project import ROOT
from shared.settings import NAMES

SAMPLE = json.loads((ROOT / "local.settings.sample.json").read_text("utf-8"))["Values"]
PAGE = (ROOT / "docs/settings.md").read_text("utf-8")
GUIDE = (ROOT / "docs/deploy.md").read_text("utf-8")


def test_the_sample_lists_exactly_the_settings_of_the_app() -> None:
    assert settings.differences(SAMPLE, {*NAMES, "FUNCTIONS_WORKER_RUNTIME"}) == []


def test_the_settings_page_lists_exactly_the_settings_of_the_app() -> None:
    assert settings.differences(settings.names_in_tables(PAGE), NAMES) == []


def test_no_secret_is_in_the_sample() -> None:
    assert [name for name, value in SAMPLE.items() if settings.secret(name) and value] == []


def test_defaults_are_equal_in_azure_and_in_the_sample(
    deployments: dict[str, Deployment],
) -> None:
    written = settings.in_azure(deployments["dev"])
    fixed = {name: value for name, value in written.items() if name in SAMPLE}
    known = {name: value for name, value in fixed.items() if value and "<" not in str(value)}
    decided_in_azure = {
        "ENTRA_TENANT_ID",
        "ENTRA_CLIENT_ID",
        "ENTRA_CLIENT_SECRET",
        "KEY_VAULT_URL",
    }
    compared = known.keys() - decided_in_azure
    assert len(compared) >= 7
    assert {name: SAMPLE[name] for name in compared} == {
        name: str(known[name]).rstrip("/") for name in compared
    }


def test_the_guide_sets_every_secret() -> None:
    named = {secret for secret, _ in settings.SECRETS.values()}
    assert settings.guide_secrets(GUIDE) == named


def test_every_secret_is_stored_with_a_content_type() -> None:
    """The Key Vault guardrails of Azure landing zones refuse a secret without one."""
    script = (ROOT / "infra/scripts/configure.sh").read_text("utf-8").replace("\\\n", " ")
    commands = [
        line
        for line in (GUIDE + script).splitlines()
        if "az keyvault secret set" in line and not line.startswith("#")
    ]
    assert len(commands) == 4
    assert [line for line in commands if "--content-type text/plain" not in line] == []


def test_differences_are_found_in_both_directions() -> None:
    assert settings.differences(["A"], ["A", "B"]) == ["B is read and not set"]
    assert settings.differences(["A", "B"], ["A"]) == ["B is set and not read"]
    assert settings.names_in_tables("| `SEGMENTS_ROOT` | where |") == {"SEGMENTS_ROOT"}
