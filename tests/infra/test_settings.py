"""The list of settings is one list: Azure, the code, the sample and docs/settings.md agree both ways."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from infra.check import project, settings
from infra.check.template import Template
from shared.settings import NAMES

ROOT = Path(__file__).parents[2]
FILES = project.read_files(ROOT)
TEMPLATES = project.templates_of(FILES)
SAMPLE = json.loads((ROOT / "local.settings.sample.json").read_text(encoding="utf-8"))["Values"]
SETTINGS_PAGE = ROOT / "docs/settings.md"


def planted(right: str, wrong: str) -> dict[str, Template]:
    text = FILES[settings.APP]
    assert right in text, "the plant no longer fits the file"
    return project.templates_of(FILES | {settings.APP: text.replace(right, wrong, 1)})


def test_azure_sets_what_the_app_reads_and_nothing_else() -> None:
    assert settings.check_azure(TEMPLATES, NAMES) == []


def test_the_sample_lists_what_the_app_reads_and_nothing_else() -> None:
    assert settings.check_sample(SAMPLE, NAMES) == []


def test_the_page_of_settings_explains_what_the_app_reads_and_nothing_else() -> None:
    assert settings.check_readme(SETTINGS_PAGE.read_text(encoding="utf-8"), NAMES) == []


def test_defaults_are_the_same_in_azure_and_in_the_sample() -> None:
    written = settings.in_azure(TEMPLATES)
    fixed = {name: value for name, value in written.values.items() if isinstance(value, str)}
    compared = fixed.keys() & SAMPLE.keys()
    assert compared
    assert {name: SAMPLE[name] for name in compared} == {name: fixed[name] for name in compared}


@pytest.mark.parametrize(
    ("right", "wrong", "said"),
    [
        ("    KEY_VAULT_URL: tokenVaultUri\n", "", "KEY_VAULT_URL is read by the app and not set"),
        ("    SEGMENTS_ROOT:", "    SEGMENT_ROOT:", "SEGMENT_ROOT is read by nobody"),
        ("    PUBLIC_URL:", "    DEVELOPER_IDENTITY: 'me'\n    PUBLIC_URL:", "DEVELOPER_IDENTITY"),
        ("AzureWebJobsStorage__credential", "AzureWebJobsStorage", "AzureWebJobsStorage is read"),
        (
            "ENTRA_CLIENT_SECRET: '@Microsoft.KeyVault(SecretUri=${configVaultUri}secrets/",
            "ENTRA_CLIENT_SECRET: '${configVaultUri}secrets/",
            "ENTRA_CLIENT_SECRET must be a Key Vault reference",
        ),
    ],
)
def test_a_planted_fault_in_the_settings_is_found(right: str, wrong: str, said: str) -> None:
    found = settings.check_azure(planted(right, wrong), NAMES)
    assert any(said in fault.message for fault in found), found


def test_a_new_setting_in_the_code_is_missed_everywhere() -> None:
    names = (*NAMES, "BRAND_NEW")
    assert settings.check_azure(TEMPLATES, names)
    assert settings.check_sample(SAMPLE, names)
    assert settings.check_readme("| `SEGMENTS_ROOT` | where |", ("SEGMENTS_ROOT", "BRAND_NEW"))


def test_a_secret_in_the_sample_is_found() -> None:
    assert settings.check_sample({**SAMPLE, "MAILCHIMP_CLIENT_SECRET": "abc"}, NAMES)


def test_a_readme_row_that_means_nothing_is_found() -> None:
    assert settings.check_readme("| `SEGMENTS_ROOTS` | where |", ("SEGMENTS_ROOTS",)) == []
    assert settings.check_readme("| `SEGMENTS_ROOTS` | where |", ("SEGMENTS_ROOT",))
